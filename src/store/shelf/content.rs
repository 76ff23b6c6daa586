//! What is in a model file: its hash first, and after that whether it is of its kind and reads no
//! other file. What it is decides what it holds, not how it is called: a runtime does not go by
//! names either.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::check::Flaw;
use super::manifest::{Kind, Model, ModelFile};
use super::onnx::{self, OnnxError};
use crate::base::limits;
use crate::speech::model::hexadecimal;
use crate::store::bounded::{self, ReadError};
use crate::store::trusted::Untrusted;

const CHUNK_BYTES: usize = 256 * 1024;
const HEAD_BYTES: usize = 8;
/// How every Whisper file of whisper.cpp begins: the number "ggml", little-endian.
const GGML: &[u8] = b"lmgg";
/// How an archive begins. No ONNX file does: as protobuf, its second field would have the number 0.
const ZIP: &[u8] = b"PK\x03\x04";
/// What stands at byte 4 of a file in ONNX Runtime's own format, which keeps data elsewhere too.
const ORT: &[u8] = b"ORTM";

/// What a file is to be.
pub struct Place<'a> {
    pub name: &'a str,
    pub role: Role,
    /// Whether a file of this name lies beside it and is checked as it is.
    pub has: &'a dyn Fn(&str) -> bool,
}

/// What a file is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// whisper.cpp loads it.
    Whisper,
    /// A runtime for ONNX loads it, unless it is an archive.
    Onnx,
    /// It lies beside such a file.
    Other,
}

impl Role {
    pub fn of(file: &ModelFile, model: &Model) -> Self {
        let is_first = model.files.first().is_some_and(|first| first.name == file.name);
        match model.kind {
            Kind::Whisper => Self::Whisper,
            _ if is_first => Self::Onnx,
            _ => Self::Other,
        }
    }
}

/// What was hashed: all of it, or how it begins.
enum Hashed {
    Whole(Vec<u8>),
    Beginning(Vec<u8>),
}

/// Reads the opened file from its beginning to its end; its hash, if that is `wanted` and the
/// content is what it is to be.
pub fn read(
    opened: &mut File,
    place: &Place<'_>,
    wanted: Option<[u8; 32]>,
) -> Result<[u8; 32], Flaw> {
    let unreadable = |error| Flaw::from(Untrusted::Unreadable(error));
    let bytes = opened.metadata().map_err(unreadable)?.len();
    if bytes > limits::MODEL_BYTES {
        return Err(Flaw::TooLong(limits::MODEL_BYTES));
    }
    let mut head = [0; HEAD_BYTES];
    let filled = opened.read_at(&mut head, 0).map_err(unreadable)?;
    let is_archive = head.get(..filled).is_some_and(|head| head.starts_with(ZIP));
    let may_be_onnx = place.role != Role::Whisper && !is_archive && bytes <= limits::ONNX_BYTES;
    let (actual, hashed) = if may_be_onnx {
        let whole = bounded::rest(opened, limits::ONNX_BYTES).map_err(|error| match error {
            ReadError::Unreadable(error) => unreadable(error),
            _ => Flaw::TooLong(limits::ONNX_BYTES),
        })?;
        (Sha256::digest(&whole).into(), Hashed::Whole(whole))
    } else {
        let (actual, head) = in_chunks(opened).map_err(unreadable)?;
        (actual, Hashed::Beginning(head))
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != actual) {
        let [actual, wanted] = [actual, wanted].map(|sha256| hexadecimal(&sha256));
        return Err(Flaw::Hash { actual, wanted });
    }
    judge(&hashed, place)?;
    Ok(actual)
}

/// Whether what was hashed is what the file is to be.
fn judge(hashed: &Hashed, place: &Place<'_>) -> Result<(), Flaw> {
    let (Hashed::Whole(head) | Hashed::Beginning(head)) = hashed;
    let name = place.name.to_ascii_lowercase();
    let must_be_onnx = place.role == Role::Onnx || name.ends_with(".onnx");
    match hashed {
        _ if place.role == Role::Whisper => match head.starts_with(GGML) {
            true => Ok(()),
            false => Err(Flaw::OtherKind("Whisper model in the ggml format")),
        },
        _ if name.ends_with(".ort") || head.get(4..8) == Some(ORT) => Err(Flaw::Ort),
        _ if head.starts_with(ZIP) && !name.ends_with(".onnx") => Ok(()),
        Hashed::Whole(whole) => match onnx::external_files(whole) {
            Ok(names) => match names.into_iter().find(|name| !(place.has)(name)) {
                Some(name) => Err(Flaw::Foreign(name)),
                None => Ok(()),
            },
            // It never was a model that reads anything.
            Err(OnnxError::NotOnnx | OnnxError::Damaged(_)) if !must_be_onnx => Ok(()),
            Err(error) => Err(error.into()),
        },
        Hashed::Beginning(_) if must_be_onnx => Err(Flaw::TooLong(limits::ONNX_BYTES)),
        Hashed::Beginning(_) => Ok(()),
    }
}

/// The hash of what is left of the file, and its first bytes.
fn in_chunks(file: &mut File) -> io::Result<([u8; 32], Vec<u8>)> {
    let mut hash = Sha256::new();
    let mut head = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match file.read(&mut chunk) {
            Ok(0) => return Ok((hash.finalize().into(), head)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let part = chunk.get(..count).unwrap_or_default();
        let missing = HEAD_BYTES - head.len().min(HEAD_BYTES);
        head.extend_from_slice(part.get(..missing.min(count)).unwrap_or_default());
        hash.update(part);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::onnx::tests::{model_reading, whole_model};
    use super::*;

    const NO: fn(&str) -> bool = |_| false;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("attendant-content-{}-{name}", std::process::id()))
    }

    fn look(name: &str, role: Role, content: &[u8]) -> Result<[u8; 32], Flaw> {
        let path = file(name);
        fs::write(&path, content).unwrap();
        let has = |name: &str| name == "weights.bin";
        let read = read(&mut File::open(&path).unwrap(), &Place { name, role, has: &has }, None);
        fs::remove_file(path).unwrap();
        read
    }

    #[test]
    fn an_onnx_file_that_reads_others_is_found_under_any_name() {
        let outside = model_reading("../secret");
        let foreign = model_reading("other.bin");
        let own = model_reading("weights.bin");
        let runtimes = [&[8, 0, 0, 0], ORT, &outside].concat();
        for (name, role) in [
            ("m.onnx", Role::Onnx),
            ("m.ONNX", Role::Onnx),
            ("m", Role::Onnx),
            ("m.bin", Role::Other),
            ("m.json", Role::Other),
        ] {
            let found = look(name, role, &outside);
            assert!(matches!(found, Err(Flaw::Onnx(OnnxError::Outside(_)))), "{name}: {found:?}");
            let found = look(name, role, &foreign);
            assert!(matches!(&found, Err(Flaw::Foreign(f)) if f == "other.bin"), "{name}");
            assert!(look(name, role, &own).is_ok(), "{name}");
            assert!(look(name, role, &whole_model()).is_ok(), "{name}");
            assert!(matches!(look(name, role, &runtimes), Err(Flaw::Ort)), "{name}");
        }
        assert!(matches!(look("m.Ort", Role::Other, b"{}"), Err(Flaw::Ort)));
    }

    #[test]
    fn what_a_runtime_loads_must_be_what_it_takes_it_for() {
        // A group, which parsers skip and which no encoder writes, before a name that leads outside.
        let hidden = [&[9 << 3 | 3, 9 << 3 | 4], &*model_reading("../secret")].concat();
        let text = b"{\"sample_rate\": 22050}";
        for (name, role, content, is_right) in [
            ("m.bin", Role::Onnx, &hidden[..], false),
            ("m.Onnx", Role::Other, &hidden, false),
            ("m.json", Role::Onnx, text, false),
            ("m.onnx", Role::Other, text, false),
            ("m.json", Role::Other, text, true),
            ("m.zip", Role::Onnx, b"PK\x03\x04 and so on", true),
            ("m.onnx", Role::Onnx, b"PK\x03\x04 and so on", false),
            ("m.bin", Role::Whisper, b"lmgg and so on", true),
            ("m.bin", Role::Whisper, b"PK\x03\x04 and so on", false),
            ("m.bin", Role::Whisper, &[], false),
        ] {
            let found = look(name, role, content);
            assert_eq!(found.is_ok(), is_right, "{name} {role:?}: {found:?}");
        }
    }

    #[test]
    fn no_part_of_a_file_is_taken_for_the_whole_of_it() {
        let path = file("long");
        fs::write(&path, whole_model()).unwrap();
        let long = File::options().write(true).open(&path).unwrap();
        long.set_len(limits::MODEL_BYTES + 1).unwrap();
        let place = Place { name: "m.onnx", role: Role::Onnx, has: &NO };
        let found = read(&mut File::open(&path).unwrap(), &place, None);
        assert!(matches!(found, Err(Flaw::TooLong(limits::MODEL_BYTES))), "{found:?}");
        fs::remove_file(path).unwrap();
        let longer_than_read = Hashed::Beginning(whole_model());
        let found = judge(&longer_than_read, &place);
        assert!(matches!(found, Err(Flaw::TooLong(limits::ONNX_BYTES))), "{found:?}");
    }

    #[test]
    fn the_hash_counts_before_the_content() {
        let path = file("hash");
        fs::write(&path, model_reading("../secret")).unwrap();
        let place = Place { name: "m.onnx", role: Role::Onnx, has: &NO };
        let found = read(&mut File::open(&path).unwrap(), &place, Some([0; 32]));
        assert!(matches!(found, Err(Flaw::Hash { .. })), "{found:?}");
        fs::remove_file(path).unwrap();
    }
}
