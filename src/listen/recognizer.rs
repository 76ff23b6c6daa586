//! The port to the speech engine: what is asked of it and what it answers.
//!
//! A request is whole: it carries all the sound, so that it can be sent again to an engine that has
//! been restarted. The shell that owns the engine's socket implements [`Recognizer`]; tests use
//! [`Scripted`].

use std::collections::VecDeque;
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

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecognizeFault {
    #[error("a newer revision replaced the request")]
    Superseded,
    #[error("the speech engine is not there")]
    EngineDown,
    #[error("the speech engine could not decode the sound")]
    Failed,
}

/// The answer to one [`Transcribe`].
#[derive(Clone, Debug, PartialEq)]
pub struct Recognized {
    pub segment: SegmentId,
    pub revision: u32,
    pub result: Result<Recognition, RecognizeFault>,
}

/// An engine as one call sees it. Neither method waits.
pub trait Recognizer {
    /// Starts the decode and drops the segment's earlier revisions if they still wait.
    fn submit(&mut self, request: Transcribe);

    /// The next answer that is ready.
    fn poll(&mut self) -> Option<Recognized>;
}

/// A recogniser for tests: it answers with what it was told to, in order, at the next poll.
#[derive(Debug, Default)]
pub struct Scripted {
    script: VecDeque<Result<Recognition, RecognizeFault>>,
    ready: VecDeque<Recognized>,
    /// All requests, in order.
    pub requests: Vec<Transcribe>,
}

impl Scripted {
    /// The texts of the next requests; after the last one the engine is down.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scripted = Self::default();
        texts.into_iter().for_each(|text| scripted.expect_text(text));
        scripted
    }

    /// Adds a confident text to the script.
    pub fn expect_text(&mut self, text: &str) {
        let text = Private::new(text.to_owned());
        self.expect(Ok(Recognition { text, confidence: 0.9, no_speech: 0.05 }));
    }

    /// Adds any answer to the script.
    pub fn expect(&mut self, result: Result<Recognition, RecognizeFault>) {
        self.script.push_back(result);
    }
}

impl Recognizer for Scripted {
    fn submit(&mut self, request: Transcribe) {
        let result = self.script.pop_front().unwrap_or(Err(RecognizeFault::EngineDown));
        let Transcribe { segment, revision, .. } = request;
        self.ready.push_back(Recognized { segment, revision, result });
        self.requests.push(request);
    }

    fn poll(&mut self) -> Option<Recognized> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_answered_in_order_and_then_the_engine_is_down() {
        let mut engine = Scripted::new(["hello"]);
        for segment in [1, 2] {
            engine.submit(Transcribe { segment: SegmentId(segment), revision: 1, audio: vec![0] });
        }
        let first = engine.poll().unwrap();
        assert_eq!(first.segment, SegmentId(1));
        assert_eq!(first.result.unwrap().text.reveal(), "hello");
        assert_eq!(engine.poll().unwrap().result, Err(RecognizeFault::EngineDown));
        assert_eq!(engine.poll(), None);
        assert_eq!(engine.requests.len(), 2);
    }

    #[test]
    fn a_request_prints_its_length_and_not_its_sound() {
        let request = Transcribe { segment: SegmentId(3), revision: 2, audio: vec![77; 1_600] };
        assert_eq!(format!("{request:?}"), "Transcribe(SegmentId(3).2, 100 ms)");
    }
}
