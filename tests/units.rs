//! The units, rules and folders that `make install` brings: systemd's own tools find nothing wrong with them, the
//! sandbox is as tight as is promised, and what is installed is complete.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::folder::Folder;
use support::peers;

/// Units and the most of `systemd-analyze security`, in tenths.
const EXPOSED: [(&str, u32); 3] =
    [("attendant.service", 15), ("attendant-speech.service", 10), ("attendant-safe.service", 15)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// All that `make install` brings, below a folder of its own, with the program of these tests.
fn installed() -> Folder {
    let folder = Folder::new("installed");
    make("install", &folder);
    folder
}

fn make(target: &str, folder: &Folder) {
    let output = Command::new("make")
        .arg(target)
        .arg(format!("DESTDIR={}", folder.at("").display()))
        .arg(format!("PROGRAM={}", env!("CARGO_BIN_EXE_attendant")))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if !peers::is_installed("systemd-analyze", "systemd") {
        return;
    }
    let folder = installed();
    let units = folder.at("usr/lib/systemd/system");
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(&units).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    // The program stands where the unit is told that it is.
    for path in &names {
        let text = std::fs::read_to_string(path).unwrap();
        let here =
            text.replace("=/usr/bin/attendant", &format!("={}", env!("CARGO_BIN_EXE_attendant")));
        std::fs::write(path, here).unwrap();
    }
    let output =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&names).output().unwrap();
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    for dropped in ["attendant.service.d", "attendant-speech.service.d"] {
        let with = folder.at("usr/share/doc/attendant").join(dropped);
        assert!(Command::new("cp").arg("-r").arg(with).arg(&units).status().unwrap().success());
    }
    let output =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&names).output().unwrap();
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn the_sandbox_is_as_tight_as_is_promised() {
    if !peers::is_installed("systemd-analyze", "systemd") {
        return;
    }
    for (unit, most) in EXPOSED {
        let output = Command::new("systemd-analyze")
            .args(["security", "--no-pager", "--offline=yes"])
            .arg(format!("--threshold={most}"))
            .arg(root().join("systemd").join(unit))
            .output()
            .unwrap();
        let text = said(&output);
        println!("{}", text.lines().rev().find(|line| line.contains("exposure")).unwrap_or(&text));
        assert!(output.status.success(), "{unit}: more than {most} tenths: {text}");
    }
}

/// The drop-in for handsets, as it is read into the front's unit, keeps the promise, too.
#[test]
fn sound_cards_for_the_front_leave_the_sandbox_as_tight_as_is_promised() {
    if !peers::is_installed("systemd-analyze", "systemd") {
        return;
    }
    let read = |name: &str| std::fs::read_to_string(root().join("systemd").join(name)).unwrap();
    let dropped = read("attendant.service.d/handset.conf");
    let (_, keys) = dropped.split_once("[Service]\n").unwrap();
    let unit = read("attendant.service").replace("PrivateDevices=yes\n", keys);
    assert!(unit.contains("DeviceAllow=char-alsa rw") && unit.contains("DevicePolicy=closed"));
    let folder = Folder::new("with-handset");
    let path = folder.write("attendant.service", unit);
    let output = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=yes", "--threshold=15"])
        .arg(path)
        .output()
        .unwrap();
    let text = said(&output);
    println!("{}", text.lines().rev().find(|line| line.contains("exposure")).unwrap_or(&text));
    assert!(output.status.success(), "more than 15 tenths: {text}");
}

/// What a unit asks for that is no restriction, by the name of its key.
const PERMISSIONS: [&str; 7] = [
    "DeviceAllow",
    "RestrictAddressFamilies",
    "LimitRTPRIO",
    "LimitMEMLOCK",
    "LimitNOFILE",
    "LoadCredential",
    "ReadWritePaths",
];

/// Permissions without a reason: a comment stands directly above it, or above the one of the same key or group before it.
fn unreasoned(text: &str) -> Vec<&str> {
    let key = |line: &str| line.split_once('=').map_or("", |(key, _)| key).to_owned();
    let mut found = Vec::new();
    let mut reasoned: Option<String> = None;
    let mut is_comment = false;
    for line in text.lines() {
        let name = key(line);
        if line.starts_with('#') {
            is_comment = true;
            continue;
        }
        if PERMISSIONS.contains(&&*name) {
            if is_comment || reasoned.as_ref() == Some(&name) {
                reasoned = Some(name);
            } else {
                found.push(line);
                reasoned = None;
            }
        } else {
            reasoned = None;
        }
        is_comment = false;
    }
    found
}

/// Each permission of a unit says why it is there.
#[test]
fn every_permission_of_a_unit_has_its_reason() {
    for (unit, _) in EXPOSED {
        let text = std::fs::read_to_string(root().join("systemd").join(unit)).unwrap();
        assert_eq!(unreasoned(&text), Vec::<&str>::new(), "{unit}");
    }
    let bad = "# Sound.\nTasksMax=9\nDeviceAllow=/dev/a rw\n# Keys.\nDeviceAllow=/dev/b rw\nDeviceAllow=/dev/c rw\n\n";
    assert_eq!(unreasoned(bad), ["DeviceAllow=/dev/a rw"]);
}

/// `udevadm verify` came with systemd 254; an older system has one in `target/udev` (`tools/deps test`).
fn udevadm() -> Option<Command> {
    let own = Command::new("udevadm").args(["verify", "--help"]).output();
    if own.is_ok_and(|output| output.status.success()) {
        return Some(Command::new("udevadm"));
    }
    let unpacked = root().join("target/udev");
    let program = unpacked.join("bin/udevadm");
    if !program.exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no udevadm that verifies; `make test-deps` fetches it"
        );
        eprintln!("left out: no udevadm that verifies; `make test-deps` fetches it");
        return None;
    }
    let mut command = Command::new(program);
    let libraries = glob(&unpacked.join("usr/lib"), "libsystemd-shared");
    command.env("LD_LIBRARY_PATH", libraries.unwrap_or_default());
    Some(command)
}

/// The folder below that has a file which begins like this.
fn glob(folder: &Path, begins: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let is_it = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins))
    };
    if entries.iter().any(is_it) {
        return Some(folder.to_owned());
    }
    entries.iter().filter(|path| path.is_dir()).find_map(|path| glob(path, begins))
}

#[test]
fn udev_finds_nothing_wrong_with_the_rules() {
    let Some(mut udevadm) = udevadm() else { return };
    let output = udevadm.arg("verify").arg(root().join("udev")).output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && text.contains("Fail:    0"), "{text}");
    let bad = Folder::new("rules");
    bad.write("70-bad.rules", "KERNEL==\"a\" FOO=\"b\"\n");
    let refused = udevadm_on(&bad.at(""));
    assert!(!refused.status.success(), "the verifier finds nothing: {}", said(&refused));
}

fn udevadm_on(folder: &Path) -> Output {
    udevadm().unwrap().arg("verify").arg(folder).output().unwrap()
}

#[test]
fn a_configuration_that_is_there_stays_and_all_goes_again() {
    let folder = installed();
    let config = folder.at("etc/attendant/attendant.toml");
    assert_eq!(
        std::fs::read(&config).unwrap(),
        std::fs::read(root().join("attendant.toml")).unwrap()
    );
    std::fs::write(&config, "[calls]\nmax = 2\n").unwrap();
    make("install", &folder);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "[calls]\nmax = 2\n");
    make("uninstall", &folder);
    assert!(config.exists() && !folder.at("usr/bin/attendant").exists());
    let left: Vec<_> =
        std::fs::read_dir(folder.at("usr/lib/systemd/system")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Each kind of secret has its folder or file in the unit, in the drop-in of encrypted ones, and on the disk.
#[test]
fn every_kind_of_credential_is_given_to_the_unit() {
    let read = |name: &str| std::fs::read_to_string(root().join("systemd").join(name)).unwrap();
    let unit = read("attendant.service");
    let encrypted = read("attendant.service.d/encrypted-credentials.conf");
    let folders = read("tmpfiles.d/attendant.conf");
    let has = |text: &str, line: &str| text.lines().any(|found| found.starts_with(line));
    for folder in ["account", "ringcentral", "token", "webhook", "lookup", "bridge"] {
        let at = format!("/etc/attendant/credentials/{folder}");
        assert!(has(&unit, &format!("LoadCredential={folder}:{at}")), "{folder}");
        assert!(has(&encrypted, &format!("LoadCredentialEncrypted={folder}:{at}")), "{folder}");
        assert!(has(&folders, &format!("d {at} ")), "{folder}");
    }
    for file in ["llm_key", "elevenlabs_key", "turn", "mail_password", "recordings_key"] {
        let at = format!("/etc/attendant/credentials/{file}");
        assert!(has(&unit, &format!("LoadCredential={file}:{at}")), "{file}");
        assert!(has(&encrypted, &format!("LoadCredentialEncrypted={file}:{at}")), "{file}");
        for text in [&unit, &encrypted] {
            assert!(has(text, &format!("SetCredential={file}:")), "{file}");
        }
    }
}

/// What the page changes it may write: the folder of the configuration, by the group of both users, and no secret.
#[test]
fn the_page_may_write_the_configuration_and_no_credential() {
    let read = |name: &str| std::fs::read_to_string(root().join("systemd").join(name)).unwrap();
    for unit in ["attendant.service", "attendant-safe.service"] {
        let unit = read(unit);
        assert!(unit.contains("\nReadWritePaths=-/etc/attendant\n"));
        assert!(unit.contains("\nInaccessiblePaths=-/etc/attendant/credentials\n"));
    }
    let folders = read("tmpfiles.d/attendant.conf");
    let words = |path: &str| {
        let line = folders.lines().find(|line| line.split_whitespace().nth(1) == Some(path));
        line.unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words("/etc/attendant")[2..5], ["2770", "root", "attendant"]);
    assert_eq!(words("/etc/attendant/attendant.toml")[2..5], ["0660", "root", "attendant"]);
}
