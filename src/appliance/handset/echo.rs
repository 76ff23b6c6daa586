//! The echo of a loudspeaker in the microphone beside it, taken out by WebRTC's canceller (AEC3).
//!
//! It finds the delay between the two by itself and follows a room that changes, but wants both sides in step: each
//! tick gives 20 ms of what is played, then 20 ms of what was heard.

use sonora::config::{EchoCanceller, NoiseSuppression};
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};

/// It works on 10 ms.
const PART: usize = FRAME_SAMPLES / 2;

/// See the module.
pub struct Canceller(AudioProcessing);

impl Canceller {
    pub fn new() -> Self {
        let config = Config {
            echo_canceller: Some(EchoCanceller::default()),
            // A loudspeaker stands in a room, whose noise would be all that the other end hears.
            noise_suppression: Some(NoiseSuppression::default()),
            ..Config::default()
        };
        let stream = StreamConfig::new(SAMPLE_RATE_HZ, 1);
        let built = AudioProcessing::builder().config(config);
        Self(built.capture_config(stream).render_config(stream).build())
    }

    /// This is given to the loudspeaker.
    pub fn played(&mut self, frame: &Frame) {
        let mut ignored = [0; PART];
        for part in frame.0.chunks_exact(PART) {
            // It refuses other lengths only.
            let _ = self.0.process_render_i16(part, &mut ignored);
        }
    }

    /// This was heard: without what was played.
    pub fn heard(&mut self, frame: &mut Frame) {
        for part in frame.0.chunks_exact_mut(PART) {
            let mut clean = [0; PART];
            if self.0.process_capture_i16(part, &mut clean).is_ok() {
                part.copy_from_slice(&clean);
            }
        }
    }
}

impl Default for Canceller {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;
    use crate::base::pcm::level_dbfs;

    /// Speech by its rhythm: noise of a vocal tract's colour, in syllables.
    fn speech(seed: u8, seconds: usize, rate_hz: f32) -> Vec<f32> {
        let mut entropy = Entropy::new([seed; 32]);
        let mut low = [0.0_f32; 2];
        let noise = |entropy: &mut Entropy| entropy.next_u32() as f32 / u32::MAX as f32 - 0.5;
        (0..seconds * 16_000)
            .map(|index| {
                let at = index as f32 / 16_000.0;
                let syllable = (std::f32::consts::TAU * rate_hz * at).sin().max(0.0);
                let pause = if at % 2.5 < 2.0 { 1.0 } else { 0.0 };
                // Two resonances, and a fundamental.
                let pitch = (std::f32::consts::TAU * (110.0 + 20.0 * (at * 3.0).sin()) * at).sin();
                let value = noise(&mut entropy) + 0.4 * pitch;
                low[0] += 0.35 * (value - low[0]);
                low[1] += 0.5 * (low[0] - low[1]);
                9_000.0 * syllable * pause * low[1]
            })
            .collect()
    }

    /// A small office: the way from loudspeaker to microphone, then reflections that fade by 60 dB in 0.25 s.
    fn room() -> Vec<f32> {
        let mut entropy = Entropy::new([9; 32]);
        let mut response = vec![0.0_f32; 2_400];
        response[48] = 0.5;
        for (index, value) in response.iter_mut().enumerate().skip(60) {
            let fade = 10.0_f32.powf(-3.0 * (index as f32 / 16_000.0) / 0.25);
            *value += 0.06 * fade * (entropy.next_u32() as f32 / u32::MAX as f32 - 0.5) * 2.0;
        }
        response
    }

    fn through(room: &[f32], sound: &[f32], delay: usize) -> Vec<f32> {
        let mut heard = vec![0.0_f32; sound.len()];
        for (at, value) in sound.iter().enumerate().filter(|(_, value)| value.abs() > 1.0) {
            for (offset, gain) in room.iter().enumerate() {
                if let Some(sample) = heard.get_mut(at + delay + offset) {
                    *sample += value * gain;
                }
            }
        }
        heard
    }

    fn frame(samples: &[f32]) -> Frame {
        let mut frame = Frame::SILENCE;
        frame.0.iter_mut().zip(samples).for_each(|(to, from)| *to = *from as i16);
        frame
    }

    fn run(far: &[f32], microphone: &[f32]) -> Vec<i16> {
        let mut canceller = Canceller::new();
        let mut out = Vec::new();
        for (far, near) in
            far.chunks_exact(FRAME_SAMPLES).zip(microphone.chunks_exact(FRAME_SAMPLES))
        {
            canceller.played(&frame(far));
            let mut heard = frame(near);
            canceller.heard(&mut heard);
            out.extend(heard.0);
        }
        out
    }

    fn level(samples: &[f32]) -> f32 {
        level_dbfs(&samples.iter().map(|value| *value as i16).collect::<Vec<_>>())
    }

    #[test]
    fn the_echo_of_a_room_goes_and_who_speaks_in_it_stays() {
        let far = speech(1, 16, 3.0);
        // Two buffers lie between what is given and what is heard.
        let echo = through(&room(), &far, 16 * 70);
        let clean = run(&far, &echo);
        // Once it has heard the room for 6 s.
        let from = 6 * 16_000;
        let loss = level(&echo[from..]) - level_dbfs(&clean[from..]);
        println!("echo return loss enhancement in a room of 0.25 s: {loss:.1} dB");
        assert!(loss > 25.0, "{loss} dB");

        // Somebody in the room answers while the other end is silent, and while it speaks.
        let near: Vec<f32> = speech(2, 16, 2.2);
        let is_in = |index: usize| (10 * 16_000..13 * 16_000).contains(&index);
        let both: Vec<f32> = echo
            .iter()
            .zip(&near)
            .enumerate()
            .map(|(index, (echo, near))| echo + if is_in(index) { *near } else { 0.0 })
            .collect();
        let heard = run(&far, &both);
        let range = 10 * 16_000..13 * 16_000;
        let kept = level_dbfs(&heard[range.clone()]) - level(&near[range]);
        println!("who speaks over it is heard by {kept:.1} dB");
        assert!(kept > -10.0, "{kept} dB");
    }

    #[test]
    fn without_an_echo_a_voice_is_left_as_it_is() {
        let near = speech(3, 6, 2.5);
        let silent = vec![0.0; near.len()];
        let heard = run(&silent, &near);
        let from = 2 * 16_000;
        let kept = level_dbfs(&heard[from..]) - level(&near[from..]);
        assert!(kept.abs() < 4.0, "{kept} dB");
    }
}
