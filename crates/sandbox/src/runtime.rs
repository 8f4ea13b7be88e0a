//! Runtimes: declared in `deploy/runtimes/<name>/`, installed outside of the checkout.
//!
//! An installed runtime is a directory `<root>/<name>/` with `runtime.toml`, the adapter, what it shares with others
//! (`ffasr_runner.py`, where it uses that), the lock file and a Python environment `venv/` made from the lock file with
//! `/usr/bin/python3`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use protocol::RuntimeDeclaration;
use sha2::{Digest, Sha256};

/// What adapters share; the installer puts it beside each.
const SHARED: &str = "ffasr_runner.py";

/// A runtime that is installed on this node.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    /// What it declares.
    pub declaration: RuntimeDeclaration,
    /// SHA-256, hexadecimal, of the lines `<sha256>  <file>` of `runtime.toml`, the adapter, the lock file and, where
    /// there is one, `ffasr_runner.py` (as `sha256sum` prints them) and of the line `python <version>`.
    pub digest: String,
    /// Where it is.
    pub directory: PathBuf,
}

/// A runtime cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A file of it cannot be read.
    #[error("{path}: {error}; install the runtime with deploy/runtimes/install", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `runtime.toml` is not right.
    #[error("{path}: {error}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: toml::de::Error,
    },
    /// A name in `runtime.toml` that does not fit.
    #[error("{path}: `{value}` cannot be the {field}: {reason}", path = path.display())]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Why not.
        reason: &'static str,
    },
}

/// The declaration in the directory `directory`, installed or not.
///
/// # Errors
/// If `runtime.toml` is missing or wrong.
pub fn declaration(directory: &Path) -> Result<RuntimeDeclaration, RuntimeError> {
    let path = directory.join("runtime.toml");
    let text = String::from_utf8_lossy(&read(&path)?).into_owned();
    let declaration: RuntimeDeclaration =
        toml::from_str(&text).map_err(|error| RuntimeError::Invalid { path: path.clone(), error })?;
    let misnamed = |field, value: &str, reason| RuntimeError::Misnamed {
        path: path.clone(),
        field,
        value: value.to_owned(),
        reason,
    };
    if directory.file_name().is_none_or(|name| name != declaration.name.as_str()) {
        return Err(misnamed("name", &declaration.name, "it must be the name of the directory"));
    }
    // The sandbox starts this one name; a second one would only be another way to be wrong.
    if declaration.adapter != "adapter.py" {
        return Err(misnamed("adapter", &declaration.adapter, "it must be adapter.py"));
    }
    if declaration.requirements.contains('/') {
        return Err(misnamed("requirements", &declaration.requirements, "it must be a plain file name"));
    }
    Ok(declaration)
}

/// The runtime installed in `directory`.
///
/// # Errors
/// If a file is missing or `runtime.toml` is wrong.
pub fn load(directory: &Path) -> Result<Installed, RuntimeError> {
    let declaration = declaration(directory)?;
    let mut digest = Sha256::new();
    let own = ["runtime.toml", &declaration.adapter, &declaration.requirements];
    let shared = [SHARED].into_iter().filter(|it| directory.join(it).is_file());
    for name in own.into_iter().chain(shared) {
        let content = hex::encode(Sha256::digest(read(&directory.join(name))?));
        digest.update(format!("{content}  {name}\n"));
    }
    digest.update(format!("python {}\n", python_version(directory)?));
    let digest = hex::encode(digest.finalize());
    // The launcher works elsewhere, so a path that starts here would lead nowhere.
    let absolute = std::path::absolute(directory)
        .map_err(|error| RuntimeError::Unreadable { path: directory.to_path_buf(), error })?;
    Ok(Installed { declaration, digest, directory: absolute })
}

/// Every runtime installed below `root`, by name. A directory without `runtime.toml` is not one.
///
/// # Errors
/// If one of them is broken: better no worker than one that surprises.
pub fn installed(root: &Path) -> Result<Vec<Installed>, RuntimeError> {
    let unreadable = |error| RuntimeError::Unreadable { path: root.to_path_buf(), error };
    let mut directories: Vec<PathBuf> = fs::read_dir(root)
        .map_err(unreadable)?
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    directories.sort();
    // The installer builds under a name that starts with a dot.
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    directories
        .iter()
        .filter(|it| !hidden(it) && it.join("runtime.toml").is_file())
        .map(|it| load(it))
        .collect()
}

/// Where runtimes are installed unless told otherwise: `$FFASR_RUNTIMES`, else `/var/lib/ffasr/runtimes` for root, else
/// `$XDG_DATA_HOME/ffasr/runtimes` or `~/.local/share/ffasr/runtimes`.
pub fn default_root() -> PathBuf {
    if let Some(root) = env::var_os("FFASR_RUNTIMES").filter(|it| !it.is_empty()) {
        return PathBuf::from(root);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/ffasr/runtimes");
    }
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|it| it.is_absolute()).or_else(home);
    data.unwrap_or_else(|| PathBuf::from("/var/lib")).join("ffasr/runtimes")
}

/// The line `version = 3.11.2` that Python's `venv` leaves in `pyvenv.cfg`.
fn python_version(directory: &Path) -> Result<String, RuntimeError> {
    let path = directory.join("venv/pyvenv.cfg");
    let text = read(&path)?;
    String::from_utf8_lossy(&text)
        .lines()
        .find_map(|line| {
            Some(line.strip_prefix("version")?.trim_start().strip_prefix('=')?.trim().to_owned())
        })
        .ok_or_else(|| RuntimeError::Unreadable { path, error: io::Error::other("no line `version = …`") })
}

fn read(path: &Path) -> Result<Vec<u8>, RuntimeError> {
    fs::read(path).map_err(|error| RuntimeError::Unreadable { path: path.to_path_buf(), error })
}
