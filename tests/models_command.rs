//! `attendant models` against a server of the test's own: resumes, resets, lies, a killed pull,
//! flipped bits, symlinks, a stick, a proxy. What becomes of files that are there is in
//! `models_shelf`.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "a pull is killed after a while")]

#[path = "support/file_server.rs"]
mod file_server;
#[path = "support/folder.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod folder;
#[path = "support/shelved.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod shelved;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use file_server::{FileServer, Reply, honest};
use folder::Folder;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use shelved::{Shelved, ended, hash, known, noise};

const ETAG: &str = "\"one\"";

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
fn a_mirror_has_the_same_file() {
    let file = noise(200_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::plain("https://example.org/somewhere/m.json", &known(&file));
    own.run(&["pull", "m", "--mirror", &server.url("copies")]).is(0, &["verified"]);
    assert_eq!(server.asked().last().unwrap().path, "/copies/m.json");
    own.run(&["pull", "m", "--mirror", "http://example.org/"]).is(2, &["not https"]);
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_and_one_that_cannot_be_used_is_told() {
    let file = noise(1_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let proxy = FileServer::start(|_| Reply {
        head: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0".to_owned(),
        ..Reply::default()
    });
    let own = Shelved::plain("https://192.0.2.1:9/m.json", &known(&file));
    let pull = |mirror: Option<&str>, variable: &str, proxy: &str| {
        let mut command = own.models(&["pull", "m"]);
        command.args(mirror.into_iter().flat_map(|mirror| ["--mirror", mirror]));
        command.env(variable, proxy);
        command
    };
    // The proxy lets nobody out, and is asked again for a while.
    let mut child = pull(None, "https_proxy", &proxy.url("")).spawn().unwrap();
    while proxy.asked().is_empty() && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(proxy.asked()[0].method, "CONNECT");
    assert_eq!(proxy.asked()[0].path, "192.0.2.1:9");

    for proxy in ["socks5://ann:secret@127.0.0.1:1080", "socks5h://127.0.0.1", "SOCKS4://a"] {
        let ended = ended(pull(None, "all_proxy", proxy));
        ended.is(68, &["m.json", "all_proxy", "SOCKS"]);
        assert!(!ended.err.contains("secret"), "{ended:?}");
    }
    ended(pull(None, "HTTPS_PROXY", "nowhere:port")).is(68, &["HTTPS_PROXY", "no address"]);
    let near = Some("http://192.168.1.5/");
    ended(pull(near, "http_proxy", &proxy.url(""))).is(68, &["http_proxy", "no_proxy"]);
    // This machine needs none.
    let here = server.url("");
    ended(pull(Some(&here), "http_proxy", &proxy.url(""))).is(0, &["verified"]);
    assert!(proxy.asked().iter().all(|asked| asked.path == "192.0.2.1:9"));
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
