//! `ffasr admin export-site` and `ffasr admin dump`: everything that is public, as files.

use std::path::PathBuf;

use clap::Args;
use web::Service;

use crate::{
    backend::{Backend, BackendArguments, Ownership},
    error::Failure,
    serve::ServiceArguments,
};

/// Follows every link of the site and writes what it finds, with links that work in a folder. What needs the service is
/// marked and, with --public-url, leads to the live site.
#[derive(Args)]
pub(crate) struct Export {
    /// A new or an empty folder.
    folder: PathBuf,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    service: ServiceArguments,
}

#[derive(Args)]
pub(crate) struct Dump {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) async fn export(arguments: Export) -> Result<(), Failure> {
    let backend = Backend::start(&arguments.backend, Ownership::Guest).await?;
    let settings = arguments.service.settings(&backend, false);
    let live = settings.policy.public_url.clone();
    let service = Service::new(backend.pool.clone(), backend.objects.clone(), settings).await?;
    let exported = web::export::export(&service, &arguments.folder, &live).await.map_err(Failure::failed)?;
    for (page, address) in &exported.broken {
        eprintln!("{page} links to {address}, which is not there");
    }
    let (files, folder) = (exported.files, arguments.folder.display());
    println!("{files} files, {:.1} MB, in {folder}", exported.bytes as f64 / 1e6);
    if exported.broken.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("{} links lead nowhere", exported.broken.len())))
    }
}

pub(crate) async fn dump(arguments: Dump) -> Result<(), Failure> {
    let backend = Backend::start(&arguments.backend, Ownership::Guest).await?;
    let settings = arguments.service.settings(&backend, false);
    let service = Service::new(backend.pool.clone(), backend.objects.clone(), settings).await?;
    match web::dump::make(&service, true).await? {
        Some(name) => println!("/downloads/{name}"),
        None => println!("another process is making it"),
    }
    Ok(())
}
