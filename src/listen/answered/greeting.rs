//! Who speaks after the answer, by the length of what is said and of the quiet after it.
//!
//! People say a word or a short sentence and wait for ours; machines talk on. That is the one rule of all
//! such detectors (Asterisk's `app_amd`, for one), and it errs with people who answer at length. So
//! the thresholds depend on each other: the longer somebody has spoken, the longer the quiet must be
//! that makes it a person.
//!
//! ```text
//!  Waiting ── 60 ms of speech ─▶ Speaking ── quiet, sooner after a short greeting ─▶ Known: Person
//!     ▲  └─ nothing for 3.5 s: Silence    └── no such quiet within 3.2 s ──────────▶ Known: Machine
//!     └──────── less than 0.1 s: a knock ─┘
//! ```

use super::Settings;
use crate::base::pcm::FRAME_MS;

/// Speech in three of five frames begins a greeting: a click has one or two.
const ONSET_FRAMES: u32 = 3;
const ONSET_WITHIN: u32 = 5;
/// A greeting has 0.1 s of speech: "Ja" has 0.15 s.
const SHORTEST_SPEECH: u32 = 5;

/// What the greeting says of who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Person,
    Machine,
    Silence,
}

/// Times are frames since the answer.
#[derive(Clone, Copy, Debug)]
enum State {
    Waiting { since: u32 },
    Speaking { began: u32, last: u32, speech: u32 },
    Known,
}

/// Listens to one greeting.
#[derive(Debug)]
pub(super) struct Greeting {
    state: State,
    now: u32,
    /// The last frames, the newest in the lowest bit: whether each was speech.
    recent: u32,
}

impl Greeting {
    pub const fn new() -> Self {
        Self { state: State::Waiting { since: 0 }, now: 0, recent: 0 }
    }

    /// Begins anew: it still rings.
    pub fn restart(&mut self) {
        *self = Self::new();
    }

    /// Nothing more is asked of it.
    pub fn settle(&mut self) {
        self.state = State::Known;
    }

    /// Takes the next frame. RT safe.
    pub fn frame(&mut self, settings: &Settings, is_speech: bool) -> Option<Manner> {
        self.now = self.now.saturating_add(1);
        self.recent = self.recent << 1 | u32::from(is_speech);
        match &mut self.state {
            State::Known => None,
            State::Waiting { since } => {
                let waited = self.now - *since;
                if (self.recent & ((1 << ONSET_WITHIN) - 1)).count_ones() >= ONSET_FRAMES {
                    let began = self.now.saturating_sub(ONSET_WITHIN);
                    self.state = State::Speaking { began, last: self.now, speech: ONSET_FRAMES };
                    return None;
                }
                (waited == frames(settings.silence_ms)).then_some(Manner::Silence)
            }
            State::Speaking { began, last, speech } => {
                if is_speech {
                    (*last, *speech) = (self.now, *speech + 1);
                }
                let (said, quiet) = (*last - *began, self.now - *last);
                if said >= frames(settings.long_ms) {
                    self.state = State::Known;
                    return Some(Manner::Machine);
                }
                let patience = match said <= frames(settings.short_ms) {
                    true => settings.quiet_ms,
                    false => settings.quiet_after_more_ms,
                };
                if quiet < frames(patience) {
                    return None;
                }
                if *speech < SHORTEST_SPEECH {
                    self.state = State::Waiting { since: *began };
                    return None;
                }
                self.state = State::Known;
                Some(Manner::Person)
            }
        }
    }
}

fn frames(ms: u64) -> u32 {
    u32::try_from(ms / FRAME_MS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of speech and quiet in turns, in milliseconds, with its time.
    fn told(spans: &[(bool, u64)]) -> Vec<(Manner, u64)> {
        let (settings, mut greeting) = (Settings::default(), Greeting::new());
        let (mut told, mut now_ms) = (Vec::new(), 0);
        for (is_speech, ms) in spans {
            for _ in 0..ms / FRAME_MS {
                now_ms += FRAME_MS;
                told.extend(greeting.frame(&settings, *is_speech).map(|manner| (manner, now_ms)));
            }
        }
        told
    }

    #[test]
    fn short_greetings_are_people_and_long_ones_machines() {
        use Manner::{Machine, Person, Silence};
        let (speech, quiet) = (true, false);
        for (name, spans, expected) in [
            ("hello", vec![(quiet, 500), (speech, 400), (quiet, 2_000)], vec![(Person, 1_500)]),
            (
                "a name after a breath",
                vec![(quiet, 300), (speech, 300), (quiet, 400), (speech, 500), (quiet, 2_000)],
                vec![(Person, 2_100)],
            ),
            (
                "a firm's greeting",
                vec![(quiet, 500), (speech, 2_200), (quiet, 2_000)],
                vec![(Person, 3_600)],
            ),
            ("a machine", vec![(quiet, 500), (speech, 8_000)], vec![(Machine, 3_660)]),
            (
                "a machine with a pause",
                vec![(quiet, 500), (speech, 1_700), (quiet, 600), (speech, 4_000)],
                vec![(Machine, 3_660)],
            ),
            ("nobody", vec![(quiet, 9_000)], vec![(Silence, 3_500)]),
            (
                "somebody after all",
                vec![(quiet, 5_000), (speech, 500), (quiet, 2_000)],
                vec![(Silence, 3_500), (Person, 6_100)],
            ),
            ("a click", vec![(quiet, 500), (speech, 40), (quiet, 2_000)], vec![]),
            (
                "a knock, and nobody",
                vec![(quiet, 500), (speech, 80), (quiet, 4_000)],
                vec![(Silence, 3_960)],
            ),
        ] {
            let told = told(&spans);
            assert_eq!(told.len(), expected.len(), "{name}: {told:?}");
            for ((manner, ms), (expected, expected_ms)) in told.iter().zip(expected) {
                assert_eq!(*manner, expected, "{name}: {told:?}");
                assert!(ms.abs_diff(expected_ms) <= 60, "{name}: {told:?}");
            }
        }
    }

    #[test]
    fn it_can_begin_anew() {
        let (settings, mut greeting) = (Settings::default(), Greeting::new());
        for _ in 0..200 {
            greeting.frame(&settings, true);
        }
        greeting.restart();
        let told: Vec<Manner> =
            (0..100).filter_map(|at| greeting.frame(&settings, at < 20)).collect();
        assert_eq!(told, [Manner::Person]);
    }
}
