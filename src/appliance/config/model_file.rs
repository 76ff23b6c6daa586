//! A model that is one file: a name of the shelf, or a file of the owner's own.

use std::path::{Path, PathBuf};

use super::values::{Allowed, allowed};
use crate::speech::model::Hash;
use crate::store::shelf::manifest::{self, Kind, Manifest};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    pub path: PathBuf,
    /// Set if it was named as the shelf names it.
    pub shelved: Option<Shelved>,
    /// Whether it is a file on the shelf, however it was named.
    is_on_shelf: bool,
}

/// A model of the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    pub name: String,
    /// What the manifest says; `None`: what is pinned beside the file.
    sha256: Option<[u8; 32]>,
}

impl ModelFile {
    pub fn of_path(path: PathBuf) -> Self {
        Self { path, shelved: None, is_on_shelf: false }
    }

    /// The file of the model that the shelf calls `name`.
    pub(super) fn shelved(name: &str, file: &manifest::ModelFile) -> Self {
        let shelved = Shelved { name: name.to_owned(), sha256: file.sha256 };
        Self { shelved: Some(shelved), ..Self::of_path((&file.name).into()) }
    }

    /// A name of the shelf wins over a file of that name; `./NAME` is the file. Empty is `None`.
    pub(super) fn named(text: &str, kind: Kind) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let known = Manifest::known().find(text).filter(|model| model.kind == kind);
        let shelved = known.and_then(|model| Some(Self::shelved(text, model.files.first()?)));
        Some(shelved.unwrap_or_else(|| Self::of_path(text.into())))
    }

    /// A turn model: an ONNX file.
    pub(super) fn turn_model(text: &str) -> Result<Option<Self>, Allowed> {
        let model = Self::named(text, Kind::Turn);
        match &model {
            Some(Self { shelved: None, path, .. })
                if path.extension().is_none_or(|end| end != "onnx") =>
            {
                allowed(
                    "a turn model of `attendant models list`, as in smart-turn-v3.2, or such a file \
                     of your own (NAME.onnx)",
                )
            }
            _ => Ok(model),
        }
    }

    /// A relative path counts from `folder`.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if self.shelved.is_none() {
            self.path = folder.join(&self.path);
        }
    }

    /// A model of the shelf is a file in the folder `shelf`.
    pub(super) fn take_from(&mut self, shelf: &Path) {
        if self.shelved.is_some() {
            self.path = shelf.join(&self.path);
        }
        self.is_on_shelf = self.path.parent() == Some(shelf);
    }

    /// Which hash it must have.
    pub(super) fn hash(&self) -> Hash {
        self.hash_beside(self.shelved.as_ref().and_then(|shelved| shelved.sha256))
    }

    /// Which hash a file beside it must have, of which the manifest says this.
    pub(super) fn hash_beside(&self, known: Option<[u8; 32]>) -> Hash {
        match known {
            Some(sha256) => Hash::Known(sha256),
            None if self.is_on_shelf => Hash::Pinned,
            None => Hash::PinnedIfAny,
        }
    }

    /// As the owner wrote it.
    pub fn name(&self) -> String {
        match &self.shelved {
            Some(shelved) => shelved.name.clone(),
            None => self.path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_model_is_a_name_of_the_shelf_or_an_onnx_file() {
        assert_eq!(ModelFile::turn_model(""), Ok(None));
        let mut shelved = ModelFile::turn_model("smart-turn-v3.2").unwrap().unwrap();
        shelved.resolve("/etc/attendant".as_ref());
        shelved.take_from("/state/models".as_ref());
        assert_eq!(shelved.path, Path::new("/state/models/smart-turn-v3.2-cpu.onnx"));
        assert!(matches!(shelved.hash(), Hash::Known(_)) && shelved.name() == "smart-turn-v3.2");

        let mut own = ModelFile::turn_model("turns.onnx").unwrap().unwrap();
        own.resolve("/etc/attendant".as_ref());
        own.take_from("/state/models".as_ref());
        assert_eq!(own.path, Path::new("/etc/attendant/turns.onnx"));
        assert_eq!(own.hash(), Hash::PinnedIfAny);
        let mut on_shelf = ModelFile::of_path("/state/models/turns.onnx".into());
        on_shelf.take_from("/state/models".as_ref());
        assert_eq!(on_shelf.hash(), Hash::Pinned);

        for other in ["small.en", "smart", "turns.bin", "en_US-joe-medium"] {
            assert!(ModelFile::turn_model(other).is_err(), "{other}");
        }
    }
}
