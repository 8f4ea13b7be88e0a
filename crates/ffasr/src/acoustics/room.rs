//! Rooms by name or from files.

use std::path::Path;

use acoustics::{FurnishedRoom, RoomAcoustics, SoundField, rooms};

use crate::error::Failure;

/// The built-in room of that name, or the room in the file of that name. Names of files end with `.toml`.
pub(crate) fn load_room(name: &str) -> Result<FurnishedRoom, Failure> {
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return read_room(path);
    }
    rooms().iter().find(|room| room.name() == name).cloned().ok_or_else(|| {
        let names: Vec<_> = rooms().iter().map(FurnishedRoom::name).collect();
        Failure::input(format!(
            "there is no built-in room \"{name}\"; there are: {}. The name of a room file ends with .toml",
            names.join(", ")
        ))
    })
}

fn read_room(path: &Path) -> Result<FurnishedRoom, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
    // Meshes are named relative to the room file.
    let folder = path.parent().unwrap_or(Path::new(""));
    let mesh = |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    FurnishedRoom::from_toml(&text, &mesh)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

/// Mean of a quantity at 500 Hz and 1 kHz, where it could be measured in both.
pub(crate) fn mid(acoustics: &RoomAcoustics, quantity: fn(&SoundField) -> Option<f64>) -> Option<f64> {
    let at = |band: usize| quantity(&acoustics.octaves.get(band)?.field);
    Some(0.5 * (at(3)? + at(4)?))
}
