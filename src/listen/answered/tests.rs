//! Whole calls: tones that are made here, and voices of recorded callers.

use std::time::{Duration, Instant};

use super::sound::{cadence, silence, sines, with_noise};
use super::*;
use crate::base::Entropy;
use crate::base::pcm::FRAME_SAMPLES;
use crate::codec::Resampler;
use crate::listen::{Ours, Vad};

const PAUSE: &[f32] = &[];

/// What was told, with its time in milliseconds.
struct Told {
    verdicts: Vec<(Verdict, u64)>,
    beep: Option<Beep>,
    began: Instant,
}

impl Told {
    fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts.iter().map(|(verdict, _)| *verdict).collect()
    }

    fn beep_ended_ms(&self) -> Option<u64> {
        let ended = self.beep?.ended_at.duration_since(self.began);
        Some(u64::try_from(ended.as_millis()).unwrap())
    }
}

#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
fn listen(sound: &[i16], is_answered: bool) -> Told {
    let (mut vad, mut answered) = (Vad::new(), Answered::new(Settings::default()));
    if is_answered {
        answered.connect();
    }
    let began = Instant::now();
    let (frames, _) = sound.as_chunks::<FRAME_SAMPLES>();
    let mut told = Told { verdicts: Vec::new(), beep: None, began };
    for (samples, index) in frames.iter().zip(1_u64..) {
        let frame = Frame(*samples);
        let score = vad.score(&frame, Ours::NONE);
        let now_ms = index * FRAME_MS;
        let verdict = answered.frame(began + Duration::from_millis(now_ms), &frame, score);
        told.verdicts.extend(verdict.map(|verdict| (verdict, now_ms)));
    }
    told.beep = answered.beep();
    told
}

fn answered(sound: &[i16]) -> Told {
    listen(sound, true)
}

fn early(sound: &[i16]) -> Told {
    listen(sound, false)
}

/// A recorded caller's words, without what is silent around them.
fn recorded(name: &str) -> Vec<i16> {
    let path = format!("{}/tests/audio/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(path).unwrap();
    let rate_hz = u32::from_le_bytes(file[24..28].try_into().unwrap());
    let data = file.windows(4).position(|name| name == b"data").unwrap() + 8;
    let samples = file[data..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
    let samples: Vec<i16> = samples.collect();
    let mut wide = vec![0; samples.len() * 2];
    let count = Resampler::new(rate_hz, 16_000).process(&samples, &mut wide);
    wide.truncate(count);
    let is_loud = |sample: &i16| sample.unsigned_abs() > 300;
    let from = wide.iter().position(is_loud).unwrap();
    let to = wide.iter().rposition(is_loud).unwrap();
    wide[from..to].to_vec()
}

/// Sentences without a pause between them, until it is long enough to be a machine's greeting.
fn long_greeting() -> Vec<i16> {
    let names = ["person", "message", "opening-hours", "order-4729", "thank-you-goodbye"];
    names.iter().flat_map(|name| [recorded(name), silence(240)].concat()).collect()
}

#[test]
fn early_media_says_what_the_network_does() {
    let special =
        [sines(&[950.0], -20.0, 330), sines(&[1_400.0], -20.0, 330), sines(&[1_800.0], -20.0, 330)];
    let special = special.concat();
    let american =
        [sines(&[913.8], -20.0, 274), sines(&[1_370.6], -20.0, 274), sines(&[1_776.7], -20.0, 380)];
    for (name, sound, expected) in [
        ("ringing", cadence(&[(&[425.0], 1_000), (PAUSE, 4_000)], 2), Verdict::Ringback),
        ("busy", cadence(&[(&[480.0, 620.0], 500), (PAUSE, 500)], 4), Verdict::Busy),
        ("congestion", cadence(&[(&[425.0], 240), (PAUSE, 240)], 5), Verdict::Congestion),
        (
            "special",
            [silence(500), special.clone(), silence(500)].concat(),
            Verdict::SpecialInformation,
        ),
        ("American", [american.concat(), silence(500)].concat(), Verdict::SpecialInformation),
        ("words", [silence(500), long_greeting()].concat(), Verdict::Announcement),
        ("nothing", silence(5_000), Verdict::Silence),
    ] {
        for snr_db in [70.0, 15.0] {
            let sound = match name {
                "nothing" => sound.clone(),
                _ => with_noise(sound.clone(), snr_db, &mut Entropy::new([3; 32])),
            };
            let told = early(&sound);
            assert_eq!(told.verdicts(), [expected], "{name}, noise {snr_db} dB below");
        }
    }
    let told = early(&[special, silence(300), long_greeting()].concat());
    assert_eq!(told.verdicts(), [Verdict::SpecialInformation, Verdict::Announcement]);
}

#[test]
fn a_word_and_quiet_is_a_person_within_two_and_a_half_seconds() {
    for name in ["yes", "yes-please", "no-thank-you", "name", "monday"] {
        let said = recorded(name);
        let end_ms = 600 + said.len() as u64 / 16;
        let told = answered(&[silence(600), said, silence(2_000)].concat());
        assert_eq!(told.verdicts(), [Verdict::Person], "{name}");
        let (_, at_ms) = told.verdicts[0];
        assert!(at_ms <= end_ms + 900 && at_ms <= 2_500, "{name}: {at_ms} ms, ended {end_ms}");
        assert_eq!(told.beep, None, "{name}");
    }
}

#[test]
fn a_long_greeting_is_a_machine_and_its_beep_is_found() {
    let greeting = [silence(500), long_greeting(), silence(500)].concat();
    for (hz, length_ms) in [(440.0, 1_200), (1_000.0, 500), (1_400.0, 180), (2_000.0, 300)] {
        let beep = sines(&[hz], -18.0, length_ms);
        let told = answered(&[greeting.clone(), beep, silence(1_000)].concat());
        assert_eq!(told.verdicts(), [Verdict::Machine], "{hz} Hz");
        assert!(told.verdicts[0].1 <= 500 + 3_600, "{:?}", told.verdicts);
        let wanted_ms = greeting.len() as u64 / 16 + length_ms;
        let ended_ms = told.beep_ended_ms().unwrap_or_else(|| panic!("{hz} Hz: no beep"));
        assert!(ended_ms.abs_diff(wanted_ms) <= 60, "{hz} Hz: {ended_ms}, not {wanted_ms}");
        assert!((told.beep.unwrap().hz - hz).abs() < 6.0, "{:?}", told.beep);
    }
}

#[test]
fn a_short_greeting_becomes_a_machine_with_its_beep() {
    let sound = [silence(500), recorded("message"), silence(1_500), sines(&[1_000.0], -18.0, 400)];
    let told = answered(&[sound.concat(), silence(500)].concat());
    assert_eq!(told.verdicts(), [Verdict::Person, Verdict::Machine]);
}

#[test]
fn what_is_no_beep_is_not_taken_for_one() {
    let greeting = [silence(500), recorded("message"), silence(1_200)].concat();
    let digit = sines(&[770.0, 1_336.0], -18.0, 300);
    let melody: Vec<i16> = [523.3, 659.3, 784.0, 1_046.5, 784.0, 659.3, 523.3]
        .iter()
        .flat_map(|hz| sines(&[*hz], -18.0, 300))
        .collect();
    let click = sines(&[1_000.0], -18.0, 60);
    let endless = sines(&[1_000.0], -18.0, 4_000);
    for (name, sound) in
        [("a digit", digit), ("a melody", melody), ("a click", click), ("a test tone", endless)]
    {
        let told = answered(&[greeting.clone(), sound, silence(1_500)].concat());
        assert_eq!(told.beep, None, "{name}");
        assert_eq!(told.verdicts(), [Verdict::Person], "{name}");
    }
    // Before anybody has spoken nothing is a beep.
    let told = answered(&[silence(500), sines(&[1_000.0], -18.0, 400), silence(1_000)].concat());
    assert_eq!((told.beep, told.verdicts()), (None, vec![]));
}

#[test]
fn fax_machines_are_known_by_their_tones() {
    let calling = [silence(800), sines(&[1_100.0], -18.0, 500), silence(1_000)].concat();
    assert_eq!(answered(&calling).verdicts(), [Verdict::Fax]);
    let called = [silence(800), sines(&[2_100.0], -18.0, 3_000)].concat();
    let told = answered(&called);
    assert_eq!(told.verdicts(), [Verdict::Fax]);
    assert!(told.verdicts[0].1 <= 1_600, "{:?}", told.verdicts);
    // With its phase turned each 450 ms (ITU-T V.8), as modems do it.
    let turned: Vec<i16> = (0..4)
        .flat_map(|turn| {
            let sign = if turn % 2 == 0 { 1 } else { -1 };
            sines(&[2_100.0], -18.0, 450).into_iter().map(move |sample| sign * sample)
        })
        .collect();
    assert_eq!(answered(&[silence(500), turned].concat()).verdicts(), [Verdict::Fax]);
    let beep = [silence(500), recorded("message"), silence(300), sines(&[1_100.0], -18.0, 500)];
    assert_eq!(
        answered(&[beep.concat(), silence(500)].concat()).verdicts().last(),
        Some(&Verdict::Machine)
    );
}

#[test]
fn nobody_is_silence_and_may_speak_later() {
    let told = answered(&[silence(5_000), recorded("yes"), silence(1_500)].concat());
    assert_eq!(told.verdicts(), [Verdict::Silence, Verdict::Person]);
    assert_eq!(told.verdicts[0].1, Settings::default().silence_ms);
}

#[test]
fn it_may_ring_after_the_answer_and_be_busy_after_a_greeting() {
    let ringing = cadence(&[(&[425.0], 1_000), (PAUSE, 4_000)], 2);
    let told = answered(&[ringing, recorded("yes"), silence(1_500)].concat());
    assert_eq!(told.verdicts().first(), Some(&Verdict::Ringback));
    assert_eq!(told.verdicts().last(), Some(&Verdict::Person));
    let busy = cadence(&[(&[425.0], 480), (PAUSE, 480)], 5);
    let told = answered(&[silence(400), recorded("yes"), silence(1_500), busy].concat());
    assert_eq!(told.verdicts().last(), Some(&Verdict::Busy));
}

#[test]
fn words_decide_before_the_length_does_and_yes_later_changes_nothing() {
    let mut answered = Answered::new(Settings::default());
    assert_eq!(answered.decide_with_text("please leave a message"), None);
    answered.connect();
    assert_eq!(answered.decide_with_text("well"), None);
    assert_eq!(answered.decide_with_text("Please leave a message"), Some(Verdict::Machine));
    assert_eq!(answered.decide_with_text("Hello?"), None);
    assert_eq!(answered.decide_with_text("Leave your message"), None);
    assert_eq!(answered.verdict(), Some(Verdict::Machine));
    let said = "Please state your name and the reason for your call";
    assert_eq!(answered.decide_with_text(said), Some(Verdict::Screening));
}
