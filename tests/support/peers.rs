//! The programs of others that the tests call with.

use std::path::Path;

/// Whether the program is there. Where it is not, the test is left out with a line that says so;
/// where tests must be whole (the variable `CI` is set), it fails.
pub fn is_installed(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    let hint = format!("{program} is not installed ('make test-deps' installs {package})");
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    false
}

/// A port that nobody has, for UDP and TCP alike. Another program may take it before it is used.
pub fn free_port(address: std::net::IpAddr) -> u16 {
    loop {
        let tcp = std::net::TcpListener::bind((address, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if std::net::UdpSocket::bind((address, port)).is_ok() {
            return port;
        }
    }
}

/// A file's end, for a failure's message.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
