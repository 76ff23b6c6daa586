//! Whether a file on the shelf is what the manifest, or the pin beside it, says.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::folder::Folder;
use super::manifest::{Kind, Model, ModelFile};
use super::onnx::{self, OnnxError};
use crate::base::limits;
use crate::speech::model::{hexadecimal, parse_sha256};
use crate::store::trusted::{self, Untrusted};

const CHUNK_BYTES: usize = 256 * 1024;
/// How every Whisper file of whisper.cpp begins: the number "ggml", little-endian.
const GGML: &[u8] = b"lmgg";

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error("it has {bytes} bytes, and it should have {wanted}")]
    Size { bytes: u64, wanted: u64 },
    #[error("its SHA-256 is {actual}, and it should be {wanted}")]
    Hash { actual: String, wanted: String },
    #[error("no SHA-256 of it is known; `attendant models pull` fetches it anew and pins one")]
    Unpinned,
    #[error("the pin beside it, {0}, holds no SHA-256")]
    Pin(String),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error("it reads the file {0:?}, which is none of this model's")]
    Foreign(String),
    #[error("it is no {0}")]
    OtherKind(&'static str),
}

impl Flaw {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Untrusted(error) if error.is_missing())
    }
}

/// The name of the pin: one line as `sha256sum` prints it.
pub fn pin_of(name: &str) -> String {
    format!("{name}.sha256")
}

/// The content of a pin.
pub fn pin_line(name: &str, sha256: &[u8; 32]) -> String {
    format!("{}  {name}\n", hexadecimal(sha256))
}

/// What the pin of this file in the shelf says, if there is one.
pub fn pinned(folder: &Folder, name: &str) -> Result<Option<[u8; 32]>, Flaw> {
    let pin = pin_of(name);
    match folder.small(&pin)? {
        Some(text) => parse_sha256(&text).map(Some).ok_or(Flaw::Pin(pin)),
        None => Ok(None),
    }
}

/// What a pin beside any file says, if there is one: `FILE.sha256`.
pub fn pin_beside(path: &Path) -> Result<Option<[u8; 32]>, Flaw> {
    let mut pin = path.as_os_str().to_owned();
    pin.push(".sha256");
    let file = match trusted::open(Path::new(&pin)) {
        Ok(file) => file,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    file.take(4_096).read_to_string(&mut text).map_err(Untrusted::Unreadable)?;
    let name = Path::new(&pin).file_name().unwrap_or_default().to_string_lossy();
    parse_sha256(&text).map(Some).ok_or_else(|| Flaw::Pin(name.into_owned()))
}

/// Reads and checks the whole file under its name; its length if it is right.
pub fn check(folder: &Folder, model: &Model, file: &ModelFile) -> Result<u64, Flaw> {
    let sha256 = match file.sha256 {
        Some(sha256) => Some(sha256),
        None => pinned(folder, &file.name)?,
    };
    let mut opened = folder.read(&file.name)?;
    let bytes = length(&opened)?;
    right_size(bytes, file.bytes)?;
    let wanted = sha256.ok_or(Flaw::Unpinned)?;
    let actual = content(&mut opened, model, file)?;
    if actual != wanted {
        let [actual, wanted] = [actual, wanted].map(|sha256| hexadecimal(&sha256));
        return Err(Flaw::Hash { actual, wanted });
    }
    Ok(bytes)
}

pub fn right_size(bytes: u64, wanted: Option<u64>) -> Result<(), Flaw> {
    match wanted {
        Some(wanted) if wanted != bytes => Err(Flaw::Size { bytes, wanted }),
        _ => Ok(()),
    }
}

/// The hash of an opened file that is to be `file` of `model`, from where it stands, with a look at
/// whether it is of that kind and reads nothing else.
pub fn content(opened: &mut File, model: &Model, file: &ModelFile) -> Result<[u8; 32], Flaw> {
    let unreadable = Untrusted::Unreadable;
    if file.name.ends_with(".onnx") {
        let mut bytes = Vec::new();
        opened.take(limits::ONNX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
        let foreign = |name: &String| !model.files.iter().any(|file| file.name == *name);
        if let Some(name) = onnx::external_files(&bytes)?.into_iter().find(foreign) {
            return Err(Flaw::Foreign(name));
        }
        return Ok(Sha256::digest(&bytes).into());
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut is_begin = true;
    loop {
        let filled = fill(opened, &mut chunk).map_err(unreadable)?;
        let part = chunk.get(..filled).unwrap_or_default();
        if is_begin && model.kind == Kind::Whisper && !part.starts_with(GGML) {
            return Err(Flaw::OtherKind("Whisper model in the ggml format"));
        }
        is_begin = false;
        if filled == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(part);
    }
}

fn fill(file: &mut File, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn length(file: &File) -> Result<u64, Untrusted> {
    Ok(file.metadata().map_err(Untrusted::Unreadable)?.len())
}
