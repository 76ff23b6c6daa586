use std::cell::Cell;
use std::net::TcpListener;

use super::*;
use crate::store::shelf::manifest::Manifest;

const MANY: u64 = 1 << 60;

fn folder(name: &str) -> PathBuf {
    let name = format!("attendant-pull-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
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
    let mut puller = Puller { shelf, source, free_bytes: &free_bytes, report: &mut |_| () };
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
    let begun = Cell::new(0);
    let mut report = |event| {
        if matches!(event, Event::Pauses { .. }) {
            begun.set(begun.get() + 1);
        }
    };
    let free_bytes = |_: &Folder| Ok(free);
    let puller =
        Puller { shelf: &shelf, source: &source, free_bytes: &free_bytes, report: &mut report };
    let folder = Folder::open(shelf.path()).unwrap();
    let files: Vec<_> = manifest.models()[0].files.iter().collect();
    assert!(puller.room_for_all(&folder, &files).is_ok());
    std::fs::remove_dir_all(shelf.path()).unwrap();
}

#[test]
fn a_stick_with_a_file_that_does_not_fit_is_told_before_it_is_copied() {
    let stick = folder("stick");
    std::fs::create_dir_all(&stick).unwrap();
    std::fs::write(stick.join("m.json"), [7; 1_000]).unwrap();
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
fn waits_between_attempts_double_up_to_the_most() {
    let waits = [1, 2, 3, 9, 40].map(|tries| pause(tries).min(limits::PULL_WAIT_MOST));
    assert_eq!(waits[0], limits::PULL_WAIT);
    assert_eq!(waits[1], limits::PULL_WAIT * 2);
    assert_eq!(waits[2], limits::PULL_WAIT * 4);
    assert_eq!(waits[3..], [limits::PULL_WAIT_MOST; 2]);
}
