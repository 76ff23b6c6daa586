//! Sounds around a caller, and sounds that callers make who are no people. The same seed gives the
//! same sound. Pure.

use std::f32::consts::TAU;

use serde::Deserialize;

use crate::base::Entropy;
use crate::base::pcm::SAMPLE_RATE_HZ;

/// Samples of one round: 10 s, which every tone here divides.
pub(super) const ROUND: usize = 10 * SAMPLE_RATE_HZ as usize;
/// Length of a chord in the music.
const CHORD: usize = ROUND / 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Equal power at all frequencies: a bad line.
    White,
    /// Power falls by 3 dB an octave: wind, traffic, a ventilator.
    Pink,
    /// The mains, 50 Hz and its harmonics.
    Hum,
    /// Other people who talk.
    Babble,
    /// Music while a caller is held.
    Music,
    /// 1 kHz, as of an answering machine.
    Beep,
}

/// Ten seconds of it with a root mean square of 1, to be repeated. `people` are the voices of a
/// babble, each of any length.
pub(super) fn round(kind: Kind, entropy: &mut Entropy, people: &[Vec<i16>]) -> Vec<f32> {
    let mut sound = match kind {
        Kind::White => (0..ROUND).map(|_| white(entropy)).collect(),
        Kind::Pink => pink(entropy),
        Kind::Hum => tones(&[(50.0, 1.0), (100.0, 0.6), (150.0, 0.4), (250.0, 0.2)]),
        Kind::Beep => tones(&[(1_000.0, 1.0)]),
        Kind::Music => music(),
        Kind::Babble => babble(people, entropy),
    };
    let power: f32 = sound.iter().map(|x| x * x).sum::<f32>() / sound.len().max(1) as f32;
    let scale = if power > 0.0 { power.sqrt().recip() } else { 0.0 };
    sound.iter_mut().for_each(|x| *x *= scale);
    sound
}

/// At so many dB below full scale (root mean square), clipped.
pub(super) fn at_dbfs(sound: &[f32], dbfs: f32) -> Vec<i16> {
    let scale = 32_768.0 * 10_f32.powf(dbfs / 20.0);
    sound.iter().map(|x| (x * scale).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

fn white(entropy: &mut Entropy) -> f32 {
    f32::from(entropy.next_u16()) / 32_768.0 - 1.0
}

/// Paul Kellet's economy filter: within 0.5 dB of -3 dB an octave above 10 Hz at 44.1 kHz, near
/// enough at 16 kHz.
fn pink(entropy: &mut Entropy) -> Vec<f32> {
    let mut poles = [0.0_f32; 3];
    let mut next = || {
        let white = white(entropy);
        poles[0] = 0.997_65 * poles[0] + white * 0.099_046;
        poles[1] = 0.963 * poles[1] + white * 0.296_516_4;
        poles[2] = 0.57 * poles[2] + white * 1.052_691_3;
        poles.iter().sum::<f32>() + white * 0.184_8
    };
    (0..ROUND).map(|_| next()).collect()
}

/// Frequencies in Hz with their amplitudes.
fn tones(parts: &[(f32, f32)]) -> Vec<f32> {
    let at = |n: usize| {
        let t = n as f32 / SAMPLE_RATE_HZ as f32;
        parts.iter().map(|(hz, level)| level * (TAU * (hz * t).fract()).sin()).sum()
    };
    (0..ROUND).map(at).collect()
}

/// Four chords with a melody above, each note with two harmonics that die away.
fn music() -> Vec<f32> {
    const CHORDS: [[f32; 3]; 4] = [
        [261.6, 329.6, 392.0],
        [220.0, 261.6, 329.6],
        [174.6, 220.0, 261.6],
        [196.0, 246.9, 293.7],
    ];
    let note = |hz: f32, t: f32| {
        let tone = |times: f32| (TAU * (hz * times * t).fract()).sin() / times;
        (tone(1.0) + tone(2.0) + tone(3.0)) * (-1.5 * t).exp()
    };
    let at = |n: usize| {
        let chord = CHORDS.get(n / CHORD).unwrap_or(&CHORDS[0]);
        let t = (n % CHORD) as f32 / SAMPLE_RATE_HZ as f32;
        let eighth = CHORD / 5;
        let melody = chord.get((n / eighth) % 3).map_or(0.0, |hz| 2.0 * hz);
        let since = (n % eighth) as f32 / SAMPLE_RATE_HZ as f32;
        chord.iter().map(|hz| note(*hz, t)).sum::<f32>() + note(melody, since)
    };
    (0..ROUND).map(at).collect()
}

/// Every voice from a place of its own, repeated.
fn babble(people: &[Vec<i16>], entropy: &mut Entropy) -> Vec<f32> {
    let mut sound = vec![0.0; ROUND];
    for voice in people.iter().filter(|voice| !voice.is_empty()) {
        let from = entropy.next_u32() as usize % voice.len();
        let samples = voice.iter().cycle().skip(from);
        for (sum, sample) in sound.iter_mut().zip(samples) {
            *sum += f32::from(*sample);
        }
    }
    sound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::level_dbfs;

    const KINDS: [Kind; 6] =
        [Kind::White, Kind::Pink, Kind::Hum, Kind::Babble, Kind::Music, Kind::Beep];

    fn of(kind: Kind, seed: u8) -> Vec<f32> {
        let people = [vec![900, -900, 400], vec![100, 3_000]];
        round(kind, &mut Entropy::new([seed; 32]), &people)
    }

    #[test]
    fn each_noise_has_the_level_that_was_asked_for_and_comes_again_with_its_seed() {
        for kind in KINDS {
            let level = level_dbfs(&at_dbfs(&of(kind, 1), -30.0));
            assert!((level + 30.0).abs() < 0.5, "{kind:?}: {level}");
            assert_eq!(of(kind, 1), of(kind, 1), "{kind:?}");
        }
        assert_ne!(of(Kind::Pink, 1), of(Kind::Pink, 2));
    }

    #[test]
    fn pink_noise_has_less_power_at_high_frequencies_and_white_has_not() {
        // The difference of neighbours is what is high.
        let high = |sound: &[f32]| sound.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f32>();
        assert!(high(&of(Kind::Pink, 1)) < 0.5 * high(&of(Kind::White, 1)));
    }
}
