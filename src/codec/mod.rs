//! Sound to bytes and back: G.711, G.722, Opus, resampling, concealment, comfort noise.
//!
//! The media plane owns one [`CodecSet`] for each call slot, made at start, and gives it payloads
//! and PCM from inside the audio tick. Everything marked "RT safe." neither allocates, locks nor
//! panics once it is constructed; a peer's bad payload is a [`DecodeFault`], which the caller counts.

pub mod comfort;
pub mod conceal;
pub mod decoder;
pub mod dot;
pub mod encoder;
pub mod g711;
pub mod kind;
pub mod payload;
pub mod resample;
pub mod set;

#[cfg(test)]
pub(crate) mod signal;
#[cfg(test)]
mod tests;

pub use comfort::ComfortNoise;
pub use conceal::Concealment;
pub use decoder::{DecodeFault, Decoder, Recovery};
pub use encoder::{Encoder, EncoderSettings};
pub use kind::Codec;
pub use payload::{fill_silence, packet_ms, rtp_time_in, samples_in};
pub use resample::Resampler;
pub use set::CodecSet;

/// Samples in the longest packet that we decode: 120 ms (Opus' limit, RFC 6716 section 3.2.5) at
/// 16 kHz. A decode buffer of this size never meets [`DecodeFault::TooLong`] with Opus.
pub const MAX_PACKET_SAMPLES: usize = 1_920;

/// Bytes that an encoder may write for one packet: 20 ms of L16; 60 ms of G.711 or G.722 have 480, and Opus
/// is held below it.
pub const MAX_PACKET_BYTES: usize = 640;

/// Why a codec could not be made. Only Opus can fail, when memory is out.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the Opus codec")]
pub struct CodecError(#[from] opus::Error);
