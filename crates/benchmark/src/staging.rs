//! A directory that appears complete or not at all.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::Error;

/// A directory under construction beside its destination. Dropped before [`Staging::finish`], it vanishes.
pub(crate) struct Staging {
    directory: TempDir,
    destination: PathBuf,
}

impl Staging {
    /// Starts a directory that is to become `destination`, with an empty `audio/` in it.
    pub(crate) fn start(destination: &Path) -> Result<Self, Error> {
        if destination.exists() {
            return Err(Error::Exists(destination.to_owned()));
        }
        let parent = match destination.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        let directory = tempfile::Builder::new()
            .prefix(".unfinished-")
            // What `mkdir` asks for; the process's umask narrows it.
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(parent)
            .map_err(Error::io(parent))?;
        let audio = directory.path().join("audio");
        fs::create_dir(&audio).map_err(Error::io(&audio))?;
        Ok(Self { directory, destination: destination.to_owned() })
    }

    /// Writes a file under its path relative to the directory.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.directory.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        fs::write(&path, content).map_err(Error::io(&path))
    }

    /// Takes a file over: as a link where the file system allows it, since what is named by its content never changes.
    pub(crate) fn take(&self, from: &Path, name: &Path) -> Result<(), Error> {
        let to = self.directory.path().join(name);
        // Two items may have the same content, hence the same file.
        if !to.exists() && fs::hard_link(from, &to).is_err() {
            fs::copy(from, &to).map_err(Error::io(from))?;
        }
        Ok(())
    }

    /// Writes one JSON object a line.
    pub(crate) fn write_lines<T: Serialize>(
        &self,
        name: &str,
        records: impl IntoIterator<Item = T>,
    ) -> Result<(), Error> {
        let mut content = Vec::new();
        for record in records {
            serde_json::to_writer(&mut content, &record)
                .map_err(|error| Error::file(name, error.to_string()))?;
            content.push(b'\n');
        }
        self.write(name, &content)
    }

    /// Moves the directory to its destination in one step.
    pub(crate) fn finish(self) -> Result<(), Error> {
        fs::rename(self.directory.path(), &self.destination).map_err(Error::io(&self.destination))
    }
}

/// SHA-256, hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}
