//! Confidence: from the model's probabilities to how often it is right.
//!
//! A network is surer than it should be, and each training leaves it differently so. A logistic
//! function with a few constants mends that; it is monotone, so the order of what is believed
//! stays. The constants are fitted on recordings whose words are known by
//! `models/eval/calibrate.py`, which prints how far they are off; nothing else may turn a
//! probability into a confidence.
//!
//! Invariant: every result is within 0 to 1, whatever comes in, and never falls when a word's or
//! the ending's probability rises or `no_speech` falls.

use super::recognizer::Recognition;

// Fitted constants: begin (models/eval/calibrate.py --write)
/// Of a word: offset, weight of its own evidence.
const WORD: [f32; 2] = [-0.224, 0.885];
/// Of an utterance: offset, and the weights of the weakest word, of all words together, of the
/// ending and of speech being there.
const UTTERANCE: [f32; 5] = [-2.256, 0.631, 1.195, 0.278, 0.076];
// Fitted constants: end

/// Probabilities nearer to 0 or 1 than this say no more.
const LEAST: f32 = 1e-3;

/// How likely the word is right that the model gives this probability.
pub fn word(probability: f32) -> f32 {
    let [offset, own] = WORD;
    logistic(offset + own * evidence(probability))
}

/// How likely every word of an utterance is right, and none is missing.
pub fn utterance(recognition: &Recognition) -> f32 {
    let probabilities = recognition.words.iter().map(|word| certain(word.probability));
    let weakest = probabilities.clone().fold(1.0, f32::min);
    let surprise: f32 = probabilities.map(f32::ln).sum();
    let [offset, of_weakest, of_all, of_ending, of_speech] = UTTERANCE;
    logistic(
        offset
            + of_weakest * evidence(weakest)
            + of_all * surprise
            + of_ending * evidence(recognition.ending)
            + of_speech * evidence(1.0 - recognition.no_speech),
    )
}

fn certain(probability: f32) -> f32 {
    if probability.is_nan() { LEAST } else { probability.clamp(LEAST, 1.0 - LEAST) }
}

/// Log odds.
fn evidence(probability: f32) -> f32 {
    let p = certain(probability);
    (p / (1.0 - p)).ln()
}

fn logistic(evidence: f32) -> f32 {
    1.0 / (1.0 + (-evidence).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognition(probabilities: &[f32], ending: f32, no_speech: f32) -> Recognition {
        let text = vec!["a"; probabilities.len()].join(" ");
        let mut recognition = Recognition::evenly(&text, 0.0);
        for (word, probability) in recognition.words.iter_mut().zip(probabilities) {
            word.probability = *probability;
        }
        Recognition { ending, no_speech, ..recognition }
    }

    #[test]
    fn no_weight_is_negative_so_that_better_evidence_never_harms() {
        assert!(WORD[1] > 0.0 && UTTERANCE[1..].iter().all(|weight| *weight >= 0.0));
        let probabilities = [0.0, 0.01, 0.3, 0.5, 0.9, 0.999, 1.0];
        for pair in probabilities.windows(2) {
            let [low, high] = [pair[0], pair[1]];
            assert!(word(low) <= word(high));
            let of = |p, ending, no_speech| utterance(&recognition(&[0.7, p], ending, no_speech));
            assert!(of(low, 0.9, 0.1) <= of(high, 0.9, 0.1));
            assert!(of(0.9, low, 0.1) <= of(0.9, high, 0.1));
            assert!(of(0.9, 0.9, low) >= of(0.9, 0.9, high));
        }
    }

    #[test]
    fn one_weak_word_or_many_make_an_utterance_doubtful() {
        let sure = utterance(&recognition(&[0.99; 4], 0.99, 0.0));
        assert!(utterance(&recognition(&[0.99, 0.2, 0.99, 0.99], 0.99, 0.0)) < 0.9 * sure);
        assert!(utterance(&recognition(&[0.8; 8], 0.99, 0.0)) < 0.9 * sure);
        assert!(word(0.2) < 0.9 * word(0.99));
    }

    #[test]
    fn whatever_comes_in_a_share_comes_out() {
        for wild in [f32::NAN, f32::INFINITY, -1.0, 2.0] {
            let all = [word(wild), utterance(&recognition(&[wild], wild, wild))];
            assert!(all.iter().all(|share| (0.0..=1.0).contains(share)), "{all:?}");
        }
        assert!((0.0..=1.0).contains(&utterance(&recognition(&[0.0; 200], 0.0, 1.0))));
    }
}
