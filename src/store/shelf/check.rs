//! Whether a file on the shelf is what the manifest, or the pin beside it, says.

use std::io;
use std::path::Path;

use super::content::{self, Place, Role};
use super::folder::Folder;
use super::manifest::{Model, ModelFile};
use super::onnx::OnnxError;
use crate::base::limits;
use crate::speech::model::{hexadecimal, parse_sha256};
use crate::store::bounded;
use crate::store::trusted::{self, Untrusted};

/// How the name of a pin ends.
pub const PIN: &str = ".sha256";

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error("it has {bytes} bytes, and it should have {wanted}")]
    Size { bytes: u64, wanted: u64 },
    #[error("it is longer than the {0} bytes that such a file may have")]
    TooLong(u64),
    #[error("its SHA-256 is {actual}, and it should be {wanted}")]
    Hash { actual: String, wanted: String },
    #[error("no SHA-256 of it is known")]
    Unpinned,
    #[error("the pin beside it, {0}, holds no SHA-256")]
    Pin(String),
    #[error("the pin beside it, {pin}, is refused: {fault}")]
    UntrustedPin { pin: String, fault: Untrusted },
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error("it reads the file {0:?}, which is none of this model's")]
    Foreign(String),
    #[error("it is no {0}")]
    OtherKind(&'static str),
    #[error(
        "it is a file in ONNX Runtime's own format (.ort), of which nobody knows what it reads"
    )]
    Ort,
}

impl Flaw {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Untrusted(error) if error.is_missing())
    }

    /// The pin may be what is wrong: fetching the file anew and pinning what comes mends it.
    pub const fn may_be_the_pins(&self) -> bool {
        matches!(
            self,
            Self::Hash { .. } | Self::Unpinned | Self::Pin(_) | Self::UntrustedPin { .. }
        )
    }
}

/// The name of the pin: one line as `sha256sum` prints it.
pub fn pin_of(name: &str) -> String {
    format!("{name}{PIN}")
}

/// Pins the file of this name to this hash.
pub fn pin(folder: &Folder, name: &str, sha256: &[u8; 32]) -> io::Result<()> {
    folder.replace(&pin_of(name), format!("{}  {name}\n", hexadecimal(sha256)).as_bytes())
}

/// What the pin of this file in the shelf says, if there is one.
pub fn pinned(folder: &Folder, name: &str) -> Result<Option<[u8; 32]>, Flaw> {
    let pin = pin_of(name);
    match folder.small(&pin) {
        Ok(Some(text)) => parse_sha256(&text).map(Some).ok_or(Flaw::Pin(pin)),
        Ok(None) => Ok(None),
        Err(fault) => Err(Flaw::UntrustedPin { pin, fault }),
    }
}

/// What a pin beside any file says, if there is one: `FILE.sha256`.
pub fn pin_beside(path: &Path) -> Result<Option<[u8; 32]>, Flaw> {
    let mut pin = path.as_os_str().to_owned();
    pin.push(PIN);
    let name = Path::new(&pin).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = match trusted::open(Path::new(&pin)) {
        Ok(file) => file,
        Err(error) if error.is_missing() => return Ok(None),
        Err(fault) => return Err(Flaw::UntrustedPin { pin: name, fault }),
    };
    let text = bounded::rest_as_text(file, limits::SMALL_FILE_BYTES);
    text.ok().and_then(|text| parse_sha256(&text)).map(Some).ok_or(Flaw::Pin(name))
}

/// Reads and checks the whole file under its name; its length if it is right.
pub fn check(folder: &Folder, model: &Model, file: &ModelFile) -> Result<u64, Flaw> {
    let sha256 = match file.sha256 {
        Some(sha256) => Some(sha256),
        None => pinned(folder, &file.name)?,
    };
    let mut opened = folder.read(&file.name)?;
    let bytes = opened.metadata().map_err(Untrusted::Unreadable)?.len();
    right_size(bytes, file.bytes)?;
    let wanted = sha256.ok_or(Flaw::Unpinned)?;
    let has = |name: &str| has(model, name);
    let place = Place { name: &file.name, role: Role::of(file, model), has: &has };
    content::read(&mut opened, &place, Some(wanted))?;
    Ok(bytes)
}

/// Reads and checks a file that no manifest names by its pin alone; its length if it is right,
/// `None` if it has no pin.
pub fn check_by_pin(folder: &Folder, name: &str) -> Result<Option<u64>, Flaw> {
    let Some(wanted) = pinned(folder, name)? else { return Ok(None) };
    let mut opened = folder.read(name)?;
    let bytes = opened.metadata().map_err(Untrusted::Unreadable)?.len();
    // What lies beside it and has a pin is checked by that.
    let has = |other: &str| matches!(pinned(folder, other), Ok(Some(_)));
    content::read(&mut opened, &Place { name, role: Role::Other, has: &has }, Some(wanted))?;
    Ok(Some(bytes))
}

pub fn right_size(bytes: u64, wanted: Option<u64>) -> Result<(), Flaw> {
    match wanted {
        Some(wanted) if wanted != bytes => Err(Flaw::Size { bytes, wanted }),
        _ => Ok(()),
    }
}

/// Whether the model has a file of this name.
pub fn has(model: &Model, name: &str) -> bool {
    model.files.iter().any(|file| file.name == name)
}
