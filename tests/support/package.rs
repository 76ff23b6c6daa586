//! Debian packages, made by `tools/deb` of the program of these tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::peers;

/// Whether what makes packages is there; told where it is not.
pub fn can_be_made() -> bool {
    peers::is_installed("dh", "debhelper") && peers::is_installed("dpkg-buildpackage", "dpkg-dev")
}

/// What is packed: `PACKAGED_PROGRAM`, else the program that was built for tests.
pub fn program() -> PathBuf {
    let program = std::env::var_os("PACKAGED_PROGRAM");
    program.unwrap_or_else(|| env!("CARGO_BIN_EXE_attendant").into()).into()
}

/// The package of this version, in the folder.
pub fn make(version: &str, folder: &Path) -> PathBuf {
    let output = tool(&program(), version, folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// Quickly packed: these packages do not travel.
pub fn tool(program: &Path, version: &str, folder: &Path) -> Output {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/deb"))
        .args([program, folder])
        .env("VERSION", version)
        .env("COMPRESS", "-Zgzip -z1")
        .output()
        .unwrap()
}
