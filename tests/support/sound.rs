//! Sound as files and as loudness over time.

use std::path::Path;
use std::process::Command;

use attendant::codec::Resampler;
use attendant::speech::espeak::Espeak;
use attendant::speech::flite::Flow;

use super::folder::Folder;

pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// One value of the loudness curve.
const STEP_MS: u32 = 20;
/// A phrase begins and ends where it has this share of its loudest part.
const WORD_SHARE: f64 = 0.1;

/// Sixteen-bit mono.
#[derive(Clone, Debug)]
pub struct Sound {
    pub rate_hz: u32,
    pub samples: Vec<i16>,
}

/// `text` by espeak-ng, at the rate that callers play.
pub fn speak(text: &str) -> Vec<i16> {
    espeak_voice("en-us", text).samples
}

/// `text` by one of espeak-ng's voices, at the same rate.
pub fn espeak_voice(voice: &str, text: &str) -> Sound {
    let espeak = Espeak::find().expect("espeak-ng is installed");
    let mut samples = Vec::new();
    let mut sink = |chunk: &[i16]| {
        samples.extend_from_slice(chunk);
        Flow::Continue
    };
    espeak.speak(voice, text, &mut sink).unwrap();
    Sound { rate_hz: SAMPLE_RATE_HZ, samples }
}

/// What the box says first, phrase by phrase.
pub const GREETING: [&str; 2] = ["Hello, this is Northgate Logistics.", "How can I help you?"];
/// Between the end of what the box says and the caller's next word.
pub const PAUSE_MS: u32 = 1_500;

/// `text` as a caller says it who plays it from the answer on: once the box has been silent for a while
/// after `said_ms` of its own.
pub fn after(said_ms: u32, text: &str) -> Vec<i16> {
    let mut samples = silence_ms(said_ms + PAUSE_MS);
    samples.extend(speak(text));
    samples
}

/// The same after the greeting.
pub fn after_greeting(text: &str) -> Vec<i16> {
    after(GREETING.map(flite).iter().map(Sound::length_ms).sum(), text)
}

pub fn silence_ms(length_ms: u32) -> Vec<i16> {
    vec![0; (SAMPLE_RATE_HZ / 1_000 * length_ms) as usize]
}

/// `text` by the program flite, whose voice the box speaks with.
pub fn flite(text: &str) -> Sound {
    flite_voice("slt", text)
}

/// `text` by one of flite's voices.
pub fn flite_voice(voice: &str, text: &str) -> Sound {
    let folder = Folder::new("flite");
    let path = folder.at("out.wav");
    let mut command = Command::new("flite");
    command.args(["-voice", voice, "-t", text, "-o"]).arg(&path);
    assert!(command.status().unwrap().success());
    read_wav(&path).unwrap()
}

/// Without the silence that a voice puts around.
pub fn trimmed(samples: &[i16]) -> &[i16] {
    let is_loud = |sample: &i16| sample.unsigned_abs() > 200;
    let from = samples.iter().position(is_loud).unwrap_or(0);
    let to = samples.iter().rposition(is_loud).map_or(samples.len(), |last| last + 1);
    &samples[from..to]
}

/// Writes 16 kHz sound as a file of 8 or 16 kHz that ends in silence.
pub fn write_wav(path: &Path, rate_hz: u32, samples: &[i16], silence_ms: u32) {
    let mut resampled = samples.to_vec();
    if rate_hz != SAMPLE_RATE_HZ {
        let mut resampler = Resampler::new(SAMPLE_RATE_HZ, rate_hz);
        let count = resampler.process(samples, &mut resampled);
        resampled.truncate(count);
    }
    resampled.extend(vec![0; (rate_hz / 1_000 * silence_ms) as usize]);
    let samples = resampled;
    let bytes = u32::try_from(samples.len() * 2).unwrap();
    let mut file = Vec::with_capacity(samples.len() * 2 + 44);
    file.extend(b"RIFF");
    file.extend((bytes + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * 2).to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file).unwrap();
}

/// 16-bit PCM of any rate; of several channels the first.
pub fn read_wav(path: &Path) -> Option<Sound> {
    let file = std::fs::read(path).ok()?;
    let (mut rate_hz, mut channels) = (0, 1);
    let mut rest = file.get(12..)?;
    loop {
        let name = rest.get(..4)?;
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
        let body = &rest[8..];
        match name {
            b"fmt " => {
                assert_eq!(body[14..16], [16, 0], "bits a sample");
                channels = usize::from(u16::from_le_bytes([body[2], body[3]]));
                rate_hz = u32::from_le_bytes(body[4..8].try_into().ok()?);
            }
            b"data" => {
                let body = &body[..length.min(body.len())];
                let samples = body.chunks_exact(2 * channels);
                let samples = samples.map(|frame| i16::from_le_bytes([frame[0], frame[1]]));
                return Some(Sound { rate_hz, samples: samples.collect() });
            }
            _ => (),
        }
        rest = body.get(length..)?;
    }
}

impl Sound {
    pub fn length_ms(&self) -> u32 {
        u32::try_from(self.samples.len() as u64 * 1_000 / u64::from(self.rate_hz)).unwrap()
    }

    /// Root mean square of each 20 ms.
    pub fn loudness(&self) -> Vec<f64> {
        let step = (self.rate_hz * STEP_MS / 1_000) as usize;
        let power = |chunk: &[i16]| {
            let sum: f64 = chunk.iter().map(|&sample| f64::from(sample).powi(2)).sum();
            (sum / chunk.len() as f64).sqrt()
        };
        self.samples.chunks_exact(step).map(power).collect()
    }

    /// Level of the loudest fifth, which is speech whatever the pauses, in dB of full scale.
    pub fn speech_level_dbfs(&self) -> f64 {
        let mut steps = self.loudness();
        steps.sort_by(f64::total_cmp);
        let loud = &steps[steps.len() * 4 / 5..];
        let mean = loud.iter().map(|rms| rms * rms).sum::<f64>() / loud.len() as f64;
        20.0 * (mean.sqrt() / f64::from(i16::MAX)).log10()
    }
}

/// The best correlation, over all phrases of `wanted` the worst: between phrases each voice makes
/// pauses of its own.
pub fn likeness_of_phrases(heard: &Sound, wanted: &[&Sound]) -> f64 {
    wanted.iter().map(|phrase| likeness(heard, phrase)).fold(1.0, f64::min)
}

/// The best correlation (-1 to 1) of `wanted`'s loudness curve with a stretch of `heard`'s.
fn likeness(heard: &Sound, wanted: &Sound) -> f64 {
    let (heard, wanted) = (heard.loudness(), wanted.loudness());
    let loudest = wanted.iter().copied().fold(0.0, f64::max);
    let is_loud = |rms: &f64| *rms > loudest * WORD_SHARE;
    let from = wanted.iter().position(is_loud).unwrap();
    let wanted = &wanted[from..=wanted.iter().rposition(is_loud).unwrap()];
    let windows = heard.windows(wanted.len());
    windows.map(|window| correlation(window, wanted)).fold(-1.0, f64::max)
}

fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let mut products = [0.0; 3];
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        products = [products[0] + a * b, products[1] + a * a, products[2] + b * b];
    }
    products[0] / (products[1] * products[2]).sqrt().max(f64::MIN_POSITIVE)
}
