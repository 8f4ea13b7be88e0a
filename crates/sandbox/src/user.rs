//! Who starts the sandbox: never uid 0, because the launcher's uid is what a process inside the sandbox is to
//! the host (as host root it could write `/proc/sys/kernel/core_pattern`).

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The system user that a supervisor started as root drops to.
pub const SANDBOX_USER: &str = "ffasr-sandbox";

/// The host identity of the launcher and of everything in the sandbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether the supervisor is root and has to drop to it.
    pub(crate) dropped: bool,
}

/// There is no unprivileged user to start the sandbox as.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("/etc/passwd could not be read: {0}")]
    Passwd(#[from] std::io::Error),
    #[error(
        "started as root, but there is no system user `{SANDBOX_USER}` to drop to; create it with: useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {SANDBOX_USER}"
    )]
    Missing,
    #[error("the user `{SANDBOX_USER}` has uid 0; it must be an ordinary system user")]
    Root,
}

impl Identity {
    /// The current user, or [`SANDBOX_USER`] when that is root.
    pub(crate) fn find() -> Result<Self, IdentityError> {
        if rustix::process::geteuid().is_root() || rustix::process::getuid().is_root() {
            return Self::from_passwd(&fs::read_to_string("/etc/passwd")?);
        }
        Ok(Self {
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            dropped: false,
        })
    }

    fn from_passwd(passwd: &str) -> Result<Self, IdentityError> {
        let (uid, gid) = passwd
            .lines()
            .find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == SANDBOX_USER).then_some(())?;
                Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
            })
            .ok_or(IdentityError::Missing)?;
        if uid == 0 || gid == 0 { Err(IdentityError::Root) } else { Ok(Self { uid, gid, dropped: true }) }
    }

    /// The first directory on the way to `path` that this identity may not enter, if any. Mount sources are
    /// looked up by the launcher, so it must be able to walk there.
    pub(crate) fn barred_from(self, path: &Path) -> Option<PathBuf> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        ancestors
            .into_iter()
            .find(|directory| fs::metadata(directory).is_ok_and(|it| it.is_dir() && !self.may_enter(&it)))
            .map(Path::to_path_buf)
    }

    fn may_enter(self, directory: &fs::Metadata) -> bool {
        // Supplementary groups are given up, so owner, group and the others are all there is.
        let bit = match directory {
            it if it.uid() == self.uid => 0o100,
            it if it.gid() == self.gid => 0o010,
            _ => 0o001,
        };
        directory.mode() & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_user_is_looked_up_by_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nffasr-sandbox:x:998:997::/nonexistent:/usr/sbin/nologin\n";
        let identity = Identity::from_passwd(passwd).unwrap();
        assert_eq!((identity.uid, identity.gid, identity.dropped), (998, 997, true));
    }

    #[test]
    fn without_the_sandbox_user_the_error_names_the_command_that_creates_it() {
        let error = Identity::from_passwd("root:x:0:0:root:/root:/bin/bash\n").unwrap_err();
        assert!(error.to_string().contains("useradd --system"), "{error}");
    }

    #[test]
    fn a_sandbox_user_that_is_root_is_refused() {
        assert!(matches!(Identity::from_passwd("ffasr-sandbox:x:0:0::/:/bin/sh"), Err(IdentityError::Root)));
    }
}
