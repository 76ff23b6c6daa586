//! What we send: noise all the time where there is some, and what is performed within it.

use std::time::{Duration, Instant};

use crate::appliance::places::Places;
use crate::appliance::rings::Place;
use crate::base::UtteranceId;
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::call::media::will_sound;
use crate::cli::call::script::What;
use crate::cli::call::sound::{Ready, Rehearsed, Spoken};
use crate::codec::Codec;
use crate::speak::PlayoutFrame;

const KEY: Duration = Duration::from_millis(100);

/// Something that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// The first packet with sound of an utterance.
    Audible(Instant),
    /// Its last packet with speech.
    Spoken(Instant),
}

#[derive(Debug)]
enum Making {
    Nothing,
    Speaking {
        mixed: Mixed,
        /// When its first frame that can be heard was sent.
        audible_at: Option<Instant>,
        is_told: bool,
    },
    Pressing,
}

/// An utterance with the noise around it.
#[derive(Debug)]
struct Mixed {
    frames: Vec<Frame>,
    /// The first that can be heard, which the audio thread tells of.
    audible: usize,
    /// The first and the last with speech.
    first: usize,
    last: usize,
}

#[derive(Debug)]
pub(super) struct Mouth {
    sounds: Rehearsed,
    /// The next frame of the noise.
    noise_at: usize,
    making: Making,
    utterance: UtteranceId,
    /// Frames of the utterance that have been given away.
    given: usize,
    /// The noise goes on after and before what is performed.
    has_begun: bool,
    /// From which tick on these frames were sent.
    sent: Vec<(usize, Vec<Frame>)>,
}

impl Mouth {
    pub(super) fn new(sounds: Rehearsed) -> Self {
        Self {
            sounds,
            noise_at: 0,
            making: Making::Nothing,
            utterance: UtteranceId(0),
            given: 0,
            has_begun: false,
            sent: Vec::new(),
        }
    }

    /// The sound path is open: the noise begins.
    pub(super) fn begin(&mut self, places: &mut Places, place: Place) {
        self.has_begun = true;
        self.utterance = self.utterance.next();
        self.fill(places, place);
    }

    pub(super) fn sound_of(&self, what: What) -> Option<&Ready> {
        match what {
            What::Turn(turn) => self.sounds.turns.get(turn),
            What::Whenever(reflex) => self.sounds.whenever.get(reflex),
        }
    }

    /// In this codec.
    pub(super) fn perform(&mut self, what: What, codec: Codec, places: &mut Places, place: Place) {
        match self.sound_of(what).cloned() {
            Some(Ready::Sound(spoken)) => {
                // Noise that was given away before would delay the words by what the ring holds.
                places.silence(place, self.utterance);
                self.utterance = self.utterance.next();
                self.given = 0;
                let mixed = self.mix(&spoken, codec);
                self.making = Making::Speaking { mixed, audible_at: None, is_told: false };
                self.fill(places, place);
            }
            Some(Ready::Keys(keys)) => {
                self.making = Making::Pressing;
                for key in keys.chars() {
                    places.press(place, key, KEY);
                }
            }
            Some(Ready::Nothing) | None => (),
        }
    }

    /// All keys are sent; whether any were asked for.
    pub(super) fn pressed(&mut self) -> bool {
        let pressing = matches!(self.making, Making::Pressing);
        if pressing {
            self.making = Making::Nothing;
        }
        pressing
    }

    /// The audio thread has sent the first sound of an utterance.
    pub(super) fn audible(&mut self, utterance: UtteranceId, at: Instant) {
        if let Making::Speaking { audible_at, .. } = &mut self.making
            && utterance == self.utterance
        {
            *audible_at = Some(at);
        }
    }

    /// What leaves by the end of the last of these ticks: one frame in each from the one that the audio
    /// thread has named on, as long after its beginning as that one. All ticks before it was named are there.
    pub(super) fn done(&mut self, ticks: &[Instant]) -> Option<Done> {
        let Making::Speaking { mixed, audible_at: Some(at), is_told } = &mut self.making else {
            return None;
        };
        let named = ticks.iter().rposition(|tick| tick <= at)?;
        let after = at.saturating_duration_since(*ticks.get(named)?);
        let began = named as isize - mixed.audible as isize;
        let leaves = |frame: usize| {
            let tick = ticks.get(usize::try_from(began + frame as isize).ok()?)?;
            Some(*tick + after)
        };
        if !*is_told {
            let at = leaves(mixed.first)?;
            *is_told = true;
            return Some(Done::Audible(at));
        }
        let left = leaves(mixed.last)?;
        let frames = std::mem::take(&mut mixed.frames);
        // What is not given away by now is silence or noise after the last word.
        self.sent.push((usize::try_from(began).unwrap_or(0), frames));
        self.making = Making::Nothing;
        Some(Done::Spoken(left))
    }

    pub(super) fn fill(&mut self, places: &mut Places, place: Place) {
        let Self { sounds, noise_at, making, utterance, given, has_begun, .. } = self;
        if !*has_begun {
            return;
        }
        let noise = &sounds.noise;
        let utterance = *utterance;
        places.fill(place, usize::MAX, || {
            if let Making::Speaking { mixed, .. } = making
                && let Some(frame) = mixed.frames.get(*given)
            {
                *given += 1;
                let last = *given == mixed.frames.len() && noise.is_empty();
                return Some(PlayoutFrame { utterance, frame: *frame, last });
            }
            let frame = *noise.get(*noise_at % noise.len().max(1))?;
            *noise_at = (*noise_at + 1) % noise.len();
            Some(PlayoutFrame { utterance, frame, last: false })
        });
    }

    /// Which of the frames have sound is judged as the far end will hear them.
    fn mix(&mut self, spoken: &Spoken, codec: Codec) -> Mixed {
        let noise_before = self.noise_at.checked_sub(1).and_then(|at| self.sounds.noise.get(at));
        let noise_before = noise_before.copied().unwrap_or(Frame::SILENCE);
        let sounding = |frames: &[Frame], mut before: Frame| -> Vec<bool> {
            let will = frames.iter().map(|frame| {
                let sounds = will_sound(codec, &before, frame);
                before = *frame;
                sounds
            });
            will.collect()
        };
        // What a codec holds back of the last frame is heard in the packet after it.
        let whole = [spoken.frames.as_slice(), &[Frame::SILENCE]].concat();
        let words = sounding(&whole, Frame::SILENCE);
        let mut frames = spoken.frames.clone();
        for frame in &mut frames {
            if let Some(noise) = self.sounds.noise.get(self.noise_at) {
                for (sample, noise) in frame.0.iter_mut().zip(noise.0) {
                    *sample = sample.saturating_add(noise);
                }
                self.noise_at = (self.noise_at + 1) % self.sounds.noise.len();
            }
        }
        let is_so = |sounds: &bool| *sounds;
        let first = words.iter().position(is_so).unwrap_or(spoken.first);
        let last = words.iter().rposition(is_so).unwrap_or(spoken.last);
        let audible = sounding(&frames, noise_before).iter().position(is_so).unwrap_or(first);
        Mixed { frames, audible, first, last }
    }

    /// What we sent in the ticks of a call, but for the noise between.
    pub(super) fn sent_track(&self, ticks: usize) -> Vec<i16> {
        let mut track = vec![0; ticks * FRAME_SAMPLES];
        for (from, frames) in &self.sent {
            let places = track.chunks_exact_mut(FRAME_SAMPLES).skip(*from);
            for (place, frame) in places.zip(frames) {
                place.copy_from_slice(&frame.0);
            }
        }
        track
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packet_with_speech_is_the_one_with_what_the_codec_held_back() {
        // -38 dBFS: of its last 1.4 ms nothing is heard, of its last 6.5 ms something is.
        let loud = Frame([400; FRAME_SAMPLES]);
        let spoken = Spoken { frames: vec![loud; 3], first: 0, last: 2 };
        for (codec, last) in [(Codec::Pcmu, 2), (Codec::Opus, 3)] {
            let mixed = Mouth::new(Rehearsed::default()).mix(&spoken, codec);
            assert_eq!((mixed.first, mixed.last, mixed.frames.len()), (0, last, 3), "{codec:?}");
        }
    }

    #[test]
    fn a_packet_leaves_as_long_after_its_tick_as_the_first_that_is_heard() {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut mouth = Mouth::new(Rehearsed::default());
        let frames = vec![Frame::SILENCE; 4];
        let mixed = Mixed { frames, audible: 1, first: 1, last: 3 };
        mouth.making = Making::Speaking { mixed, audible_at: None, is_told: false };
        mouth.audible(mouth.utterance, at(45));
        let ticks: Vec<Instant> = [0, 20, 40, 60, 80].map(at).into();
        assert_eq!(mouth.done(&ticks[..3]), Some(Done::Audible(at(45))));
        assert_eq!(mouth.done(&ticks[..4]), None);
        assert_eq!(mouth.done(&ticks), Some(Done::Spoken(at(85))));
    }
}
