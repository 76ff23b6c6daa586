//! The starter model, part of the program: it hears a telephone desk's English and nothing else.
//!
//! Its card in `models/starter-en/` says what it can and cannot hear, and its licence.

use super::model::parse_sha256;

pub const NAME: &str = "starter-en";

pub static MODEL: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/models/starter-en/ggml-starter-en-q8_0.bin"
));

const SHA256: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/models/starter-en/ggml-starter-en-q8_0.bin.sha256"
));

/// SHA-256 of the weights, as the repository pins it beside them.
pub fn sha256() -> Option<[u8; 32]> {
    parse_sha256(SHA256)
}
