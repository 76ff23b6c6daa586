//! `image/jetson`: the scripts against an L4T of the test's own, whose programs write down how they were called. What they do
//! to a board is not tried here.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::geteuid;
use support::folder::Folder;
use support::peers;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// An L4T of this release, programs that stand for those of the system, and a package.
struct Bench(Folder);

impl Bench {
    fn new(release: u32) -> Self {
        let folder = Folder::new("jetson");
        let l4t = folder.at("l4t");
        let note = format!("echo \"$(basename \"$0\") $*\" >>{}", folder.at("log").display());
        script(
            &l4t.join("apply_binaries.sh"),
            &format!(
                "{note}\necho '# R{release} (release), REVISION: 2.1' >{}/rootfs/etc/nv_tegra_release",
                l4t.display()
            ),
        );
        script(
            &l4t.join("tools/kernel_flash/l4t_initrd_flash.sh"),
            &format!(
                "{note}\necho \"AB=$ROOTFS_AB RETRY=$ROOTFS_RETRY_COUNT_MAX in $PWD\" >>{}",
                folder.at("log").display()
            ),
        );
        for name in ["t234", "t264"] {
            file(&l4t.join(format!("tools/kernel_flash/flash_l4t_{name}_nvme_rootfs_ab.xml")), "");
        }
        file(&l4t.join("bootloader/generic/cfg/flash_t234_qspi.xml"), "");
        for board in ["agx-orin", "orin-nano", "agx-thor"] {
            file(&l4t.join(format!("jetson-{board}-devkit.conf")), "");
        }
        let root = l4t.join("rootfs");
        for name in ["usr/bin/apt-get", "etc/ssh/ssh_host_ed25519_key", "etc/machine-id"] {
            file(&root.join(name), "the same on all of them\n");
        }
        fs::create_dir_all(root.join("usr/sbin")).unwrap();
        std::os::unix::fs::symlink("../run/resolved/stub.conf", root.join("etc/resolv.conf"))
            .unwrap();
        // chroot: what apt would do is to unpack the package, and that of ssh.
        let unpack = "case \"$*\" in *apt-get\\ install*) test -x $1/usr/sbin/policy-rc.d && dpkg -x $1/tmp/attendant.deb $1;; esac
case \"$*\" in *openssh-server*) printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' >$1/usr/lib/systemd/system/ssh.service;; esac";
        script(&folder.at("bin/chroot"), &format!("{note}\n{unpack}"));
        Self(folder)
    }

    /// A package for arm64 of what `make install` brings, with no program in it that could be carried out.
    fn package(&self) -> PathBuf {
        let tree = self.0.at("tree");
        let output = Command::new("make")
            .args(["-s", "install", "PROGRAM=/bin/true"])
            .arg(format!("DESTDIR={}", tree.display()))
            .current_dir(source(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        file(
            &tree.join("DEBIAN/control"),
            "Package: attendant\nVersion: 0.1.0\nArchitecture: arm64\nMaintainer: A <a@example.invalid>\nDescription: telephone\n",
        );
        let package = self.0.at("attendant.deb");
        let built = Command::new("dpkg-deb")
            .args(["-Znone", "--root-owner-group", "--build"])
            .args([&tree, &package])
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", said(&built));
        package
    }

    fn l4t(&self) -> PathBuf {
        self.0.at("l4t")
    }

    fn root(&self, name: &str) -> PathBuf {
        self.l4t().join("rootfs").join(name)
    }

    fn run(&self, name: &str, words: &[&str]) -> Output {
        let path = format!("{}:{}", self.0.at("bin").display(), std::env::var("PATH").unwrap());
        Command::new(source("image/jetson").join(name))
            .args(words)
            .env("PATH", path)
            .output()
            .unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.at("log")).unwrap_or_default()
    }
}

fn can_prepare() -> bool {
    if !peers::is_installed("dpkg-deb", "dpkg") || !peers::is_installed("systemctl", "systemd") {
        return false;
    }
    if !geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "only root makes a root file system");
        println!("LEFT OUT: only root makes a root file system");
        return false;
    }
    true
}

#[test]
fn it_is_prepared_and_flashed_as_l4t_wants_it() {
    if !can_prepare() {
        return;
    }
    let bench = Bench::new(39);
    let (l4t, package) = (bench.l4t(), bench.package());
    let (l4t, package) = (l4t.to_str().unwrap(), package.to_str().unwrap());
    let not_yet = bench.run("flash", &[l4t, "agx-orin"]);
    assert!(said(&not_yet).contains("prepare first"), "{}", said(&not_yet));
    // Twice is as good as once.
    for _ in 0..2 {
        let output = bench.run("prepare", &[l4t, package, "agx-orin"]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let log = bench.log();
    assert_eq!(log.matches("apply_binaries.sh").count(), 1, "{log}");
    assert!(
        log.contains("apt-get install -y -q --no-install-recommends /tmp/attendant.deb"),
        "{log}"
    );
    assert!(log.contains("passwd --lock root"), "{log}");
    let wants = |unit: &str| bench.root("etc/systemd/system/multi-user.target.wants").join(unit);
    for unit in ["attendant.target", "attendant-power.service", "attendant-slot.service"] {
        assert!(wants(unit).is_symlink(), "{unit}");
    }
    // Nobody comes in, nothing waits for a keyboard, nothing is the same on two boxes, and apt's helpers are gone.
    for unit in ["ssh.service", "ssh.socket", "nv-oem-config.service"] {
        let masked = fs::read_link(bench.root("etc/systemd/system").join(unit)).unwrap();
        assert_eq!(masked, Path::new("/dev/null"), "{unit}");
    }
    assert_eq!(fs::read_to_string(bench.root("etc/machine-id")).unwrap(), "");
    assert!(!bench.root("etc/ssh/ssh_host_ed25519_key").exists());
    assert!(
        !bench.root("usr/sbin/policy-rc.d").exists() && !bench.root("tmp/attendant.deb").exists()
    );
    let names = fs::read_link(bench.root("etc/resolv.conf")).unwrap();
    assert_eq!(names, Path::new("../run/resolved/stub.conf"));
    assert_eq!(
        fs::read_to_string(bench.root("etc/attendant/jetson.conf")).unwrap(),
        "POWER_MODE=0\n"
    );

    let output = bench.run("flash", &[l4t, "agx-orin"]);
    assert!(output.status.success(), "{}", said(&output));
    let called = "l4t_initrd_flash.sh --external-device nvme0n1p1 \
        -c tools/kernel_flash/flash_l4t_t234_nvme_rootfs_ab.xml -p -c bootloader/generic/cfg/flash_t234_qspi.xml \
        --showlogs --network usb0 jetson-agx-orin-devkit external";
    let log = bench.log();
    assert!(log.contains(called), "{log}");
    assert!(log.contains(&format!("AB=1 RETRY=3 in {l4t}")), "{log}");
    let output = bench.run("flash", &["--no-flash", l4t, "agx-thor"]);
    assert!(output.status.success(), "{}", said(&output));
    let called = "-c tools/kernel_flash/flash_l4t_t264_nvme_rootfs_ab.xml --no-flash --showlogs";
    assert!(bench.log().contains(called), "{}", bench.log());
}

#[test]
fn a_key_opens_ssh_and_no_password_does() {
    if !can_prepare() {
        return;
    }
    let bench = Bench::new(38);
    let package = bench.package();
    let key = bench.0.write("key.pub", "ssh-ed25519 AAAA owner\n");
    let words = [
        "--ssh-key",
        key.to_str().unwrap(),
        bench.l4t().to_str().unwrap(),
        package.to_str().unwrap(),
        "orin-nano",
    ]
    .map(str::to_owned);
    let output = bench.run("prepare", &words.each_ref().map(String::as_str));
    assert!(output.status.success(), "{}", said(&output));
    let keys = bench.root("root/.ssh/authorized_keys");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let starts = bench.root("etc/systemd/system/multi-user.target.wants/ssh.service");
    assert!(starts.is_symlink() && !bench.root("etc/systemd/system/ssh.service").is_symlink());
    let rules = fs::read_to_string(bench.root("etc/ssh/sshd_config.d/10-attendant.conf")).unwrap();
    assert!(rules.contains("PasswordAuthentication no"), "{rules}");
}

/// A dry run says what would be done, and does nothing.
#[test]
fn a_dry_run_changes_nothing() {
    if !peers::is_installed("dpkg-deb", "dpkg") {
        return;
    }
    let bench = Bench::new(39);
    let package = bench.package();
    let (l4t, package) = (bench.l4t(), package.to_str().unwrap());
    let state = || {
        let listed =
            Command::new("find").arg(&l4t).args(["-printf", "%p %s %T@ %l\\n"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let before = state();
    let output = bench.run("prepare", &["--dry-run", l4t.to_str().unwrap(), package, "agx-thor"]);
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    for step in ["apply_binaries.sh", "+ chroot ", "attendant-slot.service", "policy-rc.d"] {
        assert!(said.contains(step), "{step}: {said}");
    }
    assert_eq!(state(), before);
    assert_eq!(bench.log(), "");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    if !peers::is_installed("dpkg-deb", "dpkg") {
        return;
    }
    let bench = Bench::new(36);
    let package = bench.package();
    let (l4t, package) = (bench.l4t(), package.to_str().unwrap());
    let l4t = l4t.to_str().unwrap();
    let refused = |script: &str, words: &[&str], why: &str| {
        let output = bench.run(script, words);
        assert!(
            !output.status.success() && said(&output).contains(why),
            "{why}: {}",
            said(&output)
        );
    };
    refused("prepare", &["--dry-run", l4t, package, "agx-xavier"], "known: agx-orin");
    refused("prepare", &["--dry-run", "/usr", package, "agx-orin"], "no Linux_for_Tegra");
    refused("prepare", &["--dry-run", l4t], "wants LINUX_FOR_TEGRA PACKAGE BOARD");
    refused("prepare", &["--fast", l4t, package, "agx-orin"], "unknown option");
    refused("flash", &["--dry-run", l4t, "agx-orin"], "prepare first");
    file(&bench.root("etc/nv_tegra_release"), "# R36 (release), REVISION: 5.0\n");
    refused("prepare", &["--dry-run", l4t, package, "agx-orin"], "R36 is too old");
}

/// The programs that run on the Jetson, with others that stand for NVIDIA's.
fn on_the_box(folder: &Folder, name: &str, words: &[&str]) -> Output {
    let path = format!("{}:{}", folder.at("bin").display(), std::env::var("PATH").unwrap());
    Command::new(source("image/jetson/rootfs/usr/lib/attendant").join(name))
        .args(words)
        .env("PATH", path)
        .env("JETSON_LABELS", folder.at("labels"))
        .env("JETSON_SLOT_PAUSE", "0")
        .output()
        .unwrap()
}

/// A box that runs from slot A; `status` is what `attendant status` does.
fn slots(status: &str) -> Folder {
    let folder = Folder::new("slots");
    let note = format!("echo \"$*\" >>{}", folder.at("log").display());
    script(
        &folder.at("bin/nvbootctrl"),
        &format!("{note}\ncase \"$*\" in *get-current-slot*) echo 0;; esac"),
    );
    script(&folder.at("bin/attendant"), status);
    script(&folder.at("bin/findmnt"), &format!("echo {}", folder.at("labels/APP").display()));
    file(&folder.at("labels/APP"), "running");
    file(&folder.at("labels/APP_b"), "old and longer than the new one");
    folder
}

fn log(folder: &Folder) -> String {
    fs::read_to_string(folder.at("log")).unwrap_or_default()
}

#[test]
fn a_slot_is_good_once_the_box_takes_calls() {
    let folder = slots("test -e $0.asked && exit 0; touch $0.asked; exit 11");
    let output = on_the_box(&folder, "jetson-slot", &["good"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(log(&folder).ends_with("-t rootfs verify\n"), "{}", log(&folder));
    let folder = slots("exit 11");
    let output = on_the_box(&folder, "jetson-slot", &["good"]);
    assert!(!output.status.success() && !log(&folder).contains("verify"), "{}", log(&folder));
}

#[test]
fn an_image_goes_to_the_other_slot_and_never_during_a_call() {
    let folder = slots("echo '{\"live_calls\": 0}'");
    let image = folder.write("image", "new");
    let image = image.to_str().unwrap();
    let output = on_the_box(&folder, "jetson-slot", &["write", image]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(fs::read_to_string(folder.at("labels/APP_b")).unwrap().starts_with("new"));
    assert_eq!(fs::read_to_string(folder.at("labels/APP")).unwrap(), "running");
    assert!(log(&folder).ends_with("-t rootfs set-active-boot-slot 1\n"), "{}", log(&folder));

    let folder = slots("echo '{\"live_calls\":2}'");
    let output = on_the_box(&folder, "jetson-slot", &["write", image]);
    assert!(said(&output).contains("a call is up"), "{}", said(&output));
    assert!(fs::read_to_string(folder.at("labels/APP_b")).unwrap().starts_with("old"));
    assert!(!log(&folder).contains("set-active"));
}

#[test]
fn the_power_mode_is_set_where_there_is_one() {
    let folder = Folder::new("power");
    let output = on_the_box(&folder, "jetson-power", &[]);
    assert!(
        output.status.success() && said(&output).contains("there is no nvpmodel"),
        "{}",
        said(&output)
    );
    for name in ["nvpmodel", "jetson_clocks"] {
        let note = format!("echo \"{name} $*\" >>{}", folder.at("log").display());
        script(&folder.at("bin").join(name), &note);
    }
    assert!(on_the_box(&folder, "jetson-power", &[]).status.success());
    assert_eq!(log(&folder), "nvpmodel -m 0\njetson_clocks \n");
}

#[test]
fn the_scripts_and_units_have_no_fault_that_tools_know() {
    if peers::is_installed("shellcheck", "shellcheck") {
        let output = Command::new("shellcheck")
            .args([
                "--external-sources",
                "image/jetson/prepare",
                "image/jetson/flash",
                "image/jetson/common",
            ])
            .args(
                ["jetson-power", "jetson-slot"]
                    .map(|name| format!("image/jetson/rootfs/usr/lib/attendant/{name}")),
            )
            .current_dir(source(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    if peers::is_installed("systemd-analyze", "systemd") {
        let folder = Folder::new("units");
        for unit in ["attendant-power.service", "attendant-slot.service"] {
            let text = source("image/jetson/rootfs/usr/lib/systemd/system").join(unit);
            let text = fs::read_to_string(text).unwrap();
            folder.write(
                unit,
                text.replace(
                    "=/usr/lib/attendant/",
                    &format!("={}/", source("image/jetson/rootfs/usr/lib/attendant").display()),
                ),
            );
        }
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .args([folder.at("attendant-power.service"), folder.at("attendant-slot.service")])
            .output()
            .unwrap();
        assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    }
}
