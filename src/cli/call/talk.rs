//! When the far end talks: from frames to the first and the last packet with speech. Pure.
//!
//! A frame *sounds* when it was received and is louder than [`SOUND_DBFS`]. Talk has begun once
//! three of five frames sound and the voice detector has said "speech" near them, so that neither a
//! click nor a ringback tone counts. Its onset is the first sounding frame of that stretch, at most
//! 200 ms before the detector's word: the confirmation takes time and the onset does not move. Talk
//! has ended when no frame has sounded for [`SILENCE`].

use std::time::{Duration, Instant};

use crate::call::media::{HeardFrame, Origin, SOUND_DBFS};

/// A pause as long as this ends what the far end has to say.
pub(super) const SILENCE: Duration = Duration::from_millis(700);
/// The voice detector's word for speech.
const SPEECH: f32 = 0.5;
/// Frames that are looked at for an onset, and how many of them must sound.
const WINDOW: u32 = 5;
const SOUNDING: u32 = 3;
/// Sound so long before the detector's word still belongs to it.
const REACH: Duration = Duration::from_millis(200);
/// A stretch of sound without speech ends after so much silence.
const STRETCH_GAP: Duration = Duration::from_millis(100);

/// One frame of the far end, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Glimpse {
    /// The frame's number in the call.
    pub number: usize,
    /// The tick that played it.
    pub at: Instant,
    /// When its packet arrived.
    pub arrived: Instant,
    pub sounds: bool,
    pub is_speech: bool,
}

impl Glimpse {
    pub(super) fn of(number: usize, heard: &HeardFrame) -> Self {
        let is_received = heard.origin == Origin::Received;
        Self {
            number,
            at: heard.at,
            arrived: heard.arrived,
            sounds: is_received && heard.frame.level_dbfs() >= SOUND_DBFS,
            is_speech: is_received && heard.score.speech >= SPEECH && !heard.score.tonal,
        }
    }
}

/// A frame at a border of talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub number: usize,
    pub arrived: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The first packet with speech.
    Began(Mark),
    /// The last one.
    Ended(Mark),
}

#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "a caller has one of them")]
enum State {
    Silent,
    /// Sound that may become talk.
    Sounding {
        onsets: Onsets,
        last: Instant,
        recent: u32,
        spoken: Option<Instant>,
    },
    Talking {
        last: Mark,
        last_at: Instant,
    },
}

/// The first sounding frames of a stretch, the newest `REACH` of them.
#[derive(Clone, Copy, Debug)]
struct Onsets {
    marks: [Option<(Instant, Mark)>; 11],
}

impl Onsets {
    fn new(at: Instant, mark: Mark) -> Self {
        let mut onsets = Self { marks: [None; 11] };
        onsets.push(at, mark);
        onsets
    }

    fn push(&mut self, at: Instant, mark: Mark) {
        if self.marks.iter().all(Option::is_some) {
            self.marks.rotate_left(1);
            self.marks[10] = None;
        }
        if let Some(free) = self.marks.iter_mut().find(|slot| slot.is_none()) {
            *free = Some((at, mark));
        }
    }

    fn first_within(&self, reach: Duration, before: Instant) -> Option<Mark> {
        let near = |at: Instant| before.saturating_duration_since(at) <= reach;
        self.marks.iter().flatten().find(|(at, _)| near(*at)).map(|(_, mark)| *mark)
    }
}

/// Follows the far end.
#[derive(Debug)]
pub(super) struct Talk {
    state: State,
}

impl Default for Talk {
    fn default() -> Self {
        Self { state: State::Silent }
    }
}

impl Talk {
    /// The next frame; frames come in order and without holes.
    pub(super) fn follow(&mut self, glimpse: Glimpse) -> Option<Heard> {
        let Glimpse { number, at, arrived, sounds, is_speech } = glimpse;
        let mark = Mark { number, arrived };
        match &mut self.state {
            State::Silent => {
                if sounds {
                    let spoken = is_speech.then_some(at);
                    let onsets = Onsets::new(at, mark);
                    self.state = State::Sounding { onsets, last: at, recent: 1, spoken };
                }
                None
            }
            State::Sounding { onsets, last, recent, spoken } => {
                let window = (1 << WINDOW) - 1;
                *recent = ((*recent << 1) | u32::from(sounds)) & window;
                if is_speech && spoken.is_none() {
                    *spoken = Some(at);
                }
                if sounds {
                    *last = at;
                    onsets.push(at, mark);
                } else if at.saturating_duration_since(*last) > STRETCH_GAP {
                    self.state = State::Silent;
                    return None;
                }
                let spoken = (*spoken)?;
                if recent.count_ones() < SOUNDING {
                    return None;
                }
                let onset = onsets.first_within(REACH, spoken).unwrap_or(mark);
                self.state = State::Talking { last: mark, last_at: at };
                Some(Heard::Began(onset))
            }
            State::Talking { last, last_at } => {
                if sounds {
                    (*last, *last_at) = (mark, at);
                    return None;
                }
                if at.saturating_duration_since(*last_at) < SILENCE {
                    return None;
                }
                let ended = *last;
                self.state = State::Silent;
                Some(Heard::Ended(ended))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 20 ms: `.` silent, `s` sounding, `V` sounding and speech, `v` speech that is quiet.
    /// Packets arrive 40 ms before they are played.
    fn heard(frames: &str) -> Vec<(usize, Heard)> {
        let start = Instant::now() + Duration::from_secs(1);
        let mut talk = Talk::default();
        let mut all = Vec::new();
        for (number, kind) in frames.chars().enumerate() {
            let at = start + Duration::from_millis(20) * u32::try_from(number).unwrap();
            let arrived = at - Duration::from_millis(40);
            let (sounds, is_speech) = ("sV".contains(kind), "Vv".contains(kind));
            let event = talk.follow(Glimpse { number, at, arrived, sounds, is_speech });
            if let Some(Heard::Began(mark) | Heard::Ended(mark)) = event {
                assert_eq!(
                    mark.arrived,
                    start + Duration::from_millis(20) * u32::try_from(mark.number).unwrap()
                        - Duration::from_millis(40)
                );
            }
            all.extend(event.map(|event| (number, event)));
        }
        all
    }

    fn onsets(frames: &str) -> Vec<usize> {
        let began = heard(frames).into_iter().filter_map(|(_, event)| match event {
            Heard::Began(mark) => Some(mark.number),
            Heard::Ended(_) => None,
        });
        began.collect()
    }

    #[test]
    fn the_onset_is_the_first_frame_that_sounds_however_late_it_is_confirmed() {
        assert_eq!(onsets("...sssVVV"), [3]);
        assert_eq!(onsets("...VVV"), [3]);
        assert_eq!(onsets("...s.s.VV"), [3]);
    }

    #[test]
    fn neither_a_click_nor_a_tone_nor_a_murmur_is_talk() {
        for frames in ["..V....", "..VV......", "sssssssssssssssssssss", "..vvvvvvvv"] {
            assert!(onsets(frames).is_empty(), "{frames}");
        }
    }

    #[test]
    fn a_click_long_before_the_voice_is_no_onset() {
        assert_eq!(onsets("s........VVV"), [9]);
        // Steady noise reaches back 200 ms, not to its beginning.
        let noise = format!("{}VVV", "s".repeat(40));
        assert_eq!(onsets(&noise), [30]);
    }

    #[test]
    fn talk_ends_with_its_last_sound_once_700_ms_are_silent() {
        let pause = ".".repeat(30);
        let events = heard(&format!("VVV{pause}VV{}", ".".repeat(40)));
        let [(_, Heard::Began(_)), (told, Heard::Ended(last))] = events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((last.number, told), (34, 34 + 35));
    }
}
