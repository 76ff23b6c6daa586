//! The text of one utterance, from the segments and revisions that are still being decoded.
//!
//! Answers come late, out of order, or for revisions that the caller has talked over; only the
//! newest revision of each segment counts.

use super::SegmentId;
use super::transcript::{Guards, Heard, Reading, join};

/// Segments of one utterance: 10 minutes of speech without a pause. Beyond it the oldest goes.
const SEGMENTS: usize = 64;

/// The utterance that is going on.
#[derive(Debug, Default)]
pub struct Assembly {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    segment: SegmentId,
    text: Text,
}

#[derive(Debug)]
enum Text {
    /// The caller went on: the next revision will be asked for.
    Void,
    Awaited {
        revision: u32,
    },
    Known {
        revision: u32,
        reading: Reading,
    },
}

impl Assembly {
    /// A decode was asked for (`Output::Decode`).
    pub fn decoding(&mut self, segment: SegmentId, revision: u32) {
        let text = Text::Awaited { revision };
        match self.parts.iter_mut().find(|part| part.segment == segment) {
            Some(part) => part.text = text,
            None => {
                if self.parts.len() == SEGMENTS {
                    self.parts.remove(0);
                }
                self.parts.push(Part { segment, text });
            }
        }
    }

    /// The caller went on (`Output::Resumed`).
    pub fn resumed(&mut self, segment: SegmentId) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.segment == segment) {
            part.text = Text::Void;
        }
    }

    /// An answer came; `false` if it is of no use any more.
    pub fn recognized(&mut self, segment: SegmentId, revision: u32, reading: Reading) -> bool {
        let awaited = self.parts.iter_mut().find(|part| {
            part.segment == segment
                && matches!(part.text, Text::Awaited { revision: r } if r == revision)
        });
        let is_awaited = awaited.is_some();
        if let Some(part) = awaited {
            part.text = Text::Known { revision, reading };
        }
        is_awaited
    }

    /// The whole utterance so far with its last segment and revision, when all of it is known.
    pub fn text(&self) -> Option<(SegmentId, u32, Heard)> {
        let known = self.parts.iter().map(|part| match &part.text {
            Text::Known { reading, .. } => Some(&reading.heard),
            Text::Void | Text::Awaited { .. } => None,
        });
        let heard = join(known.collect::<Option<Vec<_>>>()?);
        let last = self.parts.last()?;
        match last.text {
            Text::Known { revision, .. } => Some((last.segment, revision, heard)),
            Text::Void | Text::Awaited { .. } => None,
        }
    }

    /// The utterance so far where `heard` is what its last segment seems to say; what is not known
    /// of earlier ones is left out.
    pub fn with(&self, segment: SegmentId, heard: &Heard) -> Heard {
        let earlier = self.parts.iter().filter(|part| part.segment < segment);
        let known = earlier.filter_map(|part| match &part.text {
            Text::Known { reading, .. } => Some(&reading.heard),
            Text::Void | Text::Awaited { .. } => None,
        });
        join(known.chain([heard]))
    }

    /// The guards that have acted on what is known.
    pub fn guards(&self) -> Guards {
        let mut all = Guards::default();
        for part in &self.parts {
            if let Text::Known { reading, .. } = &part.text {
                all.add(reading.guards);
            }
        }
        all
    }

    /// The utterance has been answered or dismissed.
    pub fn clear(&mut self) {
        self.parts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;

    fn words(text: &str) -> Heard {
        Heard::Words { text: Private::new(text.to_owned()), confidence: 1.0, words: Vec::new() }
    }

    const A: SegmentId = SegmentId(1);
    const B: SegmentId = SegmentId(2);

    #[test]
    fn only_the_newest_revision_counts() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.text(), None);
        assembly.decoding(A, 1);
        assembly.resumed(A);
        assert!(!assembly.recognized(A, 1, Reading::of(words("my number"))));
        assembly.decoding(A, 2);
        assert_eq!(assembly.text(), None);
        assert!(!assembly.recognized(A, 1, Reading::of(words("my number"))));
        assert!(assembly.recognized(A, 2, Reading::of(words("my number is four"))));
        assert_eq!(assembly.text(), Some((A, 2, words("my number is four"))));
        assembly.resumed(A);
        assert_eq!(assembly.text(), None);
    }

    #[test]
    fn a_cut_utterance_waits_for_all_its_segments() {
        let mut assembly = Assembly::default();
        assembly.decoding(A, 3);
        assembly.decoding(B, 1);
        assert!(assembly.recognized(B, 1, Reading::of(words("and so on"))));
        assert_eq!(assembly.text(), None);
        assert!(assembly.recognized(A, 3, Reading::of(words("Well."))));
        assert_eq!(assembly.text(), Some((B, 1, words("Well and so on"))));
        assembly.clear();
        assert_eq!(assembly.text(), None);
    }

    #[test]
    fn a_partial_text_stands_after_what_is_known_of_earlier_segments() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.with(A, &words("my number")), words("my number"));
        assembly.decoding(A, 1);
        assert_eq!(assembly.with(B, &words("is four")), words("is four"));
        assembly.recognized(A, 1, Reading::of(words("My number.")));
        assert_eq!(assembly.with(B, &words("is four")), words("My number is four"));
        // Its own last decode is void: the caller has gone on.
        assert_eq!(assembly.with(A, &words("my number")), words("my number"));
    }
}
