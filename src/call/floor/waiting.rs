//! What a caller hears while we call somebody for them: a telephone that rings, a melody, or nothing.
//!
//! The melody is ours and made note by note: plucked strings in a scale of five tones, in which no two tones
//! clash, so that a telephone line with any codec leaves it what it is. Nothing of it is a file.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::base::UtteranceId;
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::speak::PlayoutFrame;

/// `[handover] hold`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldSound {
    /// The tone of a telephone that rings at the other end.
    #[default]
    Ringing,
    Music,
    Silence,
}

/// A ringback tone as both sides of the Atlantic know it: two tones, two seconds in six.
const TONES_HZ: [f32; 2] = [440.0, 480.0];
const TONE_AMPLITUDE: f32 = 1_600.0;
const RING_SAMPLES: usize = 2 * SAMPLE_RATE_HZ as usize;
const CADENCE_SAMPLES: usize = 6 * SAMPLE_RATE_HZ as usize;

/// An eighth, at a walking pace.
const NOTE_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 3 / 10;
/// As long as a string is heard.
const SOUNDING_NOTES: usize = 5;
const STRING_AMPLITUDE: f32 = 2_200.0;
/// Of a string's loudness, how much is left after a second.
const LEFT_AFTER_1_S: f32 = 0.06;
/// The softest beginning that makes no click.
const ATTACK_SAMPLES: f32 = SAMPLE_RATE_HZ as f32 * 0.004;
const BASE_HZ: f32 = 293.66;
/// The tones of the scale as half tones above the base; a line of dots is no tone.
const SCALE: &[u8; 10] = b"0123456789";
const HALF_TONES: [f32; 10] = [-12.0, -10.0, -8.0, -5.0, -3.0, 0.0, 2.0, 4.0, 7.0, 9.0];
/// Sixteen eighths a line, upper voice and lower.
const UPPER: &[u8] = b"5.6.8...7.6.5...\
                       6.7.9...8.7.6...\
                       8...7.6.5...3...\
                       4.5.6.7.5.......";
const LOWER: &[u8] = b"0...3...1...3...\
                       1...3...2...3...\
                       0...2...1...3...\
                       1...3...0...0...";

/// What is heard, from its beginning.
#[derive(Debug)]
pub(super) struct Waiting {
    pub wire: UtteranceId,
    sound: HoldSound,
    samples: usize,
}

impl Waiting {
    pub(super) fn new(wire: UtteranceId, sound: HoldSound) -> Self {
        Self { wire, sound, samples: 0 }
    }

    /// `None`: nothing is to be heard.
    pub(super) fn next(&mut self) -> Option<PlayoutFrame> {
        let at = match self.sound {
            HoldSound::Ringing => ringing_at,
            HoldSound::Music => music_at,
            HoldSound::Silence => return None,
        };
        let mut frame = Frame::SILENCE;
        for (index, sample) in frame.0.iter_mut().enumerate() {
            *sample = at(self.samples + index) as i16;
        }
        self.samples += FRAME_SAMPLES;
        Some(PlayoutFrame { utterance: self.wire, frame, last: false })
    }
}

fn ringing_at(sample: usize) -> f32 {
    let in_cadence = sample % CADENCE_SAMPLES;
    if in_cadence >= RING_SAMPLES {
        return 0.0;
    }
    let seconds = in_cadence as f32 / SAMPLE_RATE_HZ as f32;
    TONE_AMPLITUDE * TONES_HZ.iter().map(|hz| (TAU * hz * seconds).sin()).sum::<f32>()
}

fn music_at(sample: usize) -> f32 {
    let note = sample / NOTE_SAMPLES;
    let sounding = (0..SOUNDING_NOTES.min(note + 1)).map(|ago| {
        let since = sample - (note - ago) * NOTE_SAMPLES;
        [UPPER, LOWER].iter().map(|voice| string(tone(voice, note - ago), since)).sum::<f32>()
    });
    STRING_AMPLITUDE * sounding.sum::<f32>()
}

/// Hertz of the tone that a voice begins with this note, if any.
fn tone(voice: &[u8], note: usize) -> Option<f32> {
    let mark = voice.get(note % voice.len().max(1))?;
    let step = SCALE.iter().position(|known| known == mark)?;
    HALF_TONES.get(step).map(|half_tones| BASE_HZ * (half_tones / 12.0).exp2())
}

/// A plucked string so many samples after its pluck, -1 to 1.
fn string(hz: Option<f32>, since: usize) -> f32 {
    let Some(hz) = hz else { return 0.0 };
    let seconds = since as f32 / SAMPLE_RATE_HZ as f32;
    let attack = (since as f32 / ATTACK_SAMPLES).min(1.0);
    // What is left at the end of the last note that counts goes without a click.
    let rest = 1.0 - since as f32 / (SOUNDING_NOTES * NOTE_SAMPLES) as f32;
    let loudness = attack * LEFT_AFTER_1_S.powf(seconds) * rest.max(0.0);
    let turn = TAU * hz * seconds;
    loudness * (turn.sin() + 0.35 * (2.0 * turn).sin() + 0.12 * (3.0 * turn).sin()) / 1.47
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(sound: HoldSound, number: usize) -> Vec<i16> {
        let mut waiting = Waiting::new(UtteranceId(1), sound);
        let frames = SAMPLE_RATE_HZ as usize / FRAME_SAMPLES;
        let all: Vec<i16> = (0..frames * (number + 1))
            .flat_map(|_| waiting.next().expect("it sounds").frame.0)
            .collect();
        all[all.len() - SAMPLE_RATE_HZ as usize..].to_vec()
    }

    fn level(samples: &[i16]) -> f32 {
        let power: f32 = samples.iter().map(|s| f32::from(*s).powi(2)).sum();
        20.0 * ((power / samples.len() as f32).sqrt() / 32_768.0).max(1e-6).log10()
    }

    #[test]
    fn a_melody_is_soft_never_silent_for_long_and_never_too_loud() {
        for number in 0..40 {
            let heard = second(HoldSound::Music, number);
            let loudest = heard.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!(loudest < 12_000, "second {number}: {loudest}");
            let level = level(&heard);
            assert!((-50.0..-18.0).contains(&level), "second {number}: {level} dBFS");
        }
    }

    #[test]
    fn no_note_begins_or_ends_with_a_click() {
        // A step that a telephone's band cannot have: far above what its tones do between two samples.
        let heard: Vec<i16> = (0..20).flat_map(|number| second(HoldSound::Music, number)).collect();
        let whole: Vec<&[i16]> = heard.chunks(SAMPLE_RATE_HZ as usize).collect();
        let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).unsigned_abs();
        let most = whole.iter().flat_map(|second| second.windows(2).map(step)).max().unwrap();
        assert!(most < 2_500, "{most}");
    }

    #[test]
    fn a_melody_repeats_after_its_last_line_only() {
        assert_eq!((UPPER.len(), LOWER.len()), (64, 64));
        assert_ne!(second(HoldSound::Music, 2), second(HoldSound::Music, 7));
        assert!(UPPER.iter().chain(LOWER).all(|mark| *mark == b'.' || SCALE.contains(mark)));
    }

    #[test]
    fn a_telephone_rings_for_two_seconds_in_six_and_silence_is_nothing() {
        let rings = |number| level(&second(HoldSound::Ringing, number)) > -30.0;
        assert_eq!([0, 1, 2, 3, 5, 6].map(rings), [true, true, false, false, false, true]);
        assert!(Waiting::new(UtteranceId(1), HoldSound::Silence).next().is_none());
    }
}
