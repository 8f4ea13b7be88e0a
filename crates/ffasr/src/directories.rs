//! Where this machine keeps what the service owns.
//!
//! Modes are set on directories made here and on no others: the place was chosen by the operator, and it may be
//! `/tmp` or somebody's home.

use std::{
    env, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::error::Failure;

/// All that a mode may allow to the group and to others.
const TO_OTHERS: u32 = 0o077;
/// Leave to pass through, for those not in the group.
const OTHERS_PASS: u32 = 0o001;

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

/// Makes a directory that others may pass through: started by root, the database and the sandbox live below it under
/// users of their own.
pub(crate) fn open_to_pass(path: &Path) -> Result<(), Failure> {
    make(path, 0o755)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    match closed_to_others(path).map_err(|error| unusable(path, &error))? {
        None => Ok(()),
        Some(closed) => Err(Failure::failed(format!(
            "{0} is not searchable for other users, and the database's and the sandbox's must get to {1}; `chmod o+x {0}` or choose another data directory",
            closed.display(),
            path.display()
        ))),
    }
}

/// Makes a directory for this user alone: audio, references, tokens.
pub(crate) fn private(path: &Path) -> Result<(), Failure> {
    make(path, 0o700)?;
    let mode = mode(path).map_err(|error| unusable(path, &error))?;
    if mode & TO_OTHERS == 0 {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "{0} is open to other users and is to hold what they must not see; `chmod go= {0}` or choose another data directory",
            path.display()
        )))
    }
}

fn make(path: &Path, mode: u32) -> Result<(), Failure> {
    make_missing(path, mode).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("the directory {} cannot be used: {error}", path.display()))
}

/// Makes what is missing of `path`: parents open to pass, itself with `mode`, both whatever the umask.
fn make_missing(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        make_missing(parent, 0o755)?;
    }
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        // Another process was faster.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The directory on the way to `path`, itself included, that other users may not pass through.
fn closed_to_others(path: &Path) -> io::Result<Option<PathBuf>> {
    let path = path.canonicalize()?;
    for directory in path.ancestors() {
        if mode(directory)? & OTHERS_PASS == 0 {
            return Ok(Some(directory.to_owned()));
        }
    }
    Ok(None)
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(mode: u32) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        // Apart from its making, since the umask would have its way.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        directory
    }

    #[test]
    fn a_directory_that_was_there_keeps_its_mode() {
        for permissions in [0o700, 0o711, 0o755, 0o1777] {
            let home = existing(permissions);
            let _ = open_to_pass(home.path());
            let _ = private(home.path());
            assert_eq!(mode(home.path()).unwrap() & 0o7777, permissions);
        }
    }

    #[test]
    fn what_is_missing_is_made_with_the_mode_it_needs() {
        let place = existing(0o755);
        let (open, closed) = (place.path().join("a/b"), place.path().join("c/d"));
        open_to_pass(&open).unwrap();
        private(&closed).unwrap();
        assert_eq!(mode(&open).unwrap() & 0o7777, 0o755);
        assert_eq!(mode(&closed).unwrap() & 0o7777, 0o700);
        assert_eq!(mode(closed.parent().unwrap()).unwrap() & 0o7777, 0o755);
    }

    #[test]
    fn the_directory_that_others_cannot_pass_is_named() {
        let home = existing(0o700);
        let place = home.path().join("data");
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        // Canonical, since the way to the temporary directory may lead over a link.
        assert_eq!(closed_to_others(&place).unwrap(), Some(home.path().canonicalize().unwrap()));
        assert_eq!(closed_to_others(Path::new("/usr/bin")).unwrap(), None);
    }

    #[test]
    fn secrets_are_not_put_where_others_read() {
        let message = private(existing(0o755).path()).unwrap_err().to_string();
        assert!(message.contains("chmod go= "), "{message}");
        private(existing(0o700).path()).unwrap();
    }
}
