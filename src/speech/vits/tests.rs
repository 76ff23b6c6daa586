use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;
use crate::base::pcm::{level_dbfs, ms_to_samples};
use crate::speech::onnx;

#[path = "../../../tests/support/vits.rs"]
pub mod stand_in;

use stand_in::{HOP, Shape, coqui_config, graph, piper_config};

const PIPERS: [(&str, i64); 3] = [("p239", 0), ("p227", 82), ("p225", 107)];
const COQUIS: &str = r#"{"ED\n": 0, "p225": 1, "p226": 2, "p227": 3}"#;

/// `None`: there is no ONNX Runtime, and the test is left out.
fn load_from(graph: &[u8], config: &str, speaker: Option<&str>) -> Option<Result<Vits, VitsError>> {
    let environment = onnx::runtime(Some(&stand_in::onnxruntime()?)).unwrap();
    let maps = Maps { speakers: Some(COQUIS), languages: None };
    let files = Files { graph, config, maps };
    let speaking = Speaking { speaker, language: "en" };
    Some(Vits::load(environment, files, speaking, (DeviceWish::Cpu, 1)))
}

fn one_voice(rate_hz: u32, shape: Shape) -> Option<Vits> {
    load_from(&graph(shape), &piper_config(rate_hz, &[]), None).map(Result::unwrap)
}

/// The pieces that came.
fn say(voice: &mut Vits, text: &str) -> Result<Vec<Vec<i16>>, VitsError> {
    let mut pieces = Vec::new();
    let mut sink = |samples: &[i16]| {
        pieces.push(samples.to_vec());
        Flow::Continue
    };
    voice.speak(text, &AtomicBool::new(false), &mut sink)?;
    Ok(pieces)
}

/// What ONNX Runtime's own Python makes of the same symbols.
fn by_python(
    name: &str,
    graph: &[u8],
    config: &str,
    speaker: &str,
    symbols: &str,
) -> Option<Vec<f32>> {
    let python = stand_in::python()?;
    let folder = std::env::temp_dir().join(format!("attendant-vits-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |file: &str, content: &[u8]| -> PathBuf {
        let path = folder.join(file);
        std::fs::write(&path, content).unwrap();
        path
    };
    let graph = write("voice.onnx", graph);
    let config = write("voice.json", config.as_bytes());
    write("voice.json.speakers", COQUIS.as_bytes());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/vits_reference.py");
    let arguments = [script.as_ref(), graph.as_path(), config.as_path()];
    let ended = Command::new(python).args(arguments).args([speaker, symbols]).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    std::fs::remove_dir_all(folder).unwrap();
    let (samples, _) = ended.stdout.as_chunks::<4>();
    Some(samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Every sample, of one speaker and of several, of Piper's and of Coqui's kind.
#[test]
fn each_sample_is_what_onnxruntime_gives_in_python() {
    let symbols = "həlˈoʊ, wˈɜːld 日ẽ. haʊ ɑːɹ juː?";
    for (name, speakers, coqui, speaker) in [
        ("piper", false, false, None),
        ("piper-many", true, false, Some("p227")),
        ("coqui-many", true, true, Some("p227")),
    ] {
        let graph = graph(Shape { speakers, flat: coqui, ..Shape::default() });
        let config = match (coqui, speakers) {
            (true, _) => coqui_config(22_050, 4),
            (false, true) => piper_config(22_050, &PIPERS),
            (false, false) => piper_config(22_050, &[]),
        };
        let Some(voice) = load_from(&graph, &config, speaker) else { return };
        let ours = voice.unwrap().raw(symbols).unwrap();
        let named = speaker.unwrap_or("-");
        let Some(theirs) = by_python(name, &graph, &config, named, symbols) else { return };
        assert!(ours.len() > 20 * HOP, "{} samples", ours.len());
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let furthest = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest <= 1e-6, "{name}: off by {furthest}");
    }
}

#[test]
fn the_same_name_is_another_speaker_in_another_voice_and_a_wrong_one_no_voice() {
    let many = graph(Shape { speakers: true, ..Shape::default() });
    let piper = piper_config(22_050, &PIPERS);
    let Some(p227) = load_from(&many, &piper, Some("p227")) else { return };
    let load = |config: &str, speaker| load_from(&many, config, speaker).unwrap();
    let (p227, p225) = (p227.unwrap(), load(&piper, Some("p225")).unwrap());
    assert_eq!((p227.speaker, p225.speaker), (Some(82), Some(107)));
    assert_eq!(load(&coqui_config(22_050, 4), Some("p227")).unwrap().speaker, Some(3));
    let sound = |mut voice: Vits| voice.raw("həlˈoʊ").unwrap();
    assert_ne!(sound(p227), sound(p225));
    for (config, speaker, named) in [
        (piper.as_str(), Some("p999"), "p999"),
        (&piper, None, "none is named"),
        (&coqui_config(22_050, 4), Some("VCTK_p227"), "VCTK_p227"),
        (&piper_config(22_050, &[]), Some("p227"), "only one voice"),
    ] {
        let error = load(config, speaker).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
    // A graph of one speaker gets no sid, and one of several is not used without.
    let one = graph(Shape::default());
    let wrong = load_from(&one, &piper, Some("p227")).unwrap();
    assert!(matches!(wrong, Err(VitsError::NoSpeakerInput)));
}

#[test]
fn any_rate_comes_to_sixteen_kilohertz_at_one_level() {
    for rate_hz in [8_000, 16_000, 22_050, 24_000, 48_000] {
        for amplitude in [0.05, 0.2, 0.95] {
            let shape = Shape { amplitude, ..Shape::default() };
            let Some(mut voice) = one_voice(rate_hz, shape) else { return };
            let sound = say(&mut voice, "one two three four five").unwrap().concat();
            let symbols = voice.raw("wˈʌn").unwrap().len() / HOP;
            assert_eq!(symbols, 1 + 1 + 2 * 4 + 1, "begin, pad, four symbols with pads, end");
            let level = level_dbfs(&sound);
            assert!((-23.0..=-17.0).contains(&level), "{rate_hz} Hz, {amplitude}: {level} dBFS");
            let seconds = sound.len() as f32 / 16_000.0;
            let hops = seconds * rate_hz as f32 / HOP as f32;
            assert!((hops - hops.round()).abs() < 0.1, "{rate_hz} Hz: {hops} hops");
        }
    }
}

#[test]
fn sentences_come_one_by_one_and_a_long_first_one_in_two() {
    let Some(mut voice) = one_voice(22_050, Shape::default()) else { return };
    let spell = |voice: &mut Vits, text: &str| -> Vec<(String, u32)> {
        let pieces = voice.spell(text).unwrap();
        pieces.into_iter().map(|piece| (piece.symbols, piece.pause_ms)).collect()
    };
    let short = spell(&mut voice, "Hello, world. How are you?");
    assert_eq!(short[0], ("həlˈoʊ, wˈɜːld.".to_owned(), 200));
    assert_eq!(short.len(), 2);
    let long = "Your order is on its way, and it will be delivered to you on Monday morning.";
    let long = spell(&mut voice, long);
    assert!(long.len() == 2 && long[0].0.ends_with(','), "{long:?}");
    assert_eq!(long[0].1, 0);
    // Raw phonemes go as they are.
    assert_eq!(spell(&mut voice, "[[ həlˈoʊ ]]!"), [("həlˈoʊ!".to_owned(), 0)]);
    // The pause between the sentences is silent, and no phrase is louder than another.
    let sound = say(&mut voice, "Hello, world. How are you?").unwrap().concat();
    let step = ms_to_samples(20);
    let quiet = sound.chunks(step).filter(|frame| level_dbfs(frame) < -60.0).count();
    assert!((8..=11).contains(&quiet), "{quiet} frames of silence");
    assert!(say(&mut voice, "...").unwrap().is_empty());
}

#[test]
fn symbols_that_the_voice_does_not_know_are_skipped_and_counted() {
    let Some(mut voice) = one_voice(22_050, Shape::default()) else { return };
    let before = voice.unknown;
    let sound = say(&mut voice, "[[ h日ə ]]").unwrap().concat();
    assert_eq!(voice.unknown - before, 1);
    assert!(!sound.is_empty());
}

#[test]
fn a_sink_or_a_cancellation_ends_it_at_once_also_within_the_graph() {
    let Some(mut voice) = one_voice(22_050, Shape::default()) else { return };
    let mut calls = 0;
    let mut sink = |_: &[i16]| {
        calls += 1;
        Flow::Stop
    };
    voice.speak("One. Two. Three.", &AtomicBool::new(false), &mut sink).unwrap();
    assert_eq!(calls, 1);

    let environment = onnx::runtime(None).unwrap();
    let endless = graph(Shape { endless: true, ..Shape::default() });
    let mut endless = Graph::load(environment, &endless, DeviceWish::Cpu, 1).unwrap();
    let cancelled = Arc::new(AtomicBool::new(false));
    let soon = Arc::clone(&cancelled);
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        soon.store(true, Ordering::Relaxed);
    });
    let begun = Instant::now();
    let extras = Extras { scales: [0.0, 1.0, 0.0], speaker: None, language: None };
    let ended = endless.run(&[1, 0, 14, 0, 2], &extras, &cancelled);
    canceller.join().unwrap();
    assert!(matches!(ended, Err(OnnxError::Cancelled)), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_graph_that_is_none_or_another_or_fails_is_an_error_and_no_crash() {
    let config = piper_config(22_050, &[]);
    let whole = graph(Shape::default());
    let Some(voice) = load_from(&whole, &config, None) else { return };
    let mut voice = voice.unwrap();
    // A symbol's number that the graph does not have.
    let ids = [1, 0, 9_999, 0, 2];
    let failed = voice.render(&ids, voice.recipe.scales, &AtomicBool::new(false));
    assert!(matches!(failed, Err(VitsError::Onnx(OnnxError::Run(_)))), "{failed:?}");
    assert!(voice.raw("həlˈoʊ").is_ok(), "the next phrase is spoken");
    for bad in [&[][..], b"no graph", &whole[..whole.len() / 2]] {
        let error = load_from(bad, &config, None).unwrap().unwrap_err();
        assert!(matches!(error, VitsError::Onnx(_)), "{error}");
    }
    let silent = graph(Shape { amplitude: 1e-20, ..Shape::default() });
    let mut without_offset = load_from(&silent, &config, None).unwrap();
    if let Ok(voice) = &mut without_offset {
        // The number of symbols is heard as a constant: quiet, but there.
        assert!(voice.gain > 1.0);
    }
}

#[test]
fn a_gpu_that_is_not_there_is_told_and_the_cpu_speaks() {
    let Some(library) = stand_in::onnxruntime() else { return };
    let environment = onnx::runtime(Some(&library)).unwrap();
    let graph = Graph::load(environment, &graph(Shape::default()), DeviceWish::Auto, 1).unwrap();
    let on_cpu = graph.device.starts_with("cpu (CUDA: ") && !graph.is_on_gpu();
    assert!(on_cpu || graph.is_on_gpu(), "{}", graph.device);
}

#[test]
fn a_library_that_is_not_there_is_told_by_its_name() {
    // Once it is loaded nothing is looked for any more.
    if stand_in::onnxruntime().is_none() {
        let error = onnx::runtime(Some("/nonexistent/libonnxruntime.so".as_ref())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/libonnxruntime.so"), "{error}");
    }
}
