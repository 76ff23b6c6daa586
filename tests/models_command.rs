//! `attendant models` against a server of the test's own: resumes, resets, lies, a killed pull,
//! flipped bits, symlinks, a stick, a proxy.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "a pull is killed after a while")]

#[path = "support/file_server.rs"]
mod file_server;
#[path = "support/folder.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod folder;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use attendant::speech::model::hexadecimal;
use file_server::{FileServer, Reply, honest};
use folder::Folder;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use serde_json::Value;
use sha2::{Digest, Sha256};

const ENDED: Duration = Duration::from_secs(120);
const ETAG: &str = "\"one\"";
const PROXIES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// A state folder with a manifest of one model, `m`, whose file is `m.onnx.json` or as named.
struct Shelved {
    folder: Folder,
    file: String,
}

impl Shelved {
    fn new(url: &str, file: &str, kind: &str, known: &str) -> Self {
        let folder = Folder::new("models");
        let manifest = format!(
            "[[model]]\nname = \"m\"\nkind = \"{kind}\"\nlicence = \"MIT\"\nlanguages = [\"en\"]\n\
             memory_mb = 1\n[[model.file]]\nurl = \"{url}\"\nname = \"{file}\"\n{known}"
        );
        folder.write("manifest.toml", manifest);
        Self { folder, file: file.to_owned() }
    }

    /// A voice's description: a kind of file of which nothing but length and hash is looked at.
    fn plain(url: &str, known: &str) -> Self {
        Self::new(url, "m.json", "voice", known)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
        for name in PROXIES {
            command.env_remove(name);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("STATE_DIRECTORY", self.folder.path());
        command.env("RUNTIME_DIRECTORY", self.folder.path());
        command
    }

    fn models(&self, words: &[&str]) -> Command {
        let manifest = self.folder.at("manifest.toml");
        let mut command = self.command(&["models"]);
        command.args(words).arg("--manifest").arg(manifest);
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        ended(self.models(words))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join("models").join(name)
    }

    fn content(&self) -> Option<Vec<u8>> {
        fs::read(self.at(&self.file)).ok()
    }
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn is(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "{word} in {self:?}");
        }
    }
}

fn ended(mut command: Command) -> Ended {
    let child = command.spawn().unwrap();
    let id = child.id().to_string();
    let (done, is_done) = mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        if is_done.recv_timeout(ENDED).is_err() {
            let _ = Command::new("kill").arg(&id).status();
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    // The guard may have ended it.
    let _ = done.send(());
    guard.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut file = vec![0; bytes];
    StdRng::seed_from_u64(bytes as u64).fill_bytes(&mut file);
    file
}

fn hash(file: &[u8]) -> String {
    hexadecimal(&Sha256::digest(file))
}

fn known(file: &[u8]) -> String {
    format!("bytes = {}\nsha256 = \"{}\"\n", file.len(), hash(file))
}

#[test]
fn a_pull_ends_with_a_verified_and_pinned_file_and_the_next_one_keeps_it() {
    let file = noise(700_000);
    for known in [known(&file), String::new()] {
        let served = file.clone();
        let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
        let own = Shelved::plain(&server.url("m.json"), &known);
        own.run(&["verify"]).is(0, &["nothing"]);
        own.run(&["verify", "m"]).is(66, &["models"]);
        own.run(&["pull", "m"]).is(0, &["m.json", "100 %", "verified"]);
        assert_eq!(own.content().unwrap(), file);
        let pin = fs::read_to_string(own.at("m.json.sha256")).unwrap();
        assert_eq!(pin, format!("{}  m.json\n", hash(&file)));
        own.run(&["verify"]).is(0, &["m.json: right"]);
        own.run(&["pull", "m"]).is(0, &["here and verified"]);
        assert_eq!(server.asked().len(), 1, "{:?}", server.asked());
        let list: Value = serde_json::from_str(&own.run(&["list", "--json"]).out).unwrap();
        assert_eq!(list["models"][0]["state"], "here");
        assert!(list["box"]["memory_bytes"].as_u64().unwrap() > 0);
        let left: Vec<_> =
            fs::read_dir(own.at("")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "file, pin and lock: {left:?}");
    }
}

#[test]
fn a_pull_that_is_killed_twenty_times_still_ends_with_a_verified_file() {
    let file = noise(8 << 20);
    for (case, known) in [("known", known(&file)), ("learnt", String::new())] {
        let served = file.clone();
        let server = FileServer::start(move |asked| Reply {
            pace: Duration::from_millis(8),
            ..honest(&served, ETAG, asked)
        });
        let own = Shelved::plain(&server.url("m.json"), &known);
        let mut chance = StdRng::seed_from_u64(20);
        for kill in 0..20 {
            let partial = own.at("m.json.partial");
            let length = || fs::metadata(&partial).map_or(0, |metadata| metadata.len());
            let goal = length() + chance.random_range(1..500_000);
            let mut child = own.models(&["pull", "m"]).spawn().unwrap();
            if kill % 4 == 0 {
                thread::sleep(Duration::from_millis(chance.random_range(0..120)));
            }
            // Else while it fetches, however slow the machine is.
            while kill % 4 != 0 && length() < goal && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            // Under its own name it is whole or not there.
            assert!(own.content().is_none_or(|content| content == file), "{case}, kill {kill}");
        }
        own.run(&["pull", "m"]).is(0, &["verified"]);
        assert_eq!(own.content().unwrap(), file, "{case}");
        own.run(&["verify", "m"]).is(0, &[]);
        let went_on = server.asked().iter().filter(|asked| asked.from.is_some()).count();
        assert!(case == "learnt" || went_on > 3, "{:?}", server.asked());
    }
}

#[test]
fn a_pull_that_is_killed_while_it_verifies_and_publishes_leaves_nothing_half() {
    let file = noise(4 << 20);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    fs::create_dir_all(own.at("")).unwrap();
    let mut chance = StdRng::seed_from_u64(21);
    for kill in 0..20 {
        if own.content().is_none() {
            fs::write(own.at("m.json.partial"), &file).unwrap();
        } else {
            fs::rename(own.at("m.json"), own.at("m.json.partial")).unwrap();
        }
        let mut child = own.models(&["pull", "m"]).spawn().unwrap();
        thread::sleep(Duration::from_millis(chance.random_range(0..120)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(own.content().is_none_or(|content| content == file), "kill {kill}");
    }
    own.run(&["pull", "m"]).is(0, &[]);
    own.run(&["verify", "m"]).is(0, &["right"]);
    assert!(server.asked().is_empty(), "everything was there: {:?}", server.asked());
}

#[test]
fn a_flipped_bit_is_refused_by_name_and_the_next_pull_mends_it() {
    let file = noise(300_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::plain(&server.url("m.json"), "");
    own.run(&["pull", "m"]).is(0, &[]);
    for damage in [Damage::Flip, Damage::Cut] {
        let mut content = file.clone();
        match damage {
            Damage::Flip => content[150_000] ^= 4,
            Damage::Cut => content.truncate(299_999),
        }
        fs::write(own.at("m.json"), content).unwrap();
        own.run(&["verify"]).is(65, &["m.json", "refused", "SHA-256"]);
        own.run(&["pull", "m"]).is(0, &["verified"]);
        assert_eq!(own.content().unwrap(), file);
    }
}

enum Damage {
    Flip,
    Cut,
}

#[test]
fn a_connection_that_is_reset_again_and_again_is_gone_on_with() {
    let file = noise(400_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| {
        let mut reply = honest(&served, ETAG, asked);
        reply.reset = reply.body.len() > 150_000;
        reply.body.truncate(150_000);
        reply
    });
    for known in [known(&file), String::new()] {
        let before = server.asked().len();
        let own = Shelved::plain(&server.url("m.json"), &known);
        own.run(&["pull", "m"]).is(0, &["broken off", "going on after"]);
        assert_eq!(own.content().unwrap(), file);
        let asked = server.asked().split_off(before);
        let from: Vec<_> = asked.iter().map(|asked| asked.from).collect();
        assert_eq!(from, [None, Some(150_000), Some(300_000)]);
        assert!(asked[1..].iter().all(|asked| asked.if_range.as_deref() == Some(ETAG)));
    }
}

#[test]
fn a_file_that_changes_on_the_server_starts_over() {
    let (old, new) = (noise(400_000), noise(400_001));
    let (served_old, served_new) = (old.clone(), new.clone());
    let count = AtomicU32::new(0);
    let server = FileServer::start(move |asked| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut reply = honest(&served_old, ETAG, asked);
            reply.body.truncate(100_000);
            return Reply { reset: true, ..reply };
        }
        honest(&served_new, "\"two\"", asked)
    });
    let own = Shelved::plain(&server.url("m.json"), "");
    own.run(&["pull", "m"]).is(0, &["verified"]);
    assert_eq!(own.content().unwrap(), new);
    assert_eq!(server.asked()[1].if_range.as_deref(), Some(ETAG));
}

#[test]
fn a_server_without_ranges_and_one_that_mixes_versions_still_give_the_right_file() {
    let file = noise(400_000);
    for (case, etag, ignores_ranges) in [("no ranges", ETAG, true), ("mixes", "\"two\"", false)] {
        let served = file.clone();
        let server = FileServer::start(move |asked| {
            let mut asked = asked.clone();
            asked.if_range = None;
            asked.from = asked.from.filter(|_| !ignores_ranges);
            // The first bytes are of another version than the rest.
            honest(&served, etag, &asked)
        });
        let own = Shelved::plain(&server.url("m.json"), &known(&file));
        fs::create_dir_all(own.at("")).unwrap();
        fs::write(own.at("m.json.partial"), noise(99_999)).unwrap();
        own.run(&["pull", "m"]).is(0, &["verified"]);
        assert_eq!(own.content().unwrap(), file, "{case}");
    }
}

#[test]
fn a_server_that_lies_is_refused_and_nothing_is_put_on_the_shelf() {
    let file = noise(100_000);
    let other = {
        let mut other = file.clone();
        other[77] ^= 1;
        other
    };
    let ok = |fields: &str, body: Vec<u8>| Reply {
        head: format!("HTTP/1.1 200 OK\r\n{fields}"),
        body,
        ..Reply::default()
    };
    let status = |line: &str| Reply {
        head: format!("HTTP/1.1 {line}\r\nContent-Length: 0"),
        ..Reply::default()
    };
    let mut endless = b"20000\r\n".to_vec();
    endless.extend(noise(0x20000));
    endless.extend(b"\r\n");
    let mut short = ok("Content-Length: 100000", file[..50_000].to_vec());
    short.head = short.head.replace("100000", "50000");
    for (case, reply, code, words) in [
        ("wrong hash", honest(&other, ETAG, &Default::default()), 65, &["SHA-256"][..]),
        ("wrong length", short, 68, &["50000", "100000"]),
        (
            "endless",
            ok("Transfer-Encoding: chunked", endless.repeat(50)),
            68,
            &["more than the 100000"],
        ),
        ("compressed", ok("Content-Encoding: gzip\r\nContent-Length: 100000", file.clone()), 68, &["compressed"]),
        ("a part", Reply { head: "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-99999/100000\r\nContent-Length: 100000".to_owned(), body: file.clone(), ..Reply::default() }, 68, &["part"]),
        ("missing", status("404 Not Found"), 68, &["404"]),
        ("forbidden", status("403 Forbidden"), 68, &["403"]),
        ("a loop", status("302 Found\r\nLocation: /again"), 68, &["sends on"]),
        ("away to http", status("302 Found\r\nLocation: http://example.org/m"), 68, &["not https"]),
        ("away to a file", status("302 Found\r\nLocation: file:///etc/passwd"), 68, &["no address"]),
    ] {
        let server = FileServer::start(move |_| reply.clone());
        let own = Shelved::plain(&server.url("m.json"), &known(&file));
        own.run(&["pull", "m"]).is(code, &[&["m.json"], words].concat());
        assert!(own.content().is_none(), "{case}");
        assert!(!own.at("m.json.sha256").exists(), "{case}");
    }
}

#[test]
fn a_server_that_ends_too_early_is_asked_again_with_a_wait_that_grows() {
    let file = noise(100_000);
    let half = file[..50_000].to_vec();
    let server = FileServer::start(move |_| Reply {
        head: "HTTP/1.1 200 OK".to_owned(),
        body: half.clone(),
        ..Reply::default()
    });
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    let mut child = own.models(&["pull", "m"]).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waits: Vec<_> = lines.filter(|line| line.contains("again in")).take(3).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    for (line, wait) in waits.iter().zip(["0.5 s", "1.0 s", "2.0 s"]) {
        assert!(line.contains("part only") && line.contains(wait), "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
    assert!(own.content().is_none());
}

#[test]
fn a_length_that_nobody_knows_is_refused_without_a_hash() {
    let file = noise(10_000);
    let served = file.clone();
    let server = FileServer::start(move |_| Reply {
        head: "HTTP/1.1 200 OK".to_owned(),
        body: served.clone(),
        ..Reply::default()
    });
    let url = server.url("m.json");
    Shelved::plain(&url, "").run(&["pull", "m"]).is(68, &["m.json", "how long"]);
    let hashed = Shelved::plain(&url, &format!("sha256 = \"{}\"\n", hash(&file)));
    hashed.run(&["pull", "m"]).is(0, &[]);
    assert_eq!(hashed.content().unwrap(), file);
}

#[test]
fn a_pin_that_was_learnt_holds_against_another_file() {
    let (first, second) = (noise(10_000), noise(10_001));
    let served = [first.clone(), second];
    let count = AtomicU32::new(0);
    let server = FileServer::start(move |asked| {
        let count = count.fetch_add(1, Ordering::Relaxed) as usize;
        honest(&served[count.min(1)], if count == 0 { ETAG } else { "\"two\"" }, asked)
    });
    let own = Shelved::plain(&server.url("m.json"), "");
    own.run(&["pull", "m"]).is(0, &["pinned"]);
    fs::remove_file(own.at("m.json")).unwrap();
    own.run(&["pull", "m"]).is(65, &["m.json", &hash(&first)]);
    assert!(own.content().is_none());
}

#[test]
fn symlinks_are_refused_and_what_they_point_to_stays() {
    let file = noise(10_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    let target = own.folder.write("target", &file);
    fs::create_dir_all(own.at("")).unwrap();
    symlink(&target, own.at("m.json")).unwrap();
    own.run(&["verify"]).is(65, &["m.json", "symlink"]);

    symlink(&target, own.at("m.json.partial")).unwrap();
    own.run(&["pull", "m"]).is(65, &["m.json.partial", "symlink"]);
    fs::remove_file(own.at("m.json.partial")).unwrap();
    own.run(&["pull", "m"]).is(0, &[]);
    assert!(fs::symlink_metadata(own.at("m.json")).unwrap().is_file());
    assert_eq!(fs::read(&target).unwrap(), file);

    let elsewhere = Shelved::plain(&server.url("m.json"), &known(&file));
    symlink(own.at(""), elsewhere.folder.at("models")).unwrap();
    elsewhere.run(&["verify", "m"]).is(65, &["models", "symlink"]);
    elsewhere.run(&["pull", "m"]).is(1, &["models", "symlink"]);
}

#[test]
fn a_stick_is_as_good_as_a_server_and_no_better() {
    let file = noise(300_000);
    let own = Shelved::plain("https://example.org/m.json", &known(&file));
    let stick = Folder::new("stick");
    let dir = stick.path().to_str().unwrap().to_owned();
    let pull = || own.run(&["pull", "m", "--from", &dir]);
    pull().is(66, &["m.json"]);
    let target = own.folder.write("target", &file);
    symlink(target, stick.at("m.json")).unwrap();
    pull().is(65, &["m.json", "symlink"]);
    fs::remove_file(stick.at("m.json")).unwrap();
    stick.write("m.json", &file[1..]);
    pull().is(65, &["m.json", "299999"]);
    let mut flipped = file.clone();
    flipped[9] ^= 128;
    stick.write("m.json", flipped);
    pull().is(65, &["m.json", "SHA-256"]);
    assert!(own.content().is_none());
    stick.write("m.json", &file);
    pull().is(0, &["verified"]);
    assert_eq!(own.content().unwrap(), file);
}

#[test]
fn a_proxy_and_a_mirror_are_ways_to_the_same_file() {
    let file = noise(200_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let proxy = FileServer::start(|_| Reply::default());
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    let mut command = own.models(&["pull", "m"]);
    command.env("http_proxy", proxy.url(""));
    ended(command).is(0, &["verified"]);
    assert_eq!(proxy.asked().len(), 1);
    assert_eq!(proxy.asked()[0].path, server.address.to_string());

    let own = Shelved::plain("https://example.org/somewhere/m.json", &known(&file));
    let mut command = own.models(&["pull", "m", "--mirror", &server.url("copies")]);
    command.env("http_proxy", proxy.url("")).env("no_proxy", "127.0.0.1");
    ended(command).is(0, &["verified"]);
    assert_eq!(proxy.asked().len(), 1, "no proxy for this machine");
    assert_eq!(server.asked().last().unwrap().path, "/copies/m.json");
    own.run(&["pull", "m", "--mirror", "http://example.org/"]).is(2, &["not https"]);
}

#[test]
fn two_pulls_at_once_do_not_fight() {
    let file = noise(1 << 20);
    let served = file.clone();
    let server = FileServer::start(move |asked| Reply {
        pace: Duration::from_millis(80),
        ..honest(&served, ETAG, asked)
    });
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    let commands = [own.models(&["pull", "m"]), own.models(&["pull", "m"])];
    let both = commands.map(|command| thread::spawn(move || ended(command)));
    let both = both.map(|pull| pull.join().unwrap());
    both.iter().for_each(|pull| pull.is(0, &[]));
    assert!(both.iter().any(|pull| pull.err.contains("another pull")), "{both:?}");
    assert_eq!(server.asked().len(), 1);
    assert_eq!(own.content().unwrap(), file);
}

/// A protobuf field that holds bytes; enough for short ones.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

fn onnx_reading(location: &str) -> Vec<u8> {
    let entry = [field(1, b"location"), field(2, location.as_bytes())].concat();
    let graph = field(5, &field(13, &entry));
    field(7, &graph)
}

#[test]
fn an_onnx_file_that_reads_other_files_is_refused_also_with_a_right_hash() {
    for location in ["../secret", "/etc/passwd", "other.bin"] {
        let file = onnx_reading(location);
        let served = file.clone();
        let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
        let own = Shelved::new(&server.url("m.onnx"), "m.onnx", "voice", &known(&file));
        own.run(&["pull", "m"]).is(65, &["m.onnx", location]);
        assert!(own.content().is_none());
        fs::write(own.at("m.onnx"), &file).unwrap();
        own.run(&["verify"]).is(65, &["m.onnx", location]);
    }
    let file = field(7, &field(2, b"graph"));
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::new(&server.url("m.onnx"), "m.onnx", "voice", &known(&file));
    own.run(&["pull", "m"]).is(0, &["cannot load it yet"]);
    own.run(&["warm", "m"]).is(0, &["cannot load it yet"]);
}

fn starter() -> Vec<u8> {
    let path = "models/starter-en/ggml-starter-en-q8_0.bin";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn a_pulled_whisper_model_loads_and_one_with_a_flipped_bit_does_not() {
    let file = starter();
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::new(&server.url("ggml-m.bin"), "ggml-m.bin", "whisper", "");
    let path = own.at("ggml-m.bin");
    own.run(&["pull", "m"]).is(0, &["whisper_model", path.to_str().unwrap()]);
    // One thread: several wait for each other, which takes minutes on a machine that is busy.
    let one = own.folder.write("one.toml", "[speech]\ndevice = \"cpu\"\nthreads = 1\n");
    let warm = ["warm", "m", "--config", one.to_str().unwrap()];
    own.run(&warm).is(0, &["m: loaded in", "decode"]);

    let mut flipped = file;
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    own.run(&warm).is(65, &[path.to_str().unwrap(), "SHA-256"]);
    let config = own.folder.write(
        "attendant.toml",
        format!("[speech]\ndevice = \"cpu\"\nwhisper_model = \"{}\"\n", path.display()),
    );
    let engine = ["speech", "--config", config.to_str().unwrap()];
    ended(own.command(&engine)).is(65, &["speech.whisper_model", path.to_str().unwrap()]);
}

#[test]
fn the_configuration_may_name_a_model_as_the_shelf_does() {
    let own = Shelved::plain("https://example.org/m", "");
    let text = "[speech]\ndevice = \"cpu\"\nwhisper_model = \"tiny.en-q5_1\"\n\
                [media]\nports = \"41300-41399\"\n\
                [sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[web]\nlisten = \"127.0.0.1:0\"\n";
    let config = own.folder.write("attendant.toml", text);
    let with = |command: &str| ended(own.command(&[command, "--config", config.to_str().unwrap()]));
    let hint = "attendant models pull tiny.en-q5_1";
    with("check").is(78, &["speech.whisper_model", "ggml-tiny.en-q5_1.bin", hint]);
    with("run").is(66, &["speech.whisper_model", "ggml-tiny.en-q5_1.bin", hint]);

    // Another model under that name has another hash than the manifest's.
    fs::create_dir_all(own.at("")).unwrap();
    fs::write(own.at("ggml-tiny.en-q5_1.bin"), starter()).unwrap();
    with("check").is(0, &[]);
    with("speech").is(65, &["speech.whisper_model", "ggml-tiny.en-q5_1.bin", "SHA-256"]);
    with("run").is(65, &["speech.whisper_model", "ggml-tiny.en-q5_1.bin", "SHA-256"]);
}

#[test]
fn wrong_names_and_manifests_are_told() {
    let own = Shelved::plain("https://example.org/m", "");
    ended(own.command(&["models", "pull", "small.en-q5"])).is(66, &["small.en-q5_1 is one"]);
    ended(own.command(&["models", "pull", "qwen3:4b"])).is(2, &["ollama pull qwen3:4b"]);
    ended(own.command(&["models", "pull"])).is(2, &["NAME"]);
    own.folder.write("manifest.toml", "[[model]]\nname = \"m\"\ncolour = 1\n");
    own.run(&["list"]).is(78, &["manifest.toml", "colour"]);
    fs::remove_file(own.folder.at("manifest.toml")).unwrap();
    own.run(&["list"]).is(66, &["manifest.toml"]);
    let list = ended(own.command(&["models", "list"]));
    list.is(0, &["starter-en", "built in", "large-v3-turbo-q5_0", "en_GB-vctk-medium", "FITS"]);
}
