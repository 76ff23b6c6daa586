//! An ONNX file that may be given to the runtime.

use std::path::{Path, PathBuf};

use super::model::{Hash, ModelError, verified};
use crate::base::limits;
use crate::store::shelf::onnx::{self, OnnxError};

/// Why a file is not given to the runtime; each names it.
#[derive(Debug, thiserror::Error)]
pub enum GraphFileError {
    #[error(transparent)]
    File(#[from] ModelError),
    #[error("{} is refused: {source}", path.display())]
    Refused { path: PathBuf, source: OnnxError },
    #[error("{} is refused: it keeps data in another file, {other:?}", path.display())]
    InParts { path: PathBuf, other: String },
}

impl GraphFileError {
    /// There is no such file, or it may not be read.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(error) if error.is_missing())
    }
}

/// The graph and its SHA-256. What is given to the runtime is memory; no other file may be opened
/// for it.
pub fn read(path: &Path, hash: Hash) -> Result<(Vec<u8>, [u8; 32]), GraphFileError> {
    let (graph, sha256) = verified(path, hash, limits::ONNX_BYTES)?;
    let others = onnx::external_files(&graph)
        .map_err(|source| GraphFileError::Refused { path: path.to_owned(), source })?;
    match others.into_iter().next() {
        Some(other) => Err(GraphFileError::InParts { path: path.to_owned(), other }),
        None => Ok((graph, sha256)),
    }
}
