//! What can be told of the image without building it: its scripts and units have no fault that tools find, partitions and
//! updates agree with each other, and what decides about an update decides as is promised. `make image-test` starts it.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::folder::Folder;
use support::peers;

fn image() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("image")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => below(&path, found),
            false => found.push(path),
        }
    }
}

/// The files of the image's sources, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    below(&image(), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
        .collect()
}

/// The values of a key of a systemd file.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn shellcheck_finds_nothing_wrong_with_the_scripts() {
    if !peers::is_installed("shellcheck", "shellcheck") {
        return;
    }
    let scripts: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(_, text)| text.starts_with("#!/bin/bash"))
        .map(|(path, _)| path)
        .collect();
    assert!(scripts.len() > 10, "{scripts:?}");
    let output = Command::new("shellcheck").arg("-x").args(&scripts).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn python_reads_the_programs_that_build_and_try_it() {
    for (path, text) in sources() {
        if text.starts_with("#!/usr/bin/env python3")
            || path.extension().is_some_and(|end| end == "py")
        {
            let read = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
            let output = Command::new("python3").args(["-c", read]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{}: {}", path.display(), said(&output));
        }
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if !peers::is_installed("systemd-analyze", "systemd") {
        return;
    }
    let folder = Folder::new("image-units");
    let own = image().join("mkosi.extra/usr/lib");
    let mut names = Vec::new();
    let theirs = image().parent().unwrap().join("systemd");
    for (from, is_own) in [(theirs, false), (own.join("systemd/system"), true)] {
        for entry in fs::read_dir(from).unwrap().flatten() {
            let path = entry.path();
            if path.is_file() {
                let text = fs::read_to_string(&path).unwrap();
                let scripts = format!("={}/", own.join("attendant").display());
                let text = text.replace("=/usr/lib/attendant/", &scripts).replace(
                    "=/usr/bin/attendant",
                    &format!("={}", env!("CARGO_BIN_EXE_attendant")),
                );
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                let written = folder.write(&name, text);
                // A template is read with a name.
                let shown = name.replace("@.service", "@dev-sdx1.service");
                if shown != name {
                    fs::copy(&written, folder.at(&shown)).unwrap();
                }
                if is_own {
                    names.push(folder.at(&shown));
                }
            }
        }
    }
    assert!(names.len() >= 10, "{names:?}");
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&names)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
        .output()
        .unwrap();
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

/// What a box checks of an update, and what the partitions of the image are called, must fit each other: a name that does
/// not is an update that no box finds.
#[test]
fn updates_and_partitions_agree() {
    let text = |name: &str| fs::read_to_string(image().join(name)).unwrap();
    for (transfer, definition, kind) in [
        ("sysupdate/10-root-verity.transfer", "repart/10-root-verity.conf", "root-verity"),
        ("sysupdate/20-root.transfer", "repart/11-root.conf", "root"),
    ] {
        let (transfer, definition) = (text(transfer), text(definition));
        assert_eq!(values(&definition, "Type"), [kind]);
        assert_eq!(values(&transfer, "MatchPartitionType"), [kind]);
        // %M is the image's name and %A its version; %t.%U the type and the partition's own identifier, by which the
        // kernel's command line finds it.
        assert_eq!(values(&definition, "Label"), ["%M_%A"]);
        assert_eq!(values(&definition, "SplitName"), ["%t.%U"]);
        let type_name = kind.replace("root", "root-x86-64");
        let source = format!("attendant_@v.{type_name}.@u.raw.gz");
        assert_eq!(values(&transfer, "MatchPattern"), [&*source, "attendant_@v"]);
    }
    for name in ["10-root-verity", "20-root", "30-kernel"] {
        let transfer = text(&format!("sysupdate/{name}.transfer"));
        assert_eq!(values(&transfer, "Verify"), ["yes"], "{name}");
        assert_eq!(values(&transfer, "MinVersion"), ["@FLOOR@"], "{name}");
        assert_eq!(values(&transfer, "ProtectVersion"), ["%A"], "{name}");
    }
    assert!(text("floor").trim().split('.').all(|number| number.parse::<u32>().is_ok()));
    // Both slots have one size, so that each version fits into each.
    let size = |name: &str, key| values(&text(name), key).concat();
    for key in ["SizeMinBytes", "SizeMaxBytes"] {
        assert_eq!(size("slots/21-root-b.conf", key), size("repart/11-root.conf", key));
        let hashes = "mkosi.extra/usr/lib/repart.d/20-root-verity-b.conf";
        assert_eq!(size(hashes, key), size("repart/10-root-verity.conf", key));
    }
}

#[test]
fn there_is_no_secret_and_no_mirror_in_the_sources() {
    for (path, text) in sources() {
        let name = path.display();
        assert!(!text.contains("BEGIN PGP PRIVATE KEY"), "{name}");
        assert!(
            !text.contains("deb.debian.org") && !text.contains("security.debian.org"),
            "{name}: packages are from where this machine has its own"
        );
    }
    let conf = fs::read_to_string(image().join("mkosi.conf")).unwrap();
    assert_eq!(values(&conf, "RootPassword"), ["hashed:!*"]);
}

/// A line of bash in which the functions of `update` are there, and what it would ask the machine is answered by the test.
fn update(folder: &Folder, line: &str) -> Output {
    let script = image().join("mkosi.extra/usr/lib/attendant/update");
    let text = format!(
        "source {}; work={}; front=$work; transfers=$work/transfers; as_front() {{ \"$@\"; }}; {line}",
        script.display(),
        folder.path().display(),
    );
    Command::new("bash").args(["-c", &text]).output().unwrap()
}

/// Whoever has taken over the front may lay anything into its folder; that is neither waited for nor left lying.
#[test]
fn what_a_front_lays_in_the_way_stops_no_update() {
    let folder = Folder::new("image-front");
    let now = "as_front() { timeout 1 \"$@\"; }; sleep() { echo again; }; current() { echo 1; }";
    for lay in [
        "echo check >$front/update-request",
        "mkfifo $front/update-request",
        "mkdir -p $front/update-request/x",
        "ln -s /nowhere $front/update-request",
        "head -c 100 /dev/zero >$front/update-request",
    ] {
        let output = update(&folder, &format!("{now}; {lay}; wish"));
        let wished = if lay.starts_with("echo") { "check" } else { "" };
        assert_eq!(said(&output).trim(), wished, "{lay}");
        assert!(fs::symlink_metadata(folder.at("update-request")).is_err(), "{lay}");
    }
    let stays = format!("{now}; mkdir $front/update-request; as_front() {{ :; }}; wish");
    assert_eq!(said(&update(&folder, &stays)).trim(), "again", "without a pause it would spin");
    for lay in
        ["mkfifo $front/update.json.new", "mkdir -p $front/update.json/x $front/update.json.new/x"]
    {
        let line =
            format!("front=$work/front; rm -rf $front; mkdir $front; {lay}; {now}; tell none");
        let output = update(&folder, &line);
        let text = fs::read_to_string(folder.at("front/update.json"));
        assert!(text.is_ok_and(|text| text.contains("none")), "{lay}: {}", said(&output));
    }
}

#[test]
fn a_slot_is_given_up_only_where_there_is_another() {
    let script = image().join("mkosi.extra/usr/lib/attendant/slot");
    for (files, is_given_up, after) in [
        ("a_1.efi", false, "a_1.efi"),
        ("a_1.efi a_2.efi", true, "a_1+0-1.efi a_2.efi"),
        ("a_1+2-1.efi a_2.efi", true, "a_1+0-1.efi a_2.efi"),
        // The other one has been given up before.
        ("a_1.efi a_2+0-3.efi", false, "a_1.efi a_2+0-3.efi"),
        ("a_2.efi", false, "a_2.efi"),
    ] {
        let folder = Folder::new("image-slot");
        let text = format!(
            "source {}; esp={}; variable() {{ echo a_1.efi; }}; mount() {{ :; }}; umount() {{ echo unmounted; }}; \
             modprobe() {{ :; }}; mkdir -p $esp/EFI/Linux; cd $esp/EFI/Linux; touch {files}; mark_bad",
            script.display(),
            folder.path().display(),
        );
        let output = Command::new("bash").args(["-c", &text]).output().unwrap();
        assert_eq!(output.status.success(), is_given_up, "{files}: {}", said(&output));
        assert!(said(&output).contains("unmounted"), "{files}");
        let mut names = Vec::new();
        below(&folder.at("EFI/Linux"), &mut names);
        names.sort();
        let names: Vec<_> =
            names.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names.join(" "), after, "{files}");
    }
}

#[test]
fn the_page_is_told_how_an_update_stands() {
    let folder = Folder::new("image-told");
    let told = |line: &str| {
        update(&folder, &format!("current() {{ echo 1; }}; {line}"));
        let text = fs::read_to_string(folder.at("update.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let none = told("rm -f $work/available; sysupdate() { :; }; look");
    assert_eq!(
        (&none["state"], &none["current"], &none["available"]),
        (&"none".into(), &"1".into(), &"".into())
    );
    let found = told("sysupdate() { echo 2; }; look");
    assert_eq!((&found["state"], &found["available"]), (&"available".into(), &"2".into()));
    // As systemd says it, of the second of three transfers: half of what lies between 5 and 85 percent.
    let line = "Got 50% of http://h/attendant_2.root-x86-64.98742d6929e3732398037d9c9cea7aee.raw.gz. 3s left at 1M/s.";
    let half = told(&format!("echo '{line}' | follow >/dev/null"));
    assert_eq!((&half["state"], &half["percent"]), (&"installing".into(), &45.into()));
    let installed = told("sysupdate() { :; }; sync() { :; }; install");
    assert_eq!(
        (&installed["state"], &installed["percent"]),
        (&"waiting-for-restart".into(), &100.into())
    );
    let failed = told("sysupdate() { return 1; }; install");
    assert_eq!(failed["state"], "failed");
    let pulled =
        told("restart() { echo restart; }; (stopped 'the stick was pulled out too early')");
    assert_eq!(pulled["message"], "the stick was pulled out too early");
    // What was installed before that is started all the same.
    let done = update(&folder, "restart() { echo restart; }; is_installed=yes; stopped x");
    assert_eq!(said(&done).trim(), "restart");
    let forged = told("sysupdate() { echo 'Signature verification failed' >&2; return 1; }; look");
    assert_eq!(forged["message"], "the list of updates is not signed by our key");
    // The owner's file is read and not carried out.
    let output = update(&folder, "setting URL");
    assert!(output.status.success(), "{}", said(&output));
    for url in ["http://h/; reboot", "file:///etc/", "http://h/|x|"] {
        let refused = told(&format!("setting() {{ echo '{url}'; }}; from_network"));
        assert_eq!(refused["state"], "failed", "{url}");
    }
}
