//! Tools in Python that the tests call, installed by `deploy/setup test`.

use std::path::{Path, PathBuf};

/// A program of the tools' virtual environment, `target/test-tools`.
pub fn tool(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).map(Path::to_owned).unwrap_or_default();
    let path = target.join("test-tools/bin").join(name);
    assert!(path.exists(), "{} is missing; `deploy/setup test` installs it", path.display());
    path
}

/// A file of `deploy/test-tools`.
pub fn tool_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/test-tools").join(name)
}
