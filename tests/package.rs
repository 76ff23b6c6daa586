//! The Debian package: it holds what `make install` brings and no more, its scripts do what Debian does, and it asks for no
//! more than the oldest system has. How it is installed, called and removed is in `package_systemd.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::folder::Folder;
use support::{package, peers};

const VERSION: &str = "0.0.7";

/// What dpkg-deb says of a package; the arguments stand before its file.
fn asked(package: &Path, before: &[&str], after: &[&str]) -> String {
    let output = Command::new("dpkg-deb").args(before).arg(package).args(after).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One package for all of these tests; `None` where it cannot be made.
fn made() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        package::can_be_made().then(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
            package::make(VERSION, &folder)
        })
    };
    MADE.get_or_init(make).as_deref()
}

/// Files below a folder, named from there.
fn files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files(root, &entry.path(), found),
            false => {
                let name = entry.path().strip_prefix(root).unwrap().display().to_string();
                found.insert(format!("./{name}"));
            }
        }
    }
}

#[test]
fn it_holds_what_make_install_brings() {
    let Some(package) = made() else { return };
    let folder = Folder::new("installed");
    let output = Command::new("make")
        .args(["-s", "install"])
        .arg(format!("DESTDIR={}", folder.path().display()))
        .arg(format!("PROGRAM={}", package::program().display()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut installed = BTreeSet::new();
    files(folder.path(), folder.path(), &mut installed);
    assert!(installed.len() > 30 && installed.contains("./usr/share/man/man1/attendant.1"));
    let listed = asked(package, &["--contents"], &[]);
    let mut packed = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.starts_with('d')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], "root/root", "{line}");
        packed.insert(words[5].trim_end_matches(".gz").to_owned());
    }
    // Debian's own.
    for name in ["changelog.Debian", "changelog", "copyright"] {
        packed.remove(&format!("./usr/share/doc/attendant/{name}"));
    }
    assert_eq!(packed, installed);
    let mode = |name: &str| {
        let line = listed.lines().find(|line| line.ends_with(name)).unwrap();
        line[..10].to_owned()
    };
    assert_eq!(mode("./usr/bin/attendant"), "-rwxr-xr-x");
    assert_eq!(mode("./etc/attendant/attendant.toml"), "-rw-rw----");
}

#[test]
fn the_configuration_is_the_owners_and_says_nothing() {
    let Some(package) = made() else { return };
    let conffiles = asked(package, &["--info"], &["conffiles"]);
    assert_eq!(conffiles.trim(), "/etc/attendant/attendant.toml");
    // It is the same in every version, so that nobody is asked: comments, and no key.
    let text = include_str!("../image/deb/attendant.toml");
    assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
}

#[test]
fn it_asks_for_what_the_program_needs() {
    let Some(package) = made() else { return };
    let depends = asked(package, &["--field"], &["Depends"]);
    for needed in ["libc6 (>= 2.35)", "libflite1 (>= 2.2)", "libgcc-s1", "espeak-ng", "tzdata"] {
        assert!(depends.contains(needed), "{depends}");
    }
    assert_eq!(asked(package, &["--field"], &["Version"]).trim(), VERSION);
}

/// A program of C, and what making a package of it says.
fn refused(code: &str, library: &str) -> String {
    let folder = Folder::new("refused");
    let program = folder.at("program");
    let source = folder.write("program.c", code);
    let built =
        Command::new("cc").arg("-o").args([&program, &source]).arg(library).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = package::tool(&program, VERSION, folder.path());
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_program_that_needs_a_newer_system_is_not_packed() {
    if !package::can_be_made() {
        return;
    }
    // This came with glibc 2.36.
    let said = refused("#include <stdlib.h>\nint main(void) { return arc4random() == 0; }", "-lc");
    assert!(said.contains("GLIBC_2.36"), "{said}");
    let said = refused(
        "#include <flite/flite.h>\nvoid register_cmu_us_kal(void);\n\
         int main(void) { register_cmu_us_kal(); return 0; }",
        "-lflite_cmu_us_kal",
    );
    assert!(said.contains("libflite_cmu_us_kal.so.1, which"), "{said}");
}

/// The scripts as they are packed, with what debhelper has written into them.
#[test]
fn the_scripts_make_users_first_and_start_last() {
    let Some(package) = made() else { return };
    let script = |name| asked(package, &["--info"], &[name]);
    let after = script("postinst");
    let at = |text: &str| after.find(text).unwrap_or_else(|| panic!("{text}: {after}"));
    let order = [
        at("systemd-sysusers"),
        at("systemd-tmpfiles"),
        at("deb-systemd-helper enable 'attendant.target'"),
        at("deb-systemd-invoke $_dh_action"),
    ];
    assert!(order.is_sorted(), "{after}");
    for unit in [
        "attendant.target",
        "attendant.service",
        "attendant-speech.service",
        "attendant-speech.socket",
    ] {
        assert!(after.contains(&format!("deb-systemd-helper enable '{unit}'")), "{after}");
    }
    // It comes by itself only.
    assert!(!after.contains("attendant-safe"), "{after}");
    assert!(script("prerm").contains("deb-systemd-invoke stop attendant-safe.service"));
    assert!(script("postrm").contains("rm -rf \"$root/etc/attendant\""));
    if !peers::is_installed("shellcheck", "shellcheck") {
        return;
    }
    for name in ["postinst", "prerm", "postrm"] {
        let folder = Folder::new("script");
        let file = folder.write(name, script(name));
        // debhelper's own lines: a list of units unquoted.
        let output =
            Command::new("shellcheck").args(["--severity=warning"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_manual_pages_can_be_set() {
    if !peers::is_installed("man", "man-db") {
        return;
    }
    let folder = Folder::new("manual");
    let program = env!("CARGO_BIN_EXE_attendant");
    assert!(Command::new(program).arg("manual").arg(folder.path()).status().unwrap().success());
    for page in ["man1/attendant.1", "man1/attendant-run.1", "man5/attendant.toml.5"] {
        let output = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8"])
            .arg(folder.at(page))
            .env("MANWIDTH", "100")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let warned = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && warned.is_empty(), "{page}: {warned}");
        assert!(output.stdout.len() > 1_000, "{page}");
    }
}

/// Our scripts have no fault that shellcheck knows.
#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    if !peers::is_installed("shellcheck", "shellcheck") {
        return;
    }
    let output = Command::new("shellcheck")
        .args(["--severity=warning", "--external-sources"])
        .args(["tools/deb", "tools/cross", "tools/deps", "tools/demo"])
        .args(["tests/systemd/boot", "tests/systemd/container", "tests/systemd/tree"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A mirror that is not there, gives nothing, or is not known leaves no clean system that looks like one.
#[test]
fn a_clean_system_is_whole_or_not_there() {
    let makes = "mkdir -p \"$into/var/cache/apt/archives\"; touch \"$into/var/cache/apt/archives/espeak-ng_1_all.deb\"";
    let known = "echo http://127.0.0.1:1/debian/";
    for (lists, bootstrap, is_made) in [
        (known, makes, true),
        (known, "mkdir -p \"$into/var\"", false),
        (known, "mkdir -p \"$into/var\"; exit 25", false),
        ("true", makes, false),
    ] {
        let folder = Folder::new("trees");
        for name in ["tools", "bin"] {
            fs::create_dir(folder.at(name)).unwrap();
        }
        let tool = folder.at("tools/deps");
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/deps"), &tool).unwrap();
        let stubs = [
            ("apt-get", lists),
            ("mmdebstrap", &*format!("into=\"${{@: -2:1}}\"; {bootstrap}")),
            ("dpkg-query", "echo installed"),
            ("unshare", "shift; exec \"$@\""),
            ("sleep", "true"),
        ];
        for (name, body) in stubs {
            let stub = folder.write(&format!("bin/{name}"), format!("#!/bin/bash\n{body}\n"));
            fs::set_permissions(stub, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", folder.at("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new(tool).arg("trees").env("PATH", path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), is_made, "{lists}; {bootstrap}: {said}");
        assert_eq!(folder.at("target/trees/bookworm.made").exists(), is_made, "{said}");
    }
}
