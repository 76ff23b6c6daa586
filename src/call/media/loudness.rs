//! What counts as sound where a gap is measured, the same at both ends of it and in both directions.
//!
//! A packet has sound if its 20 ms are loud *as they come out of the decoder*: a codec holds back the
//! last milliseconds of what it is given and puts them into the next packet. Who hears looks at what it
//! hears; who speaks foretells it, or the two would name neighbouring packets, at either end of a gap.

//!
//! The detector goes on hearing speech for up to 0.1 s after its end; a gap begins with its end.

pub use crate::base::pcm::SOUND_DBFS;
use crate::base::pcm::{FRAME_SAMPLES, Frame, level_dbfs};
use crate::codec::Codec;

/// The other end will hear sound in the packet of `frame`, which follows `before`. RT safe.
pub fn will_sound(codec: Codec, before: &Frame, frame: &Frame) -> bool {
    let held = codec.delay_samples().min(FRAME_SAMPLES);
    let mut heard = Frame::SILENCE;
    let (first, rest) = heard.0.split_at_mut(held);
    first.copy_from_slice(before.0.get(FRAME_SAMPLES - held..).unwrap_or(&[]));
    rest.copy_from_slice(frame.0.get(..FRAME_SAMPLES - held).unwrap_or(&[]));
    level_dbfs(&heard.0) >= SOUND_DBFS
}
