//! `ffasr acoustics materials`: the built-in materials and where they come from.

use acoustics::{OCTAVES, material_origins, materials, octave_name};
use clap::Args;

use super::table::{Cell, Table};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only materials whose name contains this.
    #[arg(value_name = "WORD")]
    word: Option<String>,
    /// Tell the scattering coefficients instead.
    #[arg(long)]
    scattering: bool,
    /// Tell where each row comes from.
    #[arg(long)]
    origin: bool,
}

pub(crate) fn run(arguments: &Arguments) {
    let chosen = || {
        let wanted = |name: &str| arguments.word.as_ref().is_none_or(|word| name.contains(word.as_str()));
        materials().iter().zip(material_origins()).filter(move |(material, _)| wanted(material.name()))
    };
    if arguments.origin {
        for (material, origin) in chosen() {
            println!("{}\n    {}", material.name(), origin.source);
            for (what, text) in [("row", &origin.table_entry), ("estimated", &origin.estimated)] {
                if let Some(text) = text {
                    println!("    {what}: {text}");
                }
            }
        }
        return;
    }
    let names: Vec<String> = (0..OCTAVES.len()).map(octave_name).collect();
    let heading: Vec<&str> = ["material"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heading);
    for (material, _) in chosen() {
        let values = if arguments.scattering { material.scattering() } else { material.absorption() };
        let cells = values.iter().map(|&value| Cell::number(Some(value), 2));
        table.row([Cell::text(material.name())].into_iter().chain(cells));
    }
    print!("{table}");
}
