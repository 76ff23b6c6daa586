use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use sha2::{Digest, Sha256};

use super::*;
use crate::speech::model::hexadecimal;
use crate::store::shelf::manifest::Manifest;

const MANY: u64 = 1 << 60;

fn folder(name: &str) -> PathBuf {
    let name = format!("attendant-pull-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// A file of this length that a voice may have.
fn archive(bytes: usize) -> Vec<u8> {
    let mut archive = vec![7; bytes];
    archive[..4].copy_from_slice(b"PK\x03\x04");
    archive
}

/// Serves one request with this answer; its port.
fn server(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4_096]).unwrap();
        // Whoever has no room does not take everything.
        let _ = stream.write_all(&answer);
    });
    port
}

fn manifest(port: u16, known: &str) -> Manifest {
    let text = format!(
        "[[model]]\nname = \"m\"\nkind = \"voice\"\nlicence = \"MIT\"\nlanguages = [\"en\"]\n\
         memory_mb = 1\n[[model.file]]\nurl = \"http://127.0.0.1:{port}/m.json\"\n{known}"
    );
    Manifest::parse(&text).unwrap()
}

fn pull(shelf: &Shelf, source: &Source, manifest: &Manifest, free: u64) -> Result<(), PullError> {
    let free_bytes = |_: &Folder| Ok(free);
    let mut puller =
        Puller { shelf, source, anew: false, free_bytes: &free_bytes, report: &mut |_| () };
    puller.pull(&manifest.models()[0])
}

#[test]
fn a_full_disk_is_told_before_the_server_is_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let shelf = Shelf::at(folder("full"));
    let manifest = manifest(listener.local_addr().unwrap().port(), "bytes = 1000000\n");
    let source = Source::Web { web: Web::here().unwrap(), mirror: None };
    let free = limits::SHELF_RESERVE_BYTES + 999_999;
    let error = pull(&shelf, &source, &manifest, free).unwrap_err();
    assert!(matches!(error, PullError::Full { .. }), "{error}");
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);

    // What has come already needs no room.
    std::fs::write(shelf.path().join("m.json.partial"), [0]).unwrap();
    let free_bytes = |_: &Folder| Ok(free);
    let report = &mut |_| ();
    let puller =
        Puller { shelf: &shelf, source: &source, anew: false, free_bytes: &free_bytes, report };
    let folder = Folder::open(shelf.path()).unwrap();
    let files: Vec<_> = manifest.models()[0].files.iter().collect();
    assert!(puller.room_for_all(&folder, &files).is_ok());
    std::fs::remove_dir_all(shelf.path()).unwrap();
}

#[test]
fn a_stick_with_a_file_that_does_not_fit_is_told_before_it_is_copied() {
    let stick = folder("stick");
    std::fs::create_dir_all(&stick).unwrap();
    std::fs::write(stick.join("m.json"), archive(1_000)).unwrap();
    let shelf = Shelf::at(folder("small"));
    let source = Source::Folder(stick.clone());
    let manifest = manifest(1, "");
    let free = limits::SHELF_RESERVE_BYTES + 999;
    let error = pull(&shelf, &source, &manifest, free).unwrap_err();
    let full = matches!(error, PullError::File { source: FileError::Full { .. }, .. });
    assert!(full, "{error}");
    assert!(pull(&shelf, &source, &manifest, MANY).is_ok());
    std::fs::remove_dir_all(stick).unwrap();
    std::fs::remove_dir_all(shelf.path()).unwrap();
}

#[test]
fn what_is_begun_makes_room_when_the_server_sends_the_file_from_its_beginning() {
    let file = archive(1_000_000);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n";
    let port = server([&head[..], &file].concat());
    let shelf = Shelf::at(folder("begun"));
    std::fs::create_dir_all(shelf.path()).unwrap();
    let begun = shelf.path().join("m.json.partial");
    std::fs::write(&begun, vec![1; 600_000]).unwrap();
    let hash = hexadecimal(&Sha256::digest(&file));
    let manifest = manifest(port, &format!("bytes = 1000000\nsha256 = \"{hash}\"\n"));
    let source = Source::Web { web: Web::here().unwrap(), mirror: None };
    // As a disk of which these 400,000 bytes and the reserve are free before anything is dropped.
    let free_bytes = |_: &Folder| {
        let taken = std::fs::metadata(&begun).unwrap().len();
        Ok((limits::SHELF_RESERVE_BYTES + 1_000_000).saturating_sub(taken) + 1)
    };
    let report = &mut |_| ();
    let mut puller =
        Puller { shelf: &shelf, source: &source, anew: false, free_bytes: &free_bytes, report };
    let pulled = puller.pull(&manifest.models()[0]);
    assert!(pulled.is_ok(), "{pulled:?}");
    assert_eq!(std::fs::read(shelf.path().join("m.json")).unwrap(), file);
    std::fs::remove_dir_all(shelf.path()).unwrap();
}

#[test]
fn a_file_of_unknown_length_leaves_the_disk_its_reserve() {
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let port = server([&head[..], &archive(20_000_000)].concat());
    let shelf = Shelf::at(folder("unknown"));
    let manifest = manifest(port, &format!("sha256 = \"{}\"\n", "0".repeat(64)));
    let source = Source::Web { web: Web::here().unwrap(), mirror: None };
    let room = limits::SHELF_RESERVE_BYTES + limits::PULL_SYNC_BYTES * 2;
    let partial = shelf.path().join("m.json.partial");
    let taken = || std::fs::metadata(&partial).map_or(0, |partial| partial.len());
    let free_bytes = |_: &Folder| Ok(room.saturating_sub(taken()));
    let report = &mut |_| ();
    let mut puller =
        Puller { shelf: &shelf, source: &source, anew: false, free_bytes: &free_bytes, report };
    let error = puller.pull(&manifest.models()[0]).unwrap_err();
    assert!(matches!(error, PullError::File { source: FileError::Full { .. }, .. }), "{error:?}");
    assert!(taken() <= limits::PULL_SYNC_BYTES * 2, "{}", taken());
    std::fs::remove_dir_all(shelf.path()).unwrap();
}
