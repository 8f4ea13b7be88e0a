//! Renders every page with example data, to be looked at: `cargo run -p web --example preview -- DIRECTORY`.
//!
//! Style sheets are referred to relative to the file, so that the files can be opened as they are; links between
//! pages are those of the service and lead nowhere here.

mod data;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("name a directory to write the pages to")?);
    fs::create_dir_all(directory.join("static"))?;
    let assets = [
        ("ffasr.css", include_str!("../../../../static/ffasr.css")),
        ("ffasr.js", include_str!("../../../../static/ffasr.js")),
        ("favicon.svg", include_str!("../../../../static/favicon.svg")),
        ("chart.css", charts::STYLESHEET),
    ];
    for (name, content) in assets {
        fs::write(directory.join("static").join(name), content)?;
    }
    let model = "Lauschangriff large";
    for page in data::pages(model) {
        let page = page?;
        let html = page.html.replace("\"/static/", "\"static/");
        fs::write(directory.join(format!("{}.html", page.name)), html)?;
    }
    fs::write(directory.join("pareto.svg"), data::standalone_chart(model))?;
    Ok(())
}
