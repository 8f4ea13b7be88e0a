//! Files and directories that are there as a whole or not at all.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::{NamedTempFile, TempDir};

use crate::error::Failure;

/// Writes a file under another name beside its own and renames it, so that nobody ever sees half of it.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| cannot_write(path, &error);
    let mut file = NamedTempFile::new_in(folder_of(path)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A directory that appears under its name once everything is in it, and leaves nothing behind if that never happens.
pub(crate) struct NewDirectory {
    destination: PathBuf,
    hidden: TempDir,
}

impl NewDirectory {
    /// Begins one; `destination` must not exist yet, the directory around it must.
    pub(crate) fn begin(destination: &Path) -> Result<Self, Failure> {
        if destination.exists() {
            return Err(Failure::input(format!(
                "{} exists already; choose another --out or remove it",
                destination.display()
            )));
        }
        let hidden = tempfile::Builder::new()
            .prefix(".ffasr-")
            .tempdir_in(folder_of(destination))
            .map_err(|error| Failure::input(format!("{} cannot be made: {error}", destination.display())))?;
        Ok(Self { destination: destination.to_owned(), hidden })
    }

    /// Writes a file into it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        std::fs::write(self.hidden.path().join(name), bytes)
            .map_err(|error| cannot_write(&self.destination.join(name), &error))
    }

    /// Writes a JSON file into it.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
        self.write(name, (json + "\n").as_bytes())
    }

    /// Gives it its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| cannot_write(&self.destination, &error);
        // Temporary directories are for their owner alone; this one has become an ordinary one.
        make_ordinary(self.hidden.path()).map_err(failed)?;
        std::fs::rename(self.hidden.path(), &self.destination).map_err(failed)?;
        // It is gone from where it would be removed.
        let _ = self.hidden.keep();
        Ok(())
    }
}

/// Permissions as of a directory that somebody makes: for the owner to write, for all to read.
fn make_ordinary(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name as part of the name of a file: lower case, with `-` for everything but letters and digits.
pub(crate) fn slug(name: &str) -> String {
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_appears_whole_or_not_at_all() {
        let around = tempfile::tempdir().unwrap();
        let destination = around.path().join("out");
        let begun = NewDirectory::begin(&destination).unwrap();
        begun.write("a.txt", b"a").unwrap();
        assert!(!destination.exists());
        drop(begun);
        assert_eq!(std::fs::read_dir(around.path()).unwrap().count(), 0);

        let begun = NewDirectory::begin(&destination).unwrap();
        begun.write("a.txt", b"a").unwrap();
        begun.finish().unwrap();
        assert_eq!(std::fs::read(destination.join("a.txt")).unwrap(), b"a");
        assert_eq!(std::fs::read_dir(around.path()).unwrap().count(), 1);
        assert!(NewDirectory::begin(&destination).is_err());
    }

    #[test]
    fn names_of_files_hold_letters_digits_and_hyphens() {
        assert_eq!(slug("Talker at the window (2)"), "talker-at-the-window-2");
    }
}
