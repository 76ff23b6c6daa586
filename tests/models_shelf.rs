//! What is on the shelf of `attendant models`: refused or right, by the manifest or by a pin, and
//! whose it is.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "a server sends slowly where a test asks for it")]

#[path = "support/file_server.rs"]
mod file_server;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/shelved.rs"]
mod shelved;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use file_server::{FileServer, honest};
use shelved::{Shelved, ended, hash, known, noise};

const ETAG: &str = "\"one\"";

fn pin(own: &Shelved, name: &str, file: &[u8]) {
    fs::write(own.at(&format!("{name}.sha256")), format!("{}  {name}\n", hash(file))).unwrap();
}

#[test]
fn a_damaged_pin_is_told_and_mended() {
    let (old, new) = (noise(10_000), noise(10_001));
    let served = [old.clone(), new.clone()];
    let count = AtomicU32::new(0);
    let server = FileServer::start(move |asked| {
        let count = count.fetch_add(1, Ordering::Relaxed) as usize;
        honest(&served[count.min(1)], if count == 0 { ETAG } else { "\"two\"" }, asked)
    });
    let own = Shelved::plain(&server.url("m.json"), "");
    own.run(&["pull", "m"]).is(0, &["pinned"]);
    let pin = own.at("m.json.sha256");
    for damage in ["", "no hash", "\u{0}"] {
        fs::write(&pin, damage).unwrap();
        let way = "attendant models pull m --anew";
        own.run(&["pull", "m"]).is(65, &["m.json.sha256", way]);
        own.run(&["verify"]).is(65, &["m.json", "m.json.sha256", way]);
    }
    fs::remove_file(&pin).unwrap();
    symlink(own.at("m.json"), &pin).unwrap();
    own.run(&["pull", "m"]).is(65, &["m.json.sha256", "symlink", "--anew"]);
    assert_eq!(own.content().unwrap(), old);
    // The server has another version meanwhile.
    own.run(&["pull", "m", "--anew"]).is(0, &["verified", "pinned"]);
    assert_eq!(own.content().unwrap(), new);
    own.run(&["verify", "m"]).is(0, &["right"]);
    fs::remove_file(own.at("m.json")).unwrap();
    fs::write(&pin, hash(&old)).unwrap();
    own.run(&["pull", "m"]).is(65, &["m.json", "SHA-256", "--anew"]);
}

#[test]
fn a_damaged_pin_of_a_known_file_is_written_again() {
    let file = noise(10_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    own.run(&["pull", "m"]).is(0, &["verified"]);
    let right = fs::read(own.at("m.json.sha256")).unwrap();
    for (damage, file_is_there) in [("no hash", true), ("no hash", false)] {
        fs::write(own.at("m.json.sha256"), damage).unwrap();
        if !file_is_there {
            fs::remove_file(own.at("m.json")).unwrap();
        }
        own.run(&["pull", "m"]).is(0, &["verified"]);
        assert_eq!(fs::read(own.at("m.json.sha256")).unwrap(), right);
    }
    own.run(&["pull", "m", "--anew"]).is(0, &["here and verified"]);
    assert_eq!(server.asked().len(), 2, "a known hash needs no second look at the server");
}

#[test]
fn what_no_manifest_names_is_verified_by_its_pin_or_listed_as_unknown() {
    let file = noise(10_000);
    let own = Shelved::plain("https://example.org/m.json", &known(&file));
    fs::create_dir_all(own.at("folder")).unwrap();
    fs::write(own.at("mine.bin"), &file).unwrap();
    fs::write(own.at("old.bin.partial"), &file).unwrap();
    own.run(&["verify"]).is(0, &["mine.bin: unknown", "folder: unknown"]);
    pin(&own, "mine.bin", &file);
    let right = own.run(&["verify"]);
    right.is(0, &["mine.bin: right by its pin"]);
    assert!(!right.out.contains("partial") && !right.out.contains("sha256:"), "{right:?}");

    fs::write(own.at("mine.bin"), &file[1..]).unwrap();
    own.run(&["verify"]).is(65, &["mine.bin is refused", "SHA-256"]);
    // Only what is named is looked at.
    own.run(&["verify", "m"]).is(66, &["m.json"]);
    fs::remove_file(own.at("mine.bin")).unwrap();
    symlink(own.folder.write("target", &file), own.at("mine.bin")).unwrap();
    own.run(&["verify"]).is(65, &["mine.bin is refused", "symlink"]);
    fs::remove_file(own.at("mine.bin")).unwrap();

    // A model of one's own that keeps its weights beside itself, each with its pin.
    let model = onnx_reading("mine.data");
    fs::write(own.at("mine.onnx"), &model).unwrap();
    fs::write(own.at("mine.data"), &file).unwrap();
    pin(&own, "mine.onnx", &model);
    own.run(&["verify"]).is(65, &["mine.onnx is refused", "mine.data"]);
    pin(&own, "mine.data", &file);
    own.run(&["verify"]).is(0, &["mine.onnx: right", "mine.data: right"]);
}

#[test]
fn what_others_have_put_there_is_neither_written_to_nor_believed() {
    let file = noise(10_000);
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::plain(&server.url("m.json"), &known(&file));
    fs::create_dir_all(own.at("")).unwrap();
    let target = own.folder.write("target", "of somebody else");
    fs::hard_link(&target, own.at("m.json.partial")).unwrap();
    own.run(&["pull", "m"]).is(65, &["m.json.partial", "hard link"]);
    assert_eq!(fs::read(&target).unwrap(), b"of somebody else");
    fs::remove_file(own.at("m.json.partial")).unwrap();
    if nix::unistd::geteuid().is_root() {
        fs::write(own.at("m.json.partial"), &file[..10]).unwrap();
        chown(own.at("m.json.partial"), Some(4_711), None).unwrap();
        own.run(&["pull", "m"]).is(65, &["m.json.partial", "4711"]);
        fs::remove_file(own.at("m.json.partial")).unwrap();
        fs::write(own.at("m.json"), &file).unwrap();
        chown(own.at("m.json"), Some(4_711), None).unwrap();
        own.run(&["verify"]).is(65, &["m.json", "belongs to the user 4711"]);
    }
    own.run(&["pull", "m"]).is(0, &["verified"]);

    let mode = |mode| fs::set_permissions(own.folder.path(), PermissionsExt::from_mode(mode));
    mode(0o777).unwrap();
    let above = own.folder.path().to_str().unwrap();
    own.run(&["verify"]).is(65, &["the shelf", above, "everybody may exchange"]);
    own.run(&["pull", "m"]).is(1, &["the shelf", above, "everybody may exchange"]);
    mode(0o755).unwrap();
    own.run(&["verify"]).is(0, &["right"]);
}

#[test]
fn a_manifest_without_an_end_is_refused_at_once() {
    let own = Shelved::plain("https://example.org/m.json", "");
    let pipe = own.folder.at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for endless in ["/dev/zero", pipe.to_str().unwrap()] {
        let list = ["models", "list", "--manifest", endless];
        ended(own.command(&list)).is(66, &[endless, "no file"]);
    }
    let mut long = "# \n".repeat(400_000);
    long.push_str("[[model]]\n");
    own.folder.write("manifest.toml", long);
    own.run(&["list"]).is(66, &["manifest.toml", "longer than 1048576 bytes"]);
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
    for (location, name) in [
        ("../secret", "m.onnx"),
        ("/etc/passwd", "m.ONNX"),
        ("other.bin", "m.bin"),
        ("../secret", "m.ort"),
    ] {
        let file = onnx_reading(location);
        let served = file.clone();
        let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
        let own = Shelved::new(&server.url(name), name, "voice", &known(&file));
        let why = if name == "m.ort" { ".ort" } else { location };
        own.run(&["pull", "m"]).is(65, &[name, why]);
        assert!(own.content().is_none());
        fs::write(own.at(name), &file).unwrap();
        own.run(&["verify"]).is(65, &[name, why]);
    }
    let file = field(7, &field(2, b"graph"));
    let served = file.clone();
    let server = FileServer::start(move |asked| honest(&served, ETAG, asked));
    let own = Shelved::new(&server.url("m.onnx"), "m.onnx", "voice", &known(&file));
    let path = own.at("m.onnx").display().to_string();
    own.run(&["pull", "m"]).is(0, &["voice = ", &path]);
    // Who names it wants it loaded, and a voice is more than its graph.
    own.run(&["warm", "m"]).is(66, &["m: ", "m.onnx.json"]);
    ended(own.command(&["models", "warm", "qwen3:4b"])).is(2, &["qwen3:4b", "Ollama"]);
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

    // What is on the shelf is not loaded without its hash.
    let config = own.folder.write(
        "attendant.toml",
        format!("[speech]\ndevice = \"cpu\"\nwhisper_model = \"{}\"\n", path.display()),
    );
    let engine = ["speech", "--config", config.to_str().unwrap()];
    let pin = own.at("ggml-m.bin.sha256");
    let pinned = fs::read(&pin).unwrap();
    fs::remove_file(&pin).unwrap();
    own.run(&warm).is(65, &[path.to_str().unwrap(), ".sha256"]);
    ended(own.command(&engine))
        .is(65, &["speech.whisper_model", path.to_str().unwrap(), ".sha256"]);
    fs::write(&pin, pinned).unwrap();

    let mut flipped = file;
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    own.run(&warm).is(65, &[path.to_str().unwrap(), "SHA-256"]);
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
