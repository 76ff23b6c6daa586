//! Which Whisper model is used: the starter inside the program, or a file that the owner names.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{ggml, starter};
use crate::base::limits;
use crate::store::bounded::{self, ReadError};
use crate::store::shelf::check::{Flaw, pin_beside};
use crate::store::trusted::{self, Untrusted};

/// Where the model comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelSource {
    /// The starter model inside the program.
    #[default]
    Starter,
    /// A Whisper model in the ggml format. Its hash is checked first.
    File { path: PathBuf, hash: Hash },
}

/// Which SHA-256 a file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Known([u8; 32]),
    /// The one in `FILE.sha256` beside it, which must be there: a file on the shelf has one.
    Pinned,
    /// The one in `FILE.sha256` beside it, if there is one: a file of the owner's own.
    PinnedIfAny,
}

/// A model that is whole, in memory.
#[derive(Debug)]
pub struct Model {
    pub name: String,
    pub bytes: Cow<'static, [u8]>,
    pub sha256: [u8; 32],
    pub outline: ggml::Outline,
}

/// Why there is no model; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("speech model {} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("speech model {} is refused: {source}", path.display())]
    Untrusted { path: PathBuf, source: Untrusted },
    #[error("the hash beside speech model {} is refused: {source}", path.display())]
    Pin { path: PathBuf, source: Box<Flaw> },
    #[error(
        "speech model {} is refused: it is on the shelf and has no SHA-256 in {}.sha256 beside it",
        path.display(), path.display()
    )]
    Unpinned { path: PathBuf },
    #[error("speech model {} is refused: it is longer than {most} bytes", path.display())]
    TooLong { path: PathBuf, most: u64 },
    #[error("speech model {} is damaged or of another kind: {source}", path.display())]
    Malformed { path: PathBuf, source: ggml::OutlineError },
    #[error(
        "speech model {} is damaged or not the pinned one: its {bytes} bytes have the SHA-256 {actual}",
        path.display()
    )]
    WrongHash { path: PathBuf, bytes: usize, actual: String },
    #[error(
        "speech model {} hears {window_ms} ms at once, and a caller's sentence may have {}",
        path.display(), limits::UTTERANCE_MS
    )]
    SmallWindow { path: PathBuf, window_ms: u32 },
    #[error("speech model {} is refused by whisper.cpp", path.display())]
    Refused { path: PathBuf },
}

impl ModelError {
    /// There is no such file, or it may not be read; otherwise it is there and wrong.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }
}

impl ModelSource {
    /// The file's path, or what stands for it in messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::Starter => Path::new("(starter-en, built in)"),
            Self::File { path, .. } => path,
        }
    }

    /// Reads and checks the whole model, its hash before anything else looks at it; it has not been
    /// given to whisper.cpp yet.
    pub fn read(&self) -> Result<Model, ModelError> {
        let path = || self.path().to_path_buf();
        let (name, bytes, sha256) = match self {
            Self::Starter => {
                let bytes = Cow::Borrowed(starter::MODEL);
                let sha256 = right_hash(self.path(), &bytes, starter::sha256())?;
                (starter::NAME.to_owned(), bytes, sha256)
            }
            Self::File { path, hash } => {
                let (bytes, sha256) = verified(path, *hash, limits::MODEL_BYTES)?;
                let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
                (name.into_owned(), Cow::Owned(bytes), sha256)
            }
        };
        let outline = ggml::outline(&bytes);
        let outline = outline.map_err(|source| ModelError::Malformed { path: path(), source })?;
        let window_ms = outline.window_ms();
        if u64::from(window_ms) < limits::UTTERANCE_MS {
            return Err(ModelError::SmallWindow { path: path(), window_ms });
        }
        Ok(Model { name, bytes, sha256, outline })
    }
}

impl Hash {
    /// The hash that the file at `path` must have, if it must have one.
    fn beside(self, path: &Path) -> Result<Option<[u8; 32]>, ModelError> {
        if let Self::Known(sha256) = self {
            return Ok(Some(sha256));
        }
        let path = || path.to_path_buf();
        match pin_beside(&path()) {
            Ok(None) if self == Self::Pinned => Err(ModelError::Unpinned { path: path() }),
            Ok(pinned) => Ok(pinned),
            Err(source) => Err(ModelError::Pin { path: path(), source: Box::new(source) }),
        }
    }
}

/// A whole file of at most `most` bytes and its SHA-256, if that is what it must be. What is hashed
/// and what is loaded are these bytes: nobody can exchange the file in between.
pub fn verified(path: &Path, hash: Hash, most: u64) -> Result<(Vec<u8>, [u8; 32]), ModelError> {
    let bytes = read_file(path, most)?;
    let sha256 = right_hash(path, &bytes, hash.beside(path)?)?;
    Ok((bytes, sha256))
}

fn right_hash(path: &Path, bytes: &[u8], wanted: Option<[u8; 32]>) -> Result<[u8; 32], ModelError> {
    let sha256: [u8; 32] = Sha256::digest(bytes).into();
    match wanted {
        Some(wanted) if wanted != sha256 => Err(ModelError::WrongHash {
            path: path.to_owned(),
            bytes: bytes.len(),
            actual: hexadecimal(&sha256),
        }),
        _ => Ok(sha256),
    }
}

fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, ModelError> {
    let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
    let file = trusted::open(path).map_err(|source| match source {
        Untrusted::Unreadable(source) => unreadable(source),
        source => ModelError::Untrusted { path: path.to_owned(), source },
    })?;
    bounded::rest(file, most).map_err(|error| match error {
        ReadError::Unreadable(source) => unreadable(source),
        _ => ModelError::TooLong { path: path.to_owned(), most },
    })
}

/// Lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first 64 hexadecimal digits of `text`, as `sha256sum` prints them.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim_start().get(..64)?;
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let mut sha256 = [0; 32];
    for (byte, pair) in sha256.iter_mut().zip(pairs) {
        let pair = std::str::from_utf8(pair).ok()?;
        // `from_str_radix` would take a sign.
        let digits = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = digits.then(|| u8::from_str_radix(pair, 16).ok())??;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &[u8]) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("attendant-model-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn the_starter_is_whole_and_is_the_pinned_one() {
        let model = ModelSource::Starter.read().unwrap();
        assert_eq!(starter::sha256(), Some(model.sha256));
    }

    #[test]
    fn a_model_that_hears_less_than_an_utterance_is_refused_by_name() {
        for (entries, fits) in [(499, false), (500, true)] {
            let mut bytes = ggml::tests::small_file();
            bytes[8..12].copy_from_slice(&u32::to_le_bytes(entries));
            let path = file("window", &bytes);
            let read = ModelSource::File { path: path.clone(), hash: Hash::PinnedIfAny }.read();
            std::fs::remove_file(&path).unwrap();
            assert_eq!(read.is_ok(), fits, "{read:?}");
            if let Err(error) = read {
                assert!(matches!(&error, ModelError::SmallWindow { window_ms: 9_980, .. }));
                let text = error.to_string();
                assert!(text.contains(path.to_str().unwrap()) && text.contains("10000"), "{text}");
            }
        }
    }

    #[test]
    fn a_missing_a_damaged_and_another_file_are_told_apart_by_name() {
        let missing = PathBuf::from("/nonexistent/ggml-small.bin");
        let source = ModelSource::File { path: missing, hash: Hash::PinnedIfAny };
        let error = source.read().unwrap_err();
        assert!(error.is_missing() && error.to_string().contains("/nonexistent/ggml-small.bin"));

        let whole = ggml::tests::small_file();
        let cut = file("cut", &whole[..whole.len() - 1]);
        let error =
            ModelSource::File { path: cut.clone(), hash: Hash::PinnedIfAny }.read().unwrap_err();
        assert!(matches!(&error, ModelError::Malformed { path, .. } if *path == cut));

        let other = file("other", &whole);
        let source = ModelSource::File { path: other.clone(), hash: Hash::Known([0; 32]) };
        assert!(matches!(source.read(), Err(ModelError::WrongHash { .. })));
        let source = ModelSource::File { path: other.clone(), hash: Hash::PinnedIfAny };
        let hash = Hash::Known(source.read().unwrap().sha256);
        assert!(ModelSource::File { path: other.clone(), hash }.read().is_ok());
        std::fs::remove_file(cut).unwrap();
        std::fs::remove_file(other).unwrap();
    }

    #[test]
    fn a_hash_beside_the_file_counts_and_a_flipped_bit_is_refused() {
        let whole = ggml::tests::small_file();
        let path = file("pinned", &whole);
        let pin = PathBuf::from(format!("{}.sha256", path.display()));
        let source = ModelSource::File { path: path.clone(), hash: Hash::PinnedIfAny };
        let sha256 = source.read().unwrap().sha256;
        std::fs::write(&pin, format!("{}  any-name.bin\n", hexadecimal(&sha256))).unwrap();
        assert!(source.read().is_ok());

        let mut flipped = whole;
        // The last bit is one of a weight: the outline cannot see it.
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let error = source.read().unwrap_err();
        assert!(matches!(error, ModelError::WrongHash { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");

        std::fs::write(&pin, "no hash").unwrap();
        assert!(matches!(source.read(), Err(ModelError::Pin { .. })));
        std::fs::write(&pin, [0xff]).unwrap();
        assert!(matches!(source.read(), Err(ModelError::Pin { .. })));
        std::fs::remove_file(path).unwrap();
        std::fs::remove_file(pin).unwrap();
    }

    #[test]
    fn a_file_on_the_shelf_is_not_loaded_without_a_hash() {
        let path = file("shelved", &ggml::tests::small_file());
        let error =
            ModelSource::File { path: path.clone(), hash: Hash::Pinned }.read().unwrap_err();
        assert!(matches!(error, ModelError::Unpinned { .. }) && !error.is_missing(), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_symlink_is_refused_by_name() {
        let path = file("target", &ggml::tests::small_file());
        let link = path.with_extension("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let error =
            ModelSource::File { path: link.clone(), hash: Hash::PinnedIfAny }.read().unwrap_err();
        assert!(matches!(error, ModelError::Untrusted { .. }) && !error.is_missing(), "{error}");
        assert!(error.to_string().contains(link.to_str().unwrap()), "{error}");
        std::fs::remove_file(link).unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_hash_is_read_as_sha256sum_prints_it() {
        let line = format!("{}  ggml-starter.bin\n", hexadecimal(&[0xab; 32]));
        assert_eq!(parse_sha256(&line), Some([0xab; 32]));
        assert_eq!(parse_sha256("ab"), None);
        assert_eq!(parse_sha256(&"+1".repeat(32)), None);
    }
}
