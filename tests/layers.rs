//! The arrows between modules, and the purity of those that hold no clock, socket, thread, file,
//! environment or random source. Read from the sources, so that nothing has to be believed.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

#[path = "support/sources.rs"]
mod sources;

use std::fs;
use std::path::Path;

/// The arrows: a module and what it may import of ours besides itself. `call` and the shells
/// stand in `ANYTHING`.
const ARROWS: [(&str, &[&str]); 13] = [
    ("base", &[]),
    ("association", &["base"]),
    ("codec", &["base"]),
    ("sip", &["base"]),
    ("trunk", &["base", "sip"]),
    ("sdp", &["base", "codec"]),
    ("rtp", &["base", "codec"]),
    ("listen", &["base", "codec"]),
    ("converse", &["base"]),
    ("speak", &["base"]),
    ("websocket", &["base", "codec", "rtp", "call"]),
    ("webrtc", &["base", "sip"]),
    ("call", &["base", "codec", "sip", "sdp", "rtp", "listen", "converse", "speak"]),
];
/// Shells: they own the sockets, threads, clocks and disks, and may import anything.
const SHELLS: [&str; 6] = ["speech", "store", "appliance", "web", "cli", "fuzz"];
/// What a pure module must not name. `rand::` is `base::entropy`'s alone, and only its generator.
const IMPURE: [&str; 14] = [
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::os::",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "tokio::",
    "rand::",
    "nix::",
];
/// The one use of a random source: a generator that the shell seeds.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("base/entropy.rs", "use rand::rngs::StdRng;"),
    ("base/entropy.rs", "use rand::{RngCore, SeedableRng};"),
];

/// What is wrong with one file, each with its line.
fn faults(file: &str, text: &str) -> Vec<String> {
    let module = file.split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
        return match SHELLS.contains(&module) || ["main", "lib"].contains(&module) {
            true => Vec::new(),
            false => vec![format!("{file}: the module {module} has no row in the table of arrows")],
        };
    };
    if file.ends_with("tests.rs") || file.contains("/tests/") {
        return Vec::new();
    }
    let product = product(text);
    let mut faults = Vec::new();
    for (at, target) in imports(&product) {
        if target != module && !allowed.contains(&target.as_str()) {
            let line = line_at(&product, at);
            faults.push(format!("{file}:{line}: {module} must not import {target}"));
        }
    }
    for (index, line) in product.lines().enumerate() {
        let number = index + 1;
        if line.contains(&"super::".repeat(depth(file))) {
            faults.push(format!("{file}:{number}: super:: out of the module; write crate::"));
        }
        let excepted = EXCEPTIONS.contains(&(file, line.trim()));
        let impure = IMPURE.iter().filter(|word| !excepted && names(line, word));
        faults.extend(impure.map(|word| format!("{file}:{number}: {word} in a pure module")));
    }
    faults
}

/// The text without comments and without the tests, which may import anything and ask for the
/// time; lines stay where they are.
fn product(text: &str) -> String {
    let mut product = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let mut next = lines.next();
            product.push_str("\n\n");
            while next.is_some_and(|line| line.trim_start().starts_with("#[")) {
                next = lines.next();
                product.push('\n');
            }
            if next.is_some_and(|line| line.trim_start().starts_with("mod ") && line.ends_with('{'))
            {
                break;
            }
        } else if line.trim_start().starts_with("//") {
            product.push('\n');
        } else {
            product.push_str(line);
            product.push('\n');
        }
    }
    product
}

/// How many `super::` lead from the file to the crate.
fn depth(file: &str) -> usize {
    let is_folder = file.ends_with("/mod.rs");
    file.split('/').count() - usize::from(is_folder)
}

fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The word stands by itself: `brand::` does not name `rand::`.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The modules of ours that the text names, each with its place: `crate::x`, and every one of
/// `crate::{x, y::z}`.
fn imports(text: &str) -> Vec<(usize, String)> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut modules = Vec::new();
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = &group[..closing(group)];
                modules.extend(members(group).map(word).map(|name| (at, name)));
            }
            None => modules.push((at, word(rest))),
        }
    }
    modules.retain(|(_, name)| !name.is_empty());
    modules
}

/// Where the group that `text` is inside of closes.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += nesting(c);
        depth < 0
    });
    end.unwrap_or(text.len())
}

/// The members of a group, those of inner groups left together.
fn members(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    group.split(move |c| {
        depth += nesting(c);
        c == ',' && depth == 0
    })
}

const fn nesting(c: char) -> i32 {
    match c {
        '{' => 1,
        '}' => -1,
        _ => 0,
    }
}

#[test]
fn every_import_follows_an_arrow_and_pure_modules_are_pure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources::sources(&root) {
        let file = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        found.extend(faults(&file, &fs::read_to_string(&path).unwrap()));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_checker_finds_a_wrong_arrow() {
    for (file, line) in [
        ("sip/message.rs", "use crate::codec::Codec;"),
        ("sip/message.rs", "    let x = crate::rtp::packet();"),
        ("rtp/jitter.rs", "use crate::{base::{Private, limits}, sdp};"),
        ("rtp/jitter.rs", "use crate::{codec, listen::Vad};"),
        ("base/ids.rs", "pub use crate::call::Call;"),
        ("call/mod.rs", "use crate::appliance::config::Config;"),
        ("unheard_of/mod.rs", ""),
        ("sip/timer.rs", "let now = Instant::now();"),
        ("sip/timer.rs", "let now = std::time::Instant::now();"),
        ("call/record.rs", "use std::time::SystemTime; let t = SystemTime::now();"),
        ("rtp/latch.rs", "use std::net::UdpSocket;"),
        ("converse/mod.rs", "let text = std::fs::read(path);"),
        ("speak/mod.rs", "let x: u8 = rand::random();"),
        ("codec/mod.rs", "::std::thread::spawn(f);"),
        ("listen/mod.rs", "tokio::spawn(f);"),
        ("sdp/answer.rs", "use crate::{\n    base::{Private, limits},\n    rtp::Packet,\n};"),
        ("sdp/answer.rs", "use super::super::rtp::Packet;"),
        ("sdp/mod.rs", "use super::rtp::Packet;"),
        ("sdp/mod.rs", "#[cfg(test)]\nmod tests;\nuse crate::sip::Message;"),
    ] {
        assert_eq!(faults(file, line).len(), 1, "{file}: {line}: {:?}", faults(file, line));
    }
}

#[test]
fn the_checker_lets_right_lines_pass() {
    for (file, line) in [
        ("rtp/jitter.rs", "use crate::{base::{Private, limits}, codec::Codec};"),
        ("call/mod.rs", "use crate::converse::Conversation;"),
        ("sip/timer.rs", "/// Not `Instant::now`, and not crate::rtp."),
        ("sip/timer.rs", "use std::time::Instant;"),
        ("sip/timer.rs", "#[cfg(test)]\n#[allow(x)]\nmod tests {\nlet now = Instant::now();"),
        ("sip/transaction/server.rs", "use super::super::message::Message;"),
        ("sip/tests/flood.rs", "let now = Instant::now();"),
        ("sip/mod.rs", "let x = brand::new();"),
        ("web/mod.rs", "use crate::appliance::config; let now = Instant::now();"),
        ("lib.rs", "pub use crate::cli::main;"),
    ] {
        assert_eq!(faults(file, line), Vec::<String>::new(), "{file}: {line}");
    }
}
