//! Partial text: what the caller seems to be saying while he is still speaking.
//!
//! [`Partials`] says when a decode of the words so far is worth its time, and which words have
//! settled: those on which two successive hypotheses agree from the beginning (local agreement,
//! Liu et al., "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial
//! Hypothesis Selection", 2020). A settled word is likely to stay and not certain to: what counts is
//! the text of the turn.

use std::time::{Duration, Instant};

use super::transcript::Heard;
use crate::base::Private;

/// So many times the duration of a decode, with its waiting, lie between two: a caller who talks
/// takes a quarter of a worker at most.
const SHARE: u32 = 4;
/// A partial text that is older than this helps nobody; where a decode takes a quarter of it, it
/// comes as seldom.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What seems to have been said so far in this utterance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartialText {
    /// Words that two hypotheses agree on.
    pub settled: Private<String>,
    /// What the last one adds.
    pub rest: Private<String>,
}

/// The partial texts of one utterance after the other.
#[derive(Debug)]
pub struct Partials {
    every: Duration,
    /// Between two decodes; rises with the time that they take.
    wait: Duration,
    /// When the next is due; `None` before the caller speaks.
    due: Option<Instant>,
    asked: Option<Instant>,
    /// The last hypothesis.
    last: Private<String>,
}

impl Partials {
    /// `every` is the shortest time between two; zero is never.
    pub fn new(every: Duration) -> Self {
        let last = Private::default();
        Self { every, wait: every, due: None, asked: None, last }
    }

    /// The caller speaks at this moment: whether a decode is to be asked for.
    pub fn is_due(&mut self, now: Instant) -> bool {
        if self.every.is_zero() || self.asked.is_some() {
            return false;
        }
        now >= *self.due.get_or_insert(now + self.wait)
    }

    pub fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// The decode has made way for something else, or has failed: there is more to do than can be
    /// done.
    pub fn dropped(&mut self, now: Instant) {
        self.asked = None;
        self.wait = (2 * self.wait).min(LONGEST_WAIT);
        self.due = Some(now + self.wait);
    }

    /// It is no longer wanted: the caller pauses, and a decode that counts has begun.
    pub fn withdrawn(&mut self) {
        self.asked = None;
        self.due = None;
    }

    /// It has been answered.
    pub fn answered(&mut self, now: Instant, heard: &Heard) -> Option<PartialText> {
        let took = now.saturating_duration_since(self.asked.take().unwrap_or(now));
        self.wait = (SHARE * took).clamp(self.every, LONGEST_WAIT.max(self.every));
        self.due = Some(now + self.wait);
        self.hypothesis(heard)
    }

    /// Another text of the utterance so far, such as the one at a pause. No words, no news.
    pub fn hypothesis(&mut self, heard: &Heard) -> Option<PartialText> {
        let Heard::Words { text, .. } = heard else { return None };
        let agreed = agreement(self.last.reveal(), text.reveal());
        self.last = text.clone();
        let (settled, rest) = text.reveal().split_at(agreed);
        let part = |text: &str| Private::new(text.trim().to_owned());
        Some(PartialText { settled: part(settled), rest: part(rest) })
    }

    /// The utterance is over.
    pub fn reset(&mut self) {
        self.asked = None;
        self.due = None;
        self.last = Private::default();
    }
}

/// Bytes of `text` up to the end of the last word from the beginning that `last` has, too.
fn agreement(last: &str, text: &str) -> usize {
    let mut before = last.split_whitespace().map(key);
    let mut agreed = 0;
    for word in text.split_whitespace() {
        if before.next() != Some(key(word)) {
            break;
        }
        agreed = word.as_ptr().addr() - text.as_ptr().addr() + word.len();
    }
    agreed
}

fn key(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(600);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn words(text: &str) -> Heard {
        Heard::Words { text: Private::new(text.to_owned()), confidence: 1.0, words: Vec::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    fn partials() -> (Partials, Instant) {
        (Partials::new(EVERY), Instant::now())
    }

    #[test]
    fn two_hypotheses_that_agree_settle_their_beginning() {
        let (mut partials, _) = partials();
        let table = [
            ("My", "", "My"),
            ("My number", "My", "number"),
            ("my number is for.", "my number", "is for."),
            ("My number is four seven", "My number is", "four seven"),
            ("My number is four seven", "My number is four seven", ""),
            ("Hi number is", "", "Hi number is"),
        ];
        for (text, settled, rest) in table {
            let found = partials.hypothesis(&words(text)).unwrap();
            let found = (found.settled.reveal().as_str(), found.rest.reveal().as_str());
            assert_eq!(found, (settled, rest), "{text}");
        }
        assert_eq!(partials.hypothesis(&Heard::Unclear), None);
        // A new utterance agrees with nothing before it.
        partials.reset();
        let found = partials.hypothesis(&words("Hi number is")).unwrap();
        assert_eq!(found.settled.reveal(), "");
    }

    #[test]
    fn words_prints_of_a_partial_text_are_private() {
        let (mut partials, _) = partials();
        let found = partials.hypothesis(&words("four five six")).unwrap();
        let printed = format!("{found:?} {partials:?}");
        assert!(!printed.contains("four"), "{printed}");
    }

    #[test]
    fn decodes_come_as_often_as_configured_while_they_are_quick() {
        let (mut partials, start) = partials();
        let mut asked = Vec::new();
        for at in (0..3_000).step_by(20) {
            let now = start + ms(at);
            if partials.is_due(now) {
                asked.push(at);
                partials.asked(now);
                partials.answered(now + ms(40), &words("my"));
            }
        }
        assert_eq!(asked, [600, 1_240, 1_880, 2_520]);
    }

    #[test]
    fn slow_decodes_come_seldom_and_one_at_a_time() {
        let (mut partials, start) = partials();
        assert!(!partials.is_due(start) && partials.is_due(start + EVERY));
        partials.asked(start + EVERY);
        assert!(!partials.is_due(start + ms(60_000)));
        let answered = start + EVERY + ms(500);
        partials.answered(answered, &words("my"));
        assert!(!partials.is_due(answered + ms(1_999)) && partials.is_due(answered + ms(2_000)));
        partials.asked(answered);
        partials.answered(answered + ms(60_000), &words("my"));
        let due = answered + ms(60_000) + LONGEST_WAIT;
        assert!(!partials.is_due(due - ms(1)) && partials.is_due(due));
    }

    #[test]
    fn what_was_dropped_is_tried_less_and_less_often() {
        let (mut partials, start) = partials();
        let mut now = start;
        assert!(!partials.is_due(now));
        for wait in [600, 1_200, 2_400, 4_800, 5_000, 5_000] {
            assert!(!partials.is_due(now + ms(wait - 1)), "{wait}");
            now += ms(wait);
            assert!(partials.is_due(now), "{wait}");
            partials.asked(now);
            partials.dropped(now);
        }
        // One that is answered soon brings the pace back.
        partials.asked(now);
        partials.answered(now + ms(40), &words("my"));
        assert!(partials.is_due(now + ms(640)));
    }

    #[test]
    fn a_pause_begins_the_count_anew_and_zero_is_never() {
        let (mut partials, start) = partials();
        assert!(!partials.is_due(start));
        partials.withdrawn();
        assert!(!partials.is_due(start + ms(590)) && !partials.is_due(start + ms(1_180)));
        assert!(partials.is_due(start + ms(1_190)));
        let mut never = Partials::new(Duration::ZERO);
        assert!(!never.is_due(start) && !never.is_due(start + ms(10_000)));
    }
}
