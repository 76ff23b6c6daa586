//! Payloads to PCM, and PCM for payloads that did not come.

use audio_codec::Decoder as _;
use audio_codec::g722::G722Decoder;

use super::g711::Law;
use super::payload::has_redundant_copy;
use super::{Codec, CodecError, Concealment};

/// What was wrong with a payload. Nothing was written; conceal instead, and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFault {
    #[error("empty payload")]
    Empty,
    #[error("payload is not of its codec")]
    Malformed,
    #[error("payload is longer than the buffer")]
    TooLong,
}

/// Where the sound of a lost packet came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The copy in the next packet: what was really said.
    Copy,
    /// Invented from the past.
    Concealed,
}

/// One direction of one codec: what we hear, from payloads.
pub struct Decoder(Core);

enum Core {
    G711 { law: Law, gaps: Concealment },
    G722 { rx: Box<G722Decoder>, gaps: Concealment },
    Opus(opus::Decoder),
    L16 { gaps: Concealment },
}

/// libopus decodes and conceals in whole multiples of 2.5 ms.
const OPUS_QUANTUM_SAMPLES: usize = 40;
/// The most that libopus conceals in one call that we rely on: 20 ms.
const OPUS_CONCEAL_SAMPLES: usize = 320;

impl Decoder {
    /// Allocates all that the decoder will ever need.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        let rate_hz = codec.sample_rate_hz();
        let gaps = || Concealment::new(rate_hz);
        Ok(Self(match codec {
            Codec::Pcmu => Core::G711 { law: Law::Mu, gaps: gaps() },
            Codec::Pcma => Core::G711 { law: Law::A, gaps: gaps() },
            Codec::G722 => Core::G722 { rx: Box::default(), gaps: gaps() },
            Codec::Opus => Core::Opus(opus::Decoder::new(rate_hz, opus::Channels::Mono)?),
            Codec::L16 => Core::L16 { gaps: gaps() },
        }))
    }

    /// Back to the state of a new call. RT safe.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Core::G711 { gaps, .. } | Core::L16 { gaps } => gaps.reset(),
            Core::G722 { rx, gaps } => {
                **rx = G722Decoder::new();
                gaps.reset();
            }
            // Cannot fail on a state that was created; an old state is audible for a moment only.
            Core::Opus(opus) => drop(opus.reset_state()),
        }
    }

    /// Decodes one payload to PCM at `Codec::sample_rate_hz` and returns the samples written.
    /// RT safe.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, DecodeFault> {
        if payload.is_empty() {
            return Err(DecodeFault::Empty);
        }
        match &mut self.0 {
            Core::G711 { law, gaps } => {
                let out = out.get_mut(..payload.len()).ok_or(DecodeFault::TooLong)?;
                for (sample, &code) in out.iter_mut().zip(payload) {
                    *sample = law.decode(code);
                }
                gaps.received(out);
                Ok(payload.len())
            }
            Core::G722 { rx, gaps } => {
                let samples = payload.len() * 2;
                let out = out.get_mut(..samples).ok_or(DecodeFault::TooLong)?;
                rx.decode_into(payload, out).map_err(|_| DecodeFault::Malformed)?;
                gaps.received(out);
                Ok(samples)
            }
            Core::Opus(opus) => {
                opus.decode(payload, out, false).map_err(|error| match error.code() {
                    opus::ErrorCode::BufferTooSmall => DecodeFault::TooLong,
                    _ => DecodeFault::Malformed,
                })
            }
            Core::L16 { gaps } => {
                if !payload.len().is_multiple_of(2) {
                    return Err(DecodeFault::Malformed);
                }
                let out = out.get_mut(..payload.len() / 2).ok_or(DecodeFault::TooLong)?;
                for (sample, bytes) in out.iter_mut().zip(payload.chunks_exact(2)) {
                    *sample = bytes.try_into().map_or(0, i16::from_be_bytes);
                }
                gaps.received(out);
                Ok(out.len())
            }
        }
    }

    /// Fills `out`, which is as long as the lost packet, from the packet after it. Decode that one
    /// next. Without a copy inside (only Opus has any) the gap is concealed. RT safe.
    pub fn decode_fec(&mut self, next_payload: &[u8], out: &mut [i16]) -> Recovery {
        if let Core::Opus(opus) = &mut self.0
            && has_redundant_copy(next_payload)
            && out.len().is_multiple_of(OPUS_QUANTUM_SAMPLES)
            && opus.decode(next_payload, out, true).is_ok_and(|filled| filled == out.len())
        {
            return Recovery::Copy;
        }
        self.conceal(out);
        Recovery::Concealed
    }

    /// Fills `out` with what the lost sound may have been. Repeated, it fades to the background
    /// noise. RT safe.
    pub fn conceal(&mut self, out: &mut [i16]) {
        match &mut self.0 {
            Core::G711 { gaps, .. } | Core::G722 { gaps, .. } | Core::L16 { gaps } => {
                gaps.conceal(out);
            }
            Core::Opus(opus) => {
                for part in out.chunks_mut(OPUS_CONCEAL_SAMPLES) {
                    let whole = part.len() - part.len() % OPUS_QUANTUM_SAMPLES;
                    let (head, tail) = part.split_at_mut(whole);
                    if head.is_empty() || opus.decode(&[], head, false).is_err() {
                        head.fill(0);
                    }
                    tail.fill(0);
                }
            }
        }
    }
}
