//! What is around the caller: how much of a voice in steady noise is taken for background, and how soon
//! a turn ends among people.

use std::f64::consts::TAU;

use attendant::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use attendant::listen::{Ours, Settings, Vad};

use crate::stopwatch::percentile;
use crate::support::sound;
use crate::table::{Table, Target};

/// Without a pause at which a caller would be taken to have ended.
const SENTENCES: [&str; 3] = [
    "I would like to track my order because the parcel has not arrived at our office in the harbour",
    "The driver told me that he would be here this morning but nobody came and the customer waits",
    "Please tell the warehouse that pallet number forty seven has been damaged by the forklift",
];
const FLITE: [&str; 3] = ["slt", "rms", "awb"];
const ESPEAK: [&str; 3] = ["en-us", "en-gb-scotland", "en+f3"];
const SPEECH_DBFS: f64 = -20.0;
/// Before the caller speaks, and after.
const AROUND_MS: usize = 2_000;
const CROWD: usize = 6;
/// A hole of so many frames in what was speech ends a turn, or nearly.
const HOLE: usize = 25;

#[derive(Clone, Copy, Debug)]
enum Noise {
    White,
    Pink,
    /// Of a car: 6 dB less with each octave.
    Brown,
}

pub fn measure(table: &mut Table) {
    let voices: Vec<Vec<Vec<f64>>> = FLITE
        .iter()
        .map(|voice| SENTENCES.iter().map(|text| flite(voice, text)).collect())
        .chain(
            ESPEAK.iter().map(|voice| SENTENCES.iter().map(|text| espeak(voice, text)).collect()),
        )
        .collect();
    table.section("a long sentence in steady noise: of 18, those with a hole of 0.5 s");
    for noise in [Noise::White, Noise::Pink, Noise::Brown] {
        for below_db in [3.0, 6.0, 9.0, 12.0] {
            for is_known in [true, false] {
                let holes = sentences(&voices).filter(|(index, said)| {
                    let around = noise.sound(said.len() + 2 * ms(AROUND_MS), *index as u32);
                    let around = levelled(around, SPEECH_DBFS - below_db);
                    let begin = if is_known { ms(AROUND_MS) } else { 0 };
                    has_hole(said, &around, begin)
                });
                let when = if is_known { "heard before" } else { "not heard before" };
                let name = format!("{noise:?} noise {below_db} dB below, {when}");
                table.figure(&name, Some(holes.count() as f64), "", Target::AtMost(0.0));
            }
        }
    }
    table.section("a sentence among six people: of 18");
    for below_db in [8.0, 10.0, 15.0, 25.0] {
        let heard: Vec<(bool, Option<usize>)> = sentences(&voices)
            .map(|(index, said)| {
                let length = said.len() + 3 * ms(AROUND_MS);
                let around = levelled(crowd(&voices, index, length), SPEECH_DBFS - below_db);
                let begin = 2 * ms(AROUND_MS);
                (has_hole(said, &around, begin), ends_after_ms(said, &around, begin))
            })
            .collect();
        let holes = heard.iter().filter(|(has_hole, _)| *has_hole).count();
        let open = heard.iter().filter(|(_, ends)| ends.is_none()).count();
        let ends: Vec<f64> = heard.iter().filter_map(|(_, ends)| Some((*ends)? as f64)).collect();
        table.figure(
            &format!("{below_db} dB below: with a hole of 0.5 s"),
            Some(holes as f64),
            "",
            Target::None,
        );
        table.figure("open 2 s after the end", Some(open as f64), "", Target::AtMost(0.0));
        table.figure("end heard after, 95th percentile", percentile(ends, 95), "ms", Target::None);
    }
}

fn sentences(voices: &[Vec<Vec<f64>>]) -> impl Iterator<Item = (usize, &Vec<f64>)> {
    voices.iter().flatten().enumerate()
}

const fn ms(ms: usize) -> usize {
    ms * 16
}

fn flite(voice: &str, text: &str) -> Vec<f64> {
    spoken(&sound::flite_voice(voice, text))
}

fn espeak(voice: &str, text: &str) -> Vec<f64> {
    spoken(&sound::espeak_voice(voice, text))
}

/// At 16 kHz, as a telephone passes it, at the level of a call.
fn spoken(sound: &sound::Sound) -> Vec<f64> {
    let step = f64::from(sound.rate_hz) / 16_000.0;
    let samples = sound::trimmed(&sound.samples);
    let count = (samples.len() as f64 / step) as usize;
    let resampled = (0..count).map(|index| {
        let at = index as f64 * step;
        let (whole, part) = (at as usize, at.fract());
        let next = samples.get(whole + 1).copied().unwrap_or(0);
        f64::from(samples[whole]) * (1.0 - part) + f64::from(next) * part
    });
    levelled(telephone(resampled.collect()), SPEECH_DBFS + 3.0)
}

/// 300 to 3,400 Hz: two poles to either side.
fn telephone(samples: Vec<f64>) -> Vec<f64> {
    let low = |hz: f64| 1.0 - (-TAU * hz / 16_000.0).exp();
    let mut samples = samples;
    for (hz, is_high) in [(300.0, true), (300.0, true), (3_400.0, false), (3_400.0, false)] {
        let (share, mut state) = (low(hz), 0.0);
        for sample in &mut samples {
            state += share * (*sample - state);
            *sample = if is_high { *sample - state } else { state };
        }
    }
    samples
}

/// The root mean square of its loud frames is so much.
fn levelled(samples: Vec<f64>, dbfs: f64) -> Vec<f64> {
    let power = |frame: &[f64]| frame.iter().map(|s| s * s).sum::<f64>() / frame.len() as f64;
    let powers: Vec<f64> = samples.chunks(FRAME_SAMPLES).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let loud: Vec<f64> = powers.into_iter().filter(|power| *power > loudest / 100.0).collect();
    let mean = loud.iter().sum::<f64>() / loud.len().max(1) as f64;
    let gain = 32_768.0 * 10.0_f64.powf(dbfs / 20.0) / mean.sqrt().max(1e-9);
    samples.into_iter().map(|sample| sample * gain).collect()
}

impl Noise {
    fn sound(self, length: usize, seed: u32) -> Vec<f64> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut white = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 23) - 1.0
        };
        // Pink is a sum of lowpasses a decade apart (Kellet's three poles).
        let mut poles = [0.0; 3];
        let samples = (0..length).map(|_| {
            let white = white();
            match self {
                Self::White => white,
                Self::Pink => {
                    for (pole, (keep, take)) in
                        poles.iter_mut().zip([(0.99765, 0.099), (0.963, 0.2965), (0.57, 1.0527)])
                    {
                        *pole = keep * *pole + take * white;
                    }
                    poles.iter().sum::<f64>() + 0.1848 * white
                }
                Self::Brown => {
                    poles[0] = 0.98 * poles[0] + 0.02 * white;
                    poles[0]
                }
            }
        });
        telephone(samples.collect())
    }
}

fn crowd(voices: &[Vec<Vec<f64>>], index: usize, length: usize) -> Vec<f64> {
    let mut all = vec![0.0; length];
    for person in 0..CROWD {
        let sentences = &voices[(index / SENTENCES.len() + person) % voices.len()];
        let mut next = (index + person) % SENTENCES.len();
        // Each is somewhere in what it says.
        let mut at = 0;
        let mut from = ms(700 * (person + 1)) % sentences[next].len();
        while at < length {
            for (sum, sample) in all[at..].iter_mut().zip(&sentences[next][from..]) {
                *sum += sample;
            }
            at += sentences[next].len() - from + ms(120);
            (next, from) = ((next + 1) % SENTENCES.len(), 0);
        }
    }
    all
}

/// Whether each frame counts as speech, of the sum.
fn heard(said: &[f64], around: &[f64], begin: usize) -> Vec<bool> {
    let mut vad = Vad::new();
    let threshold = Settings::default().speech_threshold;
    let mut sum = around.to_vec();
    for (sample, said) in sum[begin..].iter_mut().zip(said) {
        *sample += said;
    }
    let frames = sum.chunks_exact(FRAME_SAMPLES).map(|chunk| {
        let frame = Frame(std::array::from_fn(|at| chunk[at] as i16));
        vad.score(&frame, Ours::NONE).speech >= threshold
    });
    frames.collect()
}

/// Whether what is a voice without anything around it is not one for 0.5 s.
fn has_hole(said: &[f64], around: &[f64], begin: usize) -> bool {
    let alone = heard(said, &vec![0.0; around.len()], begin);
    let among = heard(said, around, begin);
    let from = begin / FRAME_SAMPLES;
    let to = (begin + said.len()) / FRAME_SAMPLES;
    let both = alone[from..to].iter().zip(&among[from..to]);
    let lost: Vec<bool> = both.map(|(alone, among)| *alone && !among).collect();
    // A pause of the voice belongs to a hole around it.
    let mut run = 0;
    lost.iter().zip(&among[from..to]).any(|(lost, among)| {
        run = if *among { 0 } else { run + usize::from(*lost) };
        run >= HOLE
    })
}

/// From the voice's end to the begin of 0.5 s without speech, within 2 s.
fn ends_after_ms(said: &[f64], around: &[f64], begin: usize) -> Option<usize> {
    let among = heard(said, around, begin);
    let after = &among[(begin + said.len()) / FRAME_SAMPLES..];
    let within = 2_000 / FRAME_MS as usize + HOLE;
    let after = &after[..within.min(after.len())];
    let end = after.windows(HOLE).position(|frames| frames.iter().all(|speech| !speech))?;
    Some(end * FRAME_MS as usize)
}
