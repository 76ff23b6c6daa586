//! Fading, so that a stopped utterance ends without a click.

use crate::base::pcm::Frame;

/// Scales `frame` linearly from gain `from` at its first sample to gain `to` after its last.
///
/// Gains are 0 to 1 and clamped to that. To fade out over 60 ms give three frames the gains
/// 1 to 2/3, 2/3 to 1/3 and 1/3 to 0.
pub fn fade(frame: &mut Frame, from: f32, to: f32) {
    let (from, to) = (from.clamp(0.0, 1.0), to.clamp(0.0, 1.0));
    let step = (to - from) / frame.0.len() as f32;
    let mut gain = from;
    for sample in &mut frame.0 {
        *sample = (f32::from(*sample) * gain).round() as i16;
        gain += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::FRAME_SAMPLES;

    #[test]
    fn three_frames_fade_a_voice_out_without_a_step() {
        let mut last = 10_000_i16;
        for (from, to) in [(1.0, 2.0 / 3.0), (2.0 / 3.0, 1.0 / 3.0), (1.0 / 3.0, 0.0)] {
            let mut frame = Frame([10_000; FRAME_SAMPLES]);
            fade(&mut frame, from, to);
            for sample in frame.0 {
                assert!(sample <= last && last - sample <= 12, "{last} -> {sample}");
                last = sample;
            }
        }
        assert!(last < 20, "{last}");
    }
}
