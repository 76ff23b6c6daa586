//! The two ends of a line, each of which says when speech began and ended: they name the same packets.

use std::collections::VecDeque;

use super::line::{A, B, Kept, SETTINGS, TICK, address, plan};
use super::*;
use crate::base::pcm::ms_to_samples;
use crate::codec::{Codec, CodecSet, MAX_PACKET_BYTES, MAX_PACKET_SAMPLES, Resampler};

/// Says these frames and then nothing.
struct Said {
    frames: VecDeque<Frame>,
    utterance: UtteranceId,
}

impl Playout for Said {
    fn next(&mut self, out: &mut Frame) -> Played {
        match self.frames.pop_front() {
            Some(frame) => {
                *out = frame;
                Played::Voice(self.utterance)
            }
            None => Played::Nothing,
        }
    }
}

/// A voice that begins and ends as softly as chance has it, after some silence.
fn voice(entropy: &mut Entropy) -> Vec<Frame> {
    let mut one_of = |count: usize| entropy.next_u32() as usize % count;
    let (silent, hz) = (640 + one_of(640), 90.0 + one_of(140) as f64);
    let (attack, decay) = (ms_to_samples(2) + one_of(1_600), ms_to_samples(2) + one_of(3_200));
    let steady = ms_to_samples(300);
    let mut samples = vec![0_i16; silent];
    for n in 0..attack + steady + 2 * decay {
        let rise = (n as f64 / attack as f64).min(1.0);
        let fall = (-6.0 * n.saturating_sub(attack + steady) as f64 / decay as f64).exp();
        let phase = n as f64 * hz * std::f64::consts::TAU / 16_000.0;
        let tone: f64 = (1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
        samples.push((tone * 4_000.0 * rise * rise * fall) as i16);
    }
    samples.resize(samples.len() + 12 * FRAME_SAMPLES, 0);
    let frames = samples.chunks_exact(FRAME_SAMPLES);
    frames.map(|chunk| Frame(chunk.try_into().unwrap())).collect()
}

/// First and last packet with sound, as the speaking end and as the hearing end has them.
fn borders(codec: Codec, frames: Vec<Frame>) -> [[Instant; 2]; 2] {
    let start = Instant::now();
    let mut media = [(1, B), (2, A)].map(|(seed, other)| {
        let mut media = Media::new(SETTINGS, Entropy::new([seed; 32]));
        media.start(start, &plan(codec, 20, other));
        media
    });
    let mut kept = [Kept::default(), Kept::default()];
    let mut nothing = Said { frames: VecDeque::new(), utterance: UtteranceId(1) };
    let mut said = Said { frames: frames.clone().into(), utterance: UtteranceId(1) };
    for tick in 0..frames.len() as u32 + 20 {
        let now = start + TICK * tick;
        let moment = Moment { now, ntp: 0 };
        let [speaking, hearing] = &mut media;
        speaking.tick(moment, &mut said, &mut kept[0]);
        for (path, _, bytes) in std::mem::take(&mut kept[0].out) {
            let datagram = Datagram { path, from: address(A), arrived: now, bytes: &bytes };
            hearing.handle_datagram(datagram, &mut kept[1]);
        }
        hearing.tick(moment, &mut nothing, &mut kept[1]);
        kept[1].out.clear();
    }
    let began = kept[0].events.iter().find_map(|event| match event {
        MediaEvent::UtteranceAudible { at, .. } => Some(*at),
        _ => None,
    });
    let mut before = Frame::SILENCE;
    let will = frames.iter().map(|frame| {
        let sounds = will_sound(codec, &before, frame);
        before = *frame;
        sounds
    });
    let last = will.collect::<Vec<_>>().iter().rposition(|sounds| *sounds).unwrap() as u32;
    let sounds = |heard: &&HeardFrame| {
        heard.origin == Origin::Received && heard.frame.level_dbfs() >= SOUND_DBFS
    };
    let heard: Vec<Instant> = kept[1].heard.iter().filter(sounds).map(|h| h.arrived).collect();
    [[began.unwrap(), start + TICK * last], [heard[0], heard[heard.len() - 1]]]
}

#[test]
fn both_ends_of_a_line_name_the_same_first_and_last_packet_with_sound() {
    let mut entropy = Entropy::new([3; 32]);
    for codec in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        let mut apart = [0; 2];
        for _ in 0..60 {
            let [said, heard] = borders(codec, voice(&mut entropy));
            for (border, (said, heard)) in said.iter().zip(heard).enumerate() {
                let ms =
                    heard.saturating_duration_since(*said) + said.saturating_duration_since(heard);
                assert!(ms <= TICK, "{codec:?}, border {border}: {ms:?}");
                apart[border] += usize::from(ms > Duration::ZERO);
            }
        }
        println!("{codec:?}: of 60, begins {} and ends {} apart by a packet", apart[0], apart[1]);
        assert!(apart[0] + apart[1] <= 12, "{codec:?}: {apart:?} of 60");
    }
}

#[test]
fn the_delay_of_a_codec_is_what_it_says() {
    for codec in Codec::ALL {
        let mut samples = vec![0_i16; 20 * FRAME_SAMPLES];
        let mut entropy = Entropy::new([8; 32]);
        for sample in &mut samples[3_000..3_400] {
            *sample = (entropy.next_u32() % 16_000) as i16 - 8_000;
        }
        // Smooth enough for the telephone's band.
        let smooth: Vec<i16> = samples
            .windows(8)
            .map(|w| (w.iter().map(|s| i32::from(*s)).sum::<i32>() / 8) as i16)
            .collect();
        let mut set = CodecSet::new().unwrap();
        let mut down = Resampler::new(16_000, codec.sample_rate_hz());
        let mut up = Resampler::new(codec.sample_rate_hz(), 16_000);
        let (mut heard, mut packet) = (Vec::new(), [0; MAX_PACKET_BYTES]);
        for chunk in smooth.chunks_exact(FRAME_SAMPLES) {
            let mut narrow = chunk.to_vec();
            if codec.sample_rate_hz() != 16_000 {
                narrow = vec![0; FRAME_SAMPLES];
                let count = down.process(chunk, &mut narrow);
                narrow.truncate(count);
            }
            let bytes = set.encoder(codec).encode(&narrow, &mut packet);
            let mut decoded = [0; MAX_PACKET_SAMPLES];
            let count = set.decoder(codec).decode(&packet[..bytes], &mut decoded).unwrap();
            let mut wide = decoded[..count].to_vec();
            if codec.sample_rate_hz() != 16_000 {
                wide = vec![0; 2 * FRAME_SAMPLES];
                let written = up.process(&decoded[..count], &mut wide);
                wide.truncate(written);
            }
            heard.extend(wide);
        }
        let likeness = |delay: usize| -> f64 {
            let pairs = smooth[2_900..3_600].iter().zip(&heard[2_900 + delay..]);
            pairs.map(|(said, heard)| f64::from(*said) * f64::from(*heard)).sum()
        };
        let best = (0..250).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap();
        assert!(best.abs_diff(codec.delay_samples()) <= 8, "{codec:?}: {best} samples");
    }
}
