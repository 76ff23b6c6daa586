//! What is asked of the speech engine and what it answers; the call carries both.
//!
//! A request is whole: it holds all the sound, so that it can be sent again to an engine that has
//! been restarted.

use std::fmt;

use super::SegmentId;
use crate::base::Private;
use crate::base::pcm::samples_to_ms;

/// Decode this sound (16 kHz mono). A later revision of the same segment replaces it.
#[derive(Clone, PartialEq, Eq)]
pub struct Transcribe {
    pub segment: SegmentId,
    pub revision: u32,
    pub audio: Vec<i16>,
}

impl fmt::Debug for Transcribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length_ms = samples_to_ms(self.audio.len());
        write!(f, "Transcribe({:?}.{}, {length_ms} ms)", self.segment, self.revision)
    }
}

/// What the model made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognition {
    /// As the model wrote it, brackets and all.
    pub text: Private<String>,
    /// Mean probability of its tokens, 0 to 1.
    pub confidence: f32,
    /// The model's own probability that nobody spoke, 0 to 1.
    pub no_speech: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_prints_its_length_and_not_its_sound() {
        let request = Transcribe { segment: SegmentId(3), revision: 2, audio: vec![77; 1_600] };
        assert_eq!(format!("{request:?}"), "Transcribe(SegmentId(3).2, 100 ms)");
    }
}
