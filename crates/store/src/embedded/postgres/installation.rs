//! The system's PostgreSQL programs, and the user they run as.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{ClusterError, system};

/// The user PostgreSQL runs as when this process is root; Debian's package creates it.
pub(super) const SERVER_USER: &str = "postgres";

/// Whom the server runs as.
#[derive(Clone, Copy)]
pub(super) enum ServerUser {
    Same,
    Dropped { uid: u32, gid: u32 },
}

impl ServerUser {
    /// # Errors
    /// When this process is root and there is nobody to drop to.
    pub(super) fn find() -> Result<Self, ClusterError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Same);
        }
        let accounts = fs::read_to_string("/etc/passwd").map_err(system("reading /etc/passwd"))?;
        accounts
            .lines()
            .find_map(|line| {
                let mut fields = line.split(':');
                (fields.next() == Some(SERVER_USER)).then_some(())?;
                let uid = fields.nth(1)?.parse().ok()?;
                let gid = fields.next()?.parse().ok()?;
                Some(Self::Dropped { uid, gid })
            })
            .ok_or(ClusterError::NoUser)
    }

    pub(super) fn uid(self) -> u32 {
        match self {
            Self::Same => rustix::process::geteuid().as_raw(),
            Self::Dropped { uid, .. } => uid,
        }
    }
}

/// The directory of the server's programs, of version `wanted` where several are installed.
///
/// # Errors
/// When there are none, or none where `PG_BIN_DIR` says.
pub(super) fn find_binaries(wanted: Option<&str>) -> Result<PathBuf, ClusterError> {
    if let Some(configured) = env::var_os("PG_BIN_DIR").map(PathBuf::from) {
        return if is_complete(&configured) {
            Ok(configured)
        } else {
            Err(ClusterError::NotBinaries(configured))
        };
    }
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    let on_path = env::var_os("PATH").unwrap_or_default();
    in_order(versions, wanted)
        .into_iter()
        .chain(env::split_paths(&on_path))
        .find(|directory| is_complete(directory))
        .ok_or(ClusterError::NoBinaries)
}

fn is_complete(directory: &Path) -> bool {
    directory.join("postgres").is_file() && directory.join("initdb").is_file()
}

/// The wanted version first, then from the newest to the oldest.
fn in_order(mut versions: Vec<(u32, PathBuf)>, wanted: Option<&str>) -> Vec<PathBuf> {
    versions.sort_by_key(|(version, _)| (wanted == Some(&version.to_string()), *version));
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

/// Major version of the programs in `binaries`.
///
/// # Errors
/// When they cannot be run.
pub(super) fn version(binaries: &Path) -> Result<String, ClusterError> {
    let output = Command::new(binaries.join("postgres"))
        .arg("--version")
        .output()
        .map_err(system("asking postgres for its version"))?;
    // "postgres (PostgreSQL) 15.18 (Debian …)"
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().nth(2).unwrap_or_default();
    Ok(version.split('.').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_made_a_directory_is_preferred_to_the_newest() {
        let installed = || [15, 9, 17].map(|it| (it, PathBuf::from(it.to_string()))).to_vec();
        let order = |wanted| {
            in_order(installed(), wanted).iter().map(|it| it.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(order(Some("15")), ["15", "17", "9"]);
        assert_eq!(order(Some("16")), ["17", "15", "9"]);
        assert_eq!(order(None), ["17", "15", "9"]);
    }
}
