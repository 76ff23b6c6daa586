//! Voices made of pulses through resonances, which change with each syllable, over lines that
//! delay, weaken, colour and add noise. The bench does the same with the voices of flite.

use super::*;

const RATE: usize = 8_000;

/// A row of numbers from -1 to 1 that is always the same.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Syllables of 180 ms with gaps, at about -20 dBFS and 8 kHz.
fn voice(seed: u32, pitch_hz: f32, seconds: usize) -> Vec<f32> {
    let mut noise = Noise(seed);
    let mut sound = vec![0.0; seconds * RATE];
    let mut start = 0;
    while start + 2_000 < sound.len() {
        let length = 1_000 + (600.0 * (1.0 + noise.next())) as usize;
        let formants = [300.0 + 400.0 * noise.next().abs(), 1_500.0 + 900.0 * noise.next()];
        let glide = 1.0 + 0.1 * noise.next();
        let is_hissed = noise.next() > 0.5;
        let mut poles = [[0.0_f32; 2]; 2];
        let mut phase = 0.0;
        for (index, sample) in sound[start..start + length].iter_mut().enumerate() {
            let share = index as f32 / length as f32;
            phase += pitch_hz * (1.0 + (glide - 1.0) * share) / RATE as f32;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase %= 1.0;
            let source = if is_hissed { 0.3 * noise.next() } else { pulse + 0.01 * noise.next() };
            let mut sum = 0.0;
            for (pole, hz) in poles.iter_mut().zip(formants) {
                let angle = std::f32::consts::TAU * hz / RATE as f32;
                let next = source + 1.9 * angle.cos() * pole[0] - 0.9025 * pole[1];
                *pole = [next, pole[0]];
                sum += next;
            }
            *sample = sum * (std::f32::consts::PI * share).sin();
        }
        start += length + (noise.next().abs() * 1_200.0) as usize;
    }
    let power = sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32;
    sound.iter().map(|s| s * 3_277.0 / power.sqrt()).collect()
}

/// The way back: delay, gain, the colour of a short room, a line's noise.
struct Line {
    delay_ms: usize,
    gain_db: f32,
    noise_dbfs: f32,
}

impl Line {
    fn bring(&self, ours: &[f32], theirs: &[f32]) -> Vec<f32> {
        let mut noise = Noise(77);
        let gain = 10.0_f32.powf(self.gain_db / 20.0);
        let level = 32_768.0 * 10.0_f32.powf(self.noise_dbfs / 20.0) * 1.7;
        let at = |index: usize, back: usize| index.checked_sub(back).map_or(0.0, |i| ours[i]);
        let delay = self.delay_ms * RATE / 1_000;
        let heard = theirs.iter().enumerate().map(|(index, theirs)| {
            let near = at(index, delay) - 0.4 * at(index, delay + 7) + 0.2 * at(index, delay + 19);
            theirs + gain * near + level * noise.next()
        });
        heard.collect()
    }
}

fn frame(narrow: &[f32]) -> Frame {
    let mut frame = Frame::SILENCE;
    for (index, sample) in frame.0.iter_mut().enumerate() {
        *sample = narrow[index / 2].clamp(-32_000.0, 32_000.0) as i16;
    }
    frame
}

fn judge(ours: &[f32], heard: &[f32]) -> Vec<Voices> {
    let mut detector = EchoDetector::new();
    let frames = ours.chunks_exact(NARROW).zip(heard.chunks_exact(NARROW));
    let judged = frames.map(|(ours, heard)| {
        let voices = detector.judge(&frame(heard));
        detector.played(&frame(ours));
        voices
    });
    judged.collect()
}

/// Frames louder than this can count as speech at all.
fn loud(heard: &[f32]) -> Vec<bool> {
    heard.chunks_exact(NARROW).map(|f| frame(f).level_dbfs() > -45.0).collect()
}

#[test]
fn our_own_voice_is_nobody_elses_at_any_delay_loudness_and_noise() {
    for (delay_ms, pitch_hz) in [(30, 110.0), (110, 190.0), (200, 140.0), (300, 230.0)] {
        for (gain_db, noise_dbfs) in [(-6.0, -55.0), (-15.0, -65.0), (-15.0, -52.0)] {
            let ours = voice(3, pitch_hz, 12);
            let line = Line { delay_ms, gain_db, noise_dbfs };
            let heard = line.bring(&ours, &vec![0.0; ours.len()]);
            let loud = loud(&heard);
            let judged = judge(&ours, &heard);
            let taken = judged.iter().zip(&loud);
            let taken = taken.filter(|(v, loud)| **v == Voices::Theirs && **loud).count();
            let all = loud.iter().filter(|loud| **loud).count();
            assert!(
                all > 200 && taken * 50 <= all,
                "{delay_ms} ms, {gain_db} dB: {taken} of {all}"
            );
        }
    }
}

#[test]
fn a_caller_is_heard_over_the_echo() {
    for gain_db in [-100.0, -15.0, -10.0] {
        let ours = voice(3, 120.0, 6);
        let mut theirs = vec![0.0; ours.len()];
        theirs[3 * RATE..5 * RATE].copy_from_slice(&voice(9, 200.0, 2));
        let heard = Line { delay_ms: 120, gain_db, noise_dbfs: -60.0 }.bring(&ours, &theirs);
        let loud = loud(&heard);
        let judged = judge(&ours, &heard);
        let second = |from: usize| from * RATE / NARROW..(from + 1) * RATE / NARROW;
        let taken = |range: std::ops::Range<usize>| {
            range.filter(|at| judged[*at] == Voices::Theirs && loud[*at]).count()
        };
        let spoken = second(3).filter(|at| loud[*at]).count();
        assert!(taken(second(3)) * 2 > spoken, "{gain_db} dB: {} of {spoken}", taken(second(3)));
        if gain_db > -50.0 {
            assert!(taken(second(2)) <= 1, "{gain_db} dB: before the caller began");
        }
    }
}

#[test]
fn a_caller_who_begins_with_us_is_believed_soon_on_a_line_without_echo() {
    let ours = voice(3, 120.0, 3);
    let mut theirs = vec![0.0; ours.len()];
    theirs[1_600..1_600 + RATE].copy_from_slice(&voice(9, 200.0, 1));
    let heard = Line { delay_ms: 100, gain_db: -100.0, noise_dbfs: -60.0 }.bring(&ours, &theirs);
    let judged = judge(&ours, &heard);
    let first = judged.iter().skip(10).position(|voices| *voices == Voices::Theirs).unwrap();
    assert!(first < 20, "after {} ms", first * 20);
}

#[test]
fn while_we_are_silent_everything_is_the_callers() {
    let theirs = voice(9, 200.0, 2);
    let judged = judge(&vec![0.0; theirs.len()], &theirs);
    assert!(judged.iter().all(|voices| *voices == Voices::Theirs));
}
