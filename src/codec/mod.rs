//! Sound to bytes and back: G.711, G.722, Opus, resampling, concealment, comfort noise.

pub mod kind;

pub use kind::Codec;
