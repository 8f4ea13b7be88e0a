//! The directory of a cluster: whether it is ours to use, and who uses it already.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use super::{
    ClusterError,
    installation::{SERVER_USER, ServerUser},
    system,
};

/// All that a mode may allow to the group and to others.
const TO_OTHERS: u32 = 0o077;

/// A log longer than this is put aside at the next start, in bytes.
const LONGEST_LOG: u64 = 1 << 20;

/// The version that made the cluster in `data`; `None` when there is none yet.
///
/// # Errors
/// When it cannot be read, or something else is there.
pub(super) fn version(data: &Path) -> Result<Option<String>, ClusterError> {
    let file = data.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(version) => Ok(Some(version.trim().to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(system(format!("reading {}", file.display()))(error))
        }
        Err(_) if data.exists() => Err(ClusterError::ForeignDirectory(data.to_owned())),
        Err(_) => Ok(None),
    }
}

/// Makes the directory, or checks one that is there. Its owner and mode are changed only while it is empty: what is
/// somebody else's stays as it is.
///
/// The socket lies in here and asks for no password, so nobody but the server's user (and root) may get in.
///
/// # Errors
/// When it is not ours, or not closed to others.
pub(super) fn prepare(directory: &Path, user: ServerUser) -> Result<(), ClusterError> {
    let action = |what: &str| system(format!("{what} {}", directory.display()));
    if !directory.exists() {
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent).map_err(action("making the way to"))?;
        }
        DirBuilder::new().mode(0o700).create(directory).map_err(action("creating"))?;
    }
    let found = fs::metadata(directory).map_err(action("reading"))?;
    if found.uid() == user.uid() && found.mode() & TO_OTHERS == 0 {
        return Ok(());
    }
    if fs::read_dir(directory).map_err(action("reading"))?.next().is_some() {
        return Err(if directory.join("data/PG_VERSION").exists() {
            ClusterError::Exposed { directory: directory.to_owned(), remedy: remedy(directory, user) }
        } else {
            ClusterError::ForeignDirectory(directory.to_owned())
        });
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(action("closing"))?;
    if let ServerUser::Dropped { uid, gid } = user {
        chown(directory, Some(uid), Some(gid)).map_err(action("giving away"))?;
    }
    Ok(())
}

fn remedy(directory: &Path, user: ServerUser) -> String {
    let directory = directory.display();
    match user {
        ServerUser::Same => format!("chmod 700 {directory}"),
        ServerUser::Dropped { .. } => {
            format!("chown {SERVER_USER}: {directory} && chmod 700 {directory}")
        }
    }
}

/// Where the server's log is: beside its directory and not in it, since it is opened by this process, perhaps root,
/// and everything in the directory is the server's to replace.
pub(super) fn log_path(directory: &Path) -> PathBuf {
    directory.with_added_extension("log")
}

/// Opens the log to go on writing it; a long one is put aside first.
///
/// # Errors
/// When it cannot be opened, or is a link.
pub(super) fn open_log(path: &Path) -> Result<File, ClusterError> {
    let action = |what: &str| system(format!("{what} {}", path.display()));
    if fs::symlink_metadata(path).is_ok_and(|it| it.len() > LONGEST_LOG) {
        fs::rename(path, path.with_added_extension("1")).map_err(action("putting aside"))?;
    }
    File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(action("opening"))
}

/// Process id of a living PostgreSQL server on this data directory. A stale `postmaster.pid`, whose number may belong
/// to anybody by now, another PostgreSQL included, is PostgreSQL's own to clear.
pub(super) fn running_server(data: &Path) -> Option<u32> {
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = pid_file.lines().next()?.trim().parse().ok()?;
    let is_ours = match fs::read_link(format!("/proc/{pid}/cwd")) {
        // PostgreSQL's server works in its data directory.
        Ok(directory) => data.canonicalize().is_ok_and(|data| data == directory),
        // Not for us to see, so its name must do.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
        }
        Err(_) => false,
    };
    is_ours.then_some(pid)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn another_postgresql_that_got_the_number_of_a_dead_server_is_not_taken_for_it() {
        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // A process by the name of postgres, as /proc shows it.
        let program = elsewhere.path().join("postgres");
        fs::copy("/bin/sleep", &program).unwrap();
        for (directory, is_ours) in [(data.path(), true), (elsewhere.path(), false)] {
            let mut server = Command::new(&program).arg("1000").current_dir(directory).spawn().unwrap();
            fs::write(data.path().join("postmaster.pid"), format!("{}\n", server.id())).unwrap();
            let found = running_server(data.path());
            server.kill().unwrap();
            server.wait().unwrap();
            assert_eq!(found, is_ours.then_some(server.id()));
            assert_eq!(running_server(data.path()), None, "a dead server is none");
        }
    }

    #[test]
    fn the_log_goes_on_until_it_is_long_and_is_never_written_through_a_link() {
        use std::io::Write;
        let place = tempfile::tempdir().unwrap();
        let log = log_path(&place.path().join("postgres"));
        for _ in 0..2 {
            open_log(&log).unwrap().write_all(b"crashed\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&log).unwrap(), "crashed\ncrashed\n");
        assert_eq!(fs::metadata(&log).unwrap().mode() & 0o777, 0o600, "statements in it may hold references");
        fs::write(&log, vec![b'x'; 1 << 21]).unwrap();
        open_log(&log).unwrap();
        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
        assert_eq!(fs::metadata(place.path().join("postgres.log.1")).unwrap().len(), 1 << 21);

        fs::remove_file(&log).unwrap();
        std::os::unix::fs::symlink(place.path().join("victim"), &log).unwrap();
        assert!(open_log(&log).is_err());
    }
}
