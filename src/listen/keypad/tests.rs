//! Keys as telephones make them, and speech, which has none.

use super::*;
use crate::base::Entropy;
use crate::codec::{Codec, CodecSet, MAX_PACKET_BYTES, Resampler};

const RATE: f32 = 16_000.0;

/// How a key is pressed: levels of the two in dBm0, of noise below the key in dB, error of frequency.
#[derive(Clone, Copy, Debug)]
struct Tone {
    low_dbm0: f32,
    high_dbm0: f32,
    snr_db: f32,
    detuned: f32,
    ms: usize,
}

const PLAIN: Tone = Tone { low_dbm0: -8.0, high_dbm0: -6.0, snr_db: 60.0, detuned: 0.0, ms: 80 };

/// A full-scale sinusoid of mu-law has +3.17 dBm0.
fn amplitude(dbm0: f32) -> f32 {
    32_767.0 * 10_f32.powf((dbm0 - 3.17) / 20.0)
}

fn frequencies(key: char) -> (f32, f32) {
    let (row, keys) = KEYS.iter().enumerate().find(|(_, keys)| keys.contains(&key)).unwrap();
    (LOW_HZ[row], HIGH_HZ[keys.iter().position(|k| *k == key).unwrap()])
}

fn noise(entropy: &mut Entropy) -> f32 {
    (0..6).map(|_| f32::from(entropy.next_u16()) / 32_768.0 - 1.0).sum::<f32>() / 2_f32.sqrt()
}

/// The keys one after the other, with 60 ms of quiet before each and at the end.
fn line(keys: &str, tone: Tone, entropy: &mut Entropy) -> Vec<i16> {
    let (low, high) = (amplitude(tone.low_dbm0), amplitude(tone.high_dbm0));
    let power = (low * low + high * high) / 2.0;
    // Half of white noise lies above what a telephone hears.
    let hiss = (2.0 * power / 10_f32.powf(tone.snr_db / 10.0)).sqrt();
    let mut out = Vec::new();
    let mut put = |out: &mut Vec<i16>, value: f32| {
        out.push((value + hiss * noise(entropy)).clamp(-32_768.0, 32_767.0) as i16);
    };
    for key in keys.chars() {
        let (low_hz, high_hz) = frequencies(key);
        (0..960 + out.len() % 191).for_each(|_| put(&mut out, 0.0));
        for n in 0..tone.ms * 16 {
            let angle = n as f32 / RATE * std::f32::consts::TAU * (1.0 + tone.detuned);
            put(&mut out, low * (low_hz * angle).sin() + high * (high_hz * angle).sin());
        }
    }
    (0..2_000).for_each(|_| put(&mut out, 0.0));
    out
}

fn heard(samples: &[i16]) -> (String, Vec<KeyTone>) {
    let mut keypad = Keypad::default();
    let mut news = Vec::new();
    for chunk in samples.chunks_exact(FRAME_SAMPLES) {
        keypad.hear(&Frame(chunk.try_into().unwrap()), |tone| news.push(tone));
    }
    let keys = news.iter().filter_map(|tone| match tone {
        KeyTone::Released { key, .. } => Some(*key),
        KeyTone::Pressed => None,
    });
    (keys.collect(), news)
}

const ALL: &str = "123A456B789C*0#D11";

#[test]
fn all_sixteen_keys_are_heard_once_at_every_level_with_twist_and_in_noise() {
    let mut entropy = Entropy::new([3; 32]);
    for level in [-25.0, -18.0, -10.0, -4.0, 0.0_f32] {
        for twist in [-6.0, -3.0, 0.0, 3.0, 6.0_f32] {
            for (snr_db, ms) in [(15.0, 50), (20.0, 40), (60.0, 40), (15.0, 300)] {
                let (low_dbm0, high_dbm0) = (level - twist.max(0.0), level + twist.min(0.0));
                let tone = Tone { low_dbm0, high_dbm0, snr_db, ms, ..PLAIN };
                let (keys, news) = heard(&line(ALL, tone, &mut entropy));
                assert_eq!(keys, ALL, "{tone:?}");
                assert_eq!(news.len(), 2 * ALL.len(), "{tone:?}");
            }
        }
    }
}

#[test]
fn telephones_that_are_off_by_as_much_as_they_may_are_heard() {
    let mut entropy = Entropy::new([4; 32]);
    for detuned in [-0.015, 0.015] {
        let tone = Tone { detuned, snr_db: 30.0, ..PLAIN };
        assert_eq!(heard(&line(ALL, tone, &mut entropy)).0, ALL, "{detuned}");
    }
}

#[test]
fn they_are_heard_through_every_codec() {
    let mut codecs = CodecSet::new().unwrap();
    let mut entropy = Entropy::new([5; 32]);
    let samples = line(ALL, PLAIN, &mut entropy);
    for codec in Codec::ALL {
        let rate = codec.sample_rate_hz();
        let [mut down, mut up] =
            [(16_000, rate), (rate, 16_000)].map(|(a, b)| Resampler::new(a, b));
        let mut through: Vec<i16> = Vec::new();
        for chunk in samples.chunks_exact(FRAME_SAMPLES) {
            let (mut narrow, mut wide) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
            let count = match rate {
                16_000 => {
                    narrow.copy_from_slice(chunk);
                    FRAME_SAMPLES
                }
                _ => down.process(chunk, &mut narrow),
            };
            let mut packet = [0; MAX_PACKET_BYTES];
            let bytes = codecs.encoder(codec).encode(&narrow[..count], &mut packet);
            let mut out = [0; 5_760];
            let decoded = codecs.decoder(codec).decode(&packet[..bytes], &mut out).unwrap();
            match rate {
                16_000 => through.extend(&out[..decoded]),
                _ => {
                    let count = up.process(&out[..decoded], &mut wide);
                    through.extend(&wide[..count]);
                }
            }
        }
        assert_eq!(heard(&through).0, ALL, "{codec:?}");
    }
}

#[test]
fn how_long_a_key_is_held_is_told_and_what_is_too_short_is_none() {
    let mut entropy = Entropy::new([6; 32]);
    for ms in [40, 80, 200, 1_000] {
        let (_, news) = heard(&line("5", Tone { ms, ..PLAIN }, &mut entropy));
        let [KeyTone::Pressed, KeyTone::Released { key: '5', duration }] = news[..] else {
            panic!("{news:?}")
        };
        assert!(duration.as_millis().abs_diff(ms as u128) <= 20, "{ms}: {duration:?}");
        assert!(!format!("{news:?}").contains('5'), "{news:?}");
    }
    // Q.24: 23 ms are none, and so is a break of 10 ms.
    assert_eq!(heard(&line("159D", Tone { ms: 20, ..PLAIN }, &mut entropy)).1, []);
    let mut broken = line("5", Tone { ms: 200, ..PLAIN }, &mut entropy);
    broken[2_400..2_560].fill(0);
    assert_eq!(heard(&broken).0, "5");
}

#[test]
fn what_is_no_key_is_none() {
    let mut entropy = Entropy::new([7; 32]);
    let tones: [&[f32]; 9] = [
        &[697.0],
        &[1_336.0],
        &[425.0],
        &[350.0, 440.0],
        &[480.0, 620.0],
        &[697.0, 770.0],
        &[1_209.0, 1_477.0],
        &[697.0, 1_209.0, 1_477.0],
        &[770.0, 1_336.0, 500.0, 2_100.0],
    ];
    for tone in tones {
        let samples: Vec<i16> = (0..32_000)
            .map(|n| {
                let angle = n as f32 / RATE * std::f32::consts::TAU;
                tone.iter().map(|hz| 4_000.0 * (hz * angle).sin()).sum::<f32>() as i16
            })
            .collect();
        assert_eq!(heard(&samples).1, [], "{tone:?}");
    }
    let hiss: Vec<i16> = (0..960_000).map(|_| (4_000.0 * noise(&mut entropy)) as i16).collect();
    assert_eq!(heard(&hiss).1, []);
    // Too soft, and too uneven.
    for (low_dbm0, high_dbm0) in [(-45.0, -45.0), (-8.0, -22.0), (-22.0, -8.0)] {
        let tone = Tone { low_dbm0, high_dbm0, ..PLAIN };
        assert_eq!(heard(&line("159D", tone, &mut entropy)).1, [], "{tone:?}");
    }
}

/// The sentences that callers say in other tests, at three loudnesses.
#[test]
fn speech_presses_no_key() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio");
    let mut seconds = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wav") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let samples: Vec<i16> =
            bytes[44..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        assert_eq!(bytes[24..28], 8_000_u32.to_le_bytes(), "{}", path.display());
        let mut up = Resampler::new(8_000, 16_000);
        let mut wide = [0; FRAME_SAMPLES];
        let samples: Vec<i16> = samples
            .chunks_exact(FRAME_SAMPLES / 2)
            .flat_map(|narrow| {
                let count = up.process(narrow, &mut wide);
                wide[..count].to_vec()
            })
            .collect();
        for gain in [1, 2, 6] {
            let louder: Vec<i16> = samples.iter().map(|s| s.saturating_mul(gain)).collect();
            assert_eq!(heard(&louder).1, [], "{} x {gain}", path.display());
            seconds += louder.len() / 16_000;
        }
    }
    assert!(seconds > 60, "{seconds} s of speech");
}
