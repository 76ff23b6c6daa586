//! Which part of an utterance is worth decoding. Pure.
//!
//! Whisper invents words for silence and noise, and hears late speech badly. So what is nowhere
//! louder than a quiet line, or nowhere louder than itself, is not decoded at all, and silence
//! around speech is cut off. Everything between the first and the last sound stays.

use std::ops::Range;

use crate::base::pcm::{level_dbfs, ms_to_samples};

const STEP_MS: u64 = 20;
/// Nothing below this is speech: a telephone line's own noise is at -60, quiet speech at -40.
const QUIET_DBFS: f32 = -50.0;
/// What is this far below the loudest part is the room, not the speaker.
const SPEECH_RANGE_DB: f32 = 32.0;
/// Speech moves by far more than this between its syllables, noise and tones by less.
const STEADY_RANGE_DB: f32 = 4.0;
/// A shorter sound may be one vowel and cannot be called steady.
const STEADY_MS: u64 = 400;
/// Kept on both sides of the speech: weak consonants, and the ear's own taste for some silence.
const MARGIN_MS: u64 = 200;

/// The samples from shortly before the first speech to shortly after the last, or `None` when there
/// is none in `audio`.
pub fn speech_span(audio: &[i16]) -> Option<Range<usize>> {
    let step = ms_to_samples(STEP_MS);
    let levels: Vec<f32> = audio.chunks(step).map(level_dbfs).collect();
    let loudest = levels.iter().copied().fold(f32::MIN, f32::max);
    if loudest < QUIET_DBFS || is_steady(&levels) {
        return None;
    }
    let floor = QUIET_DBFS.max(loudest - SPEECH_RANGE_DB);
    let first = levels.iter().position(|&level| level >= floor)?;
    let last = levels.iter().rposition(|&level| level >= floor)?;
    let margin = ms_to_samples(MARGIN_MS);
    let start = (first * step).saturating_sub(margin);
    let end = ((last + 1) * step + margin).min(audio.len());
    Some(start..end)
}

/// Neither its quiet nor its loud parts stand out.
fn is_steady(levels: &[f32]) -> bool {
    let mut levels = levels.to_vec();
    levels.sort_by(f32::total_cmp);
    let part = |tenths: usize| levels.get(levels.len() * tenths / 10).copied();
    let long_enough = levels.len() as u64 * STEP_MS >= STEADY_MS;
    let range_db = part(9).zip(part(1)).map(|(high, low)| high - low);
    long_enough && range_db.is_some_and(|range_db| range_db < STEADY_RANGE_DB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;

    fn noise(ms: u64, dbfs: f32) -> Vec<i16> {
        let mut entropy = Entropy::new([1; 32]);
        let peak = 32_768.0 * 10_f32.powf(dbfs / 20.0) * 3_f32.sqrt();
        let mut sample = || (f32::from(entropy.next_u16() as i16) / 32_768.0 * peak) as i16;
        (0..ms_to_samples(ms)).map(|_| sample()).collect()
    }

    /// Syllables: noise of 150 ms, loud and soft in turn.
    fn speech(ms: u64, dbfs: f32) -> Vec<i16> {
        let parts = (0..ms / 150).flat_map(|n| noise(150, dbfs - 18.0 * (n % 2) as f32));
        parts.collect()
    }

    #[test]
    fn silence_noise_and_tones_have_no_speech() {
        let tone: Vec<i16> =
            (0..16_000).map(|n| ((n as f32 * 0.4).sin() * 8_000.0) as i16).collect();
        for nothing in [vec![], vec![0; 16_000], noise(2_000, -55.0), noise(2_000, -30.0), tone] {
            assert_eq!(speech_span(&nothing), None, "{} samples", nothing.len());
        }
    }

    #[test]
    fn speech_keeps_its_margins_and_loses_its_silence() {
        let audio = [noise(3_000, -65.0), speech(900, -25.0), noise(2_000, -65.0)].concat();
        let span = speech_span(&audio).unwrap();
        assert_eq!(span.start, ms_to_samples(2_800));
        assert_eq!(span.end, ms_to_samples(3_900 + MARGIN_MS));
    }

    #[test]
    fn a_short_word_alone_is_speech() {
        assert_eq!(speech_span(&noise(300, -20.0)), Some(0..ms_to_samples(300)));
    }

    #[test]
    fn quiet_and_noisy_speech_is_speech() {
        assert!(speech_span(&speech(900, -42.0)).is_some());
        let mut loud = speech(900, -25.0);
        loud.iter_mut().zip(noise(900, -35.0)).for_each(|(a, b)| *a = a.saturating_add(b));
        assert_eq!(speech_span(&loud), Some(0..loud.len()));
    }
}
