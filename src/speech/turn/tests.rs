use std::process::Command;
use std::time::Duration;

use super::*;
use crate::base::pcm::ms_to_samples;
use crate::speech::vits::tests::stand_in as vits;

#[path = "../../../tests/support/turn.rs"]
mod stand_in;

use stand_in::{failing_above, graph};
use vits::{onnxruntime, python};

/// `None`: there is no ONNX Runtime, and the test is left out.
fn from_graph(graph: &[u8]) -> Option<Result<TurnModel, TurnError>> {
    let environment = onnx::runtime(Some(&onnxruntime()?)).unwrap();
    Some(TurnModel::from_bytes(environment, graph))
}

/// A voice of a kind: harmonics that glide, with pauses and some noise.
fn sound(ms: u64) -> Vec<i16> {
    let mut noise = 1_u32;
    let sample = |n: usize| {
        let t = n as f32 / 16_000.0;
        let pitch = 120.0 - 20.0 * (t * 1.3).sin();
        let voice: f32 =
            (1..12).map(|k| (std::f32::consts::TAU * pitch * k as f32 * t).sin()).sum();
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = (noise >> 16) as f32 / 65_536.0 - 0.5;
        let gate = if (t * 3.0).sin() > -0.5 { 1.0 } else { 0.0 };
        (800.0 * voice * gate + 200.0 * hiss) as i16
    };
    (0..ms_to_samples(ms)).map(sample).collect()
}

/// The same picture by numpy, which knows nothing of our tables.
#[test]
fn the_picture_is_the_one_that_whispers_feature_extractor_makes() {
    let Some(python) = python() else { return };
    for ms in [0, 20, 1_500, 7_990, 8_000, 9_500] {
        let audio = sound(ms);
        let ours = LogMel::new().picture(&audio);
        let folder =
            std::env::temp_dir().join(format!("attendant-turn-{}-{ms}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("sound.pcm");
        let bytes: Vec<u8> = audio.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&file, bytes).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/log_mel_reference.py");
        let ended = Command::new(&python).arg(script).arg(&file).output().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let (values, _) = ended.stdout.as_chunks::<4>();
        let theirs: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!((ours.len(), theirs.len()), (BANDS * FRAMES, BANDS * FRAMES));
        let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 2e-3, "{ms} ms: off by {off}");
    }
}

#[test]
fn a_picture_may_be_taken_again_and_depends_on_the_last_eight_seconds_alone() {
    let mut log_mel = LogMel::new();
    let long = sound(9_000);
    let first = log_mel.picture(&long);
    log_mel.picture(&sound(300));
    assert!(first == log_mel.picture(&long));
    assert!(first == log_mel.picture(&long[ms_to_samples(1_000)..]));
}

#[test]
fn a_graph_is_asked_and_answers_with_a_probability() {
    let Some(model) = from_graph(&graph(INPUT, 4.0, 0.0)) else { return };
    let mut model = model.unwrap();
    let audio = sound(2_000);
    let picture = LogMel::new().picture(&audio);
    let mean = picture.iter().sum::<f32>() / picture.len() as f32;
    let expected = 1.0 / (1.0 + (-4.0 * mean).exp());
    let complete = model.complete(&audio).unwrap();
    assert!((complete - expected).abs() < 1e-3, "{complete}, not {expected}");
}

#[test]
fn another_graph_is_refused_with_what_is_wrong() {
    let Some(other) = from_graph(&graph("audio", 1.0, 0.0)) else { return };
    assert!(other.unwrap_err().to_string().contains("audio"));
    let not_a_number = from_graph(&graph(INPUT, f32::NAN, 0.0)).unwrap();
    assert!(matches!(not_a_number, Err(TurnError::NoProbability(_))), "{not_a_number:?}");
    assert!(from_graph(b"no graph").unwrap().is_err());
}

mod watching {
    use super::super::asking::TurnWatch;
    use super::*;

    fn watch(model: Result<TurnModel, TurnError>) -> TurnWatch {
        let employ = |look: Box<dyn FnOnce() + Send>| {
            std::thread::spawn(look);
            Ok::<_, ()>(())
        };
        TurnWatch::start("turns.onnx".to_owned(), model, employ).unwrap()
    }

    #[test]
    fn one_that_cannot_be_loaded_is_reported_and_never_asked() {
        let watch = watch(Err(TurnError::Slow));
        assert!(watch.ask(&sound(500)).is_none());
        assert!(watch.report().fault.unwrap().contains("not ready"));
        assert_eq!(watch.news(), None, "it was told with `Ready`");
    }

    #[test]
    fn one_that_works_answers_in_time_or_is_gone_without() {
        let Some(model) = from_graph(&graph(INPUT, 0.0, 0.0)) else { return };
        let watch = watch(model);
        // A busy machine may be late now and then.
        let answer = |_| watch.ask(&sound(500)).and_then(|asked| asked.wait());
        assert_eq!((0..20).find_map(answer), Some(0.5));
        assert_eq!(watch.report().fault, None);
    }

    #[test]
    fn one_that_fails_three_times_is_left_alone_and_that_is_told_once() {
        // It fails for what is loud: at the trial it is shown silence.
        let loud = sound(8_000);
        let mean = |audio: &[i16]| {
            let picture = LogMel::new().picture(audio);
            picture.iter().sum::<f32>() / picture.len() as f32
        };
        let (quiet_mean, loud_mean) = (mean(&[]), mean(&loud));
        let Some(model) = from_graph(&failing_above((quiet_mean + loud_mean) / 2.0)) else {
            return;
        };
        let watch = watch(model);
        for _ in 0..3 {
            let asked = watch.ask(&loud).expect("it is not left alone yet");
            assert_eq!(asked.wait(), None);
        }
        let told = soon(|| watch.news()).unwrap();
        assert!(told.fault.unwrap().contains("failed 3 times"));
        assert_eq!(watch.news(), None);
        assert!(watch.ask(&loud).is_none());
    }
}

/// What another thread is about to say.
fn soon<T>(ask: impl Fn() -> Option<T>) -> Option<T> {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if let Some(said) = ask() {
            return Some(said);
        }
        std::thread::yield_now();
    }
    None
}
