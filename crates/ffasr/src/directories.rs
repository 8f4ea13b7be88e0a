//! Where this machine keeps what the service owns.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::error::Failure;

/// The data directory: `/var/lib/ffasr` for root, the user's own data directory otherwise.
pub(crate) fn default_data() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/ffasr");
    }
    env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("ffasr")
}

/// Makes a directory that others may pass through: the database's and the sandbox's users live below it.
pub(crate) fn open_to_pass(path: &Path) -> Result<(), Failure> {
    make(path, 0o755)
}

/// Makes a directory for this user alone: audio, references, tokens.
pub(crate) fn private(path: &Path) -> Result<(), Failure> {
    make(path, 0o700)
}

fn make(path: &Path, mode: u32) -> Result<(), Failure> {
    let made = || -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(mode).create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    made().map_err(|error| Failure::failed(format!("{} cannot be made: {error}", path.display())))
}
