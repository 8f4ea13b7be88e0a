//! The built-in rooms: a table of them, and their plans and sections if a folder is given.
//!
//! `cargo run -p acoustics --example rooms -- FOLDER`

use std::path::PathBuf;

use acoustics::drawing::{Embedding, plan, section};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    for room in acoustics::rooms() {
        let hall = room.room();
        let time = hall.eyring_time().map(|seconds| format!("{seconds:.2}")).join(" ");
        println!(
            "{:18} {:6.1} m³ {:6.1} m² {:4} polygons {:3} solids, Eyring 63 Hz to 8 kHz: {time} s",
            room.name(),
            hall.volume(),
            hall.surface_area(),
            hall.polygons().count(),
            hall.solids().len(),
        );
        if let Some(folder) = &folder {
            let write = |kind: &str, svg: String| {
                std::fs::write(folder.join(format!("{}-{kind}.svg", room.name())), svg)
            };
            write("plan", plan(room, Embedding::Standalone))?;
            write("section", section(room, Embedding::Standalone))?;
        }
    }
    Ok(())
}
