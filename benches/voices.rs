//! Neural voices: how soon the first sound comes, and how much time a second of speech takes.
//!
//! No real voice can be fetched for a bench, so two stand in: a graph without work, which shows what
//! everything around the graph costs (espeak-ng, numbers, runtime, level, rate), and one with the
//! convolutions of a Piper voice's decoder and weights by chance.

mod decoder;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use attendant::base::pcm;
use attendant::speech::flite::Flow;
use attendant::speech::neural::threads;
use attendant::speech::vits::recipe::Maps;
use attendant::speech::vits::{Files, Speaking, Vits};
use attendant::speech::{DeviceWish, onnx};

use crate::stopwatch::median;
use crate::support::vits::{Shape, graph, onnxruntime, piper_config};
use crate::table::{Table, Target};

const PHRASES: [&str; 4] = [
    "Good morning.",
    "You find us at 12 Harbour Road.",
    "Your order is on its way, and it will be delivered to you on Monday morning.",
    "We are open Monday to Friday from eight to six, and on Saturday from nine to one.",
];
const ROUNDS: usize = 5;

pub fn measure(table: &mut Table) {
    table.section("neural voices");
    let Some(library) = onnxruntime() else {
        table.note("ONNX Runtime", "missing: tools/deps test");
        return;
    };
    let environment = onnx::runtime(Some(&library)).expect("the library of the tests loads");
    let config = piper_config(22_050, &[]);
    for (name, graph) in
        [("no work", graph(Shape::default())), ("Piper's decoder", decoder::graph())]
    {
        let files = Files { graph: &graph, config: &config, maps: Maps::default() };
        let speaking = Speaking { speaker: None, language: "en" };
        let begun = Instant::now();
        let loaded = Vits::load(environment, files, speaking, (DeviceWish::Cpu, threads()));
        let mut voice = loaded.expect("the stand-in loads");
        let load_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        table.figure(&format!("{name}: loaded and tried"), Some(load_ms), "ms", Target::None);
        let (mut first_ms, mut factors) = (Vec::new(), Vec::new());
        for phrase in PHRASES.iter().cycle().take(ROUNDS * PHRASES.len()) {
            let (first, factor) = speak(&mut voice, phrase);
            first_ms.push(first);
            factors.push(factor);
        }
        table.figure(&format!("{name}: text to first sound"), median(first_ms), "ms", Target::None);
        let factor = median(factors);
        table.figure(&format!("{name}: real-time factor"), factor, "", Target::None);
    }
    table.remark(
        "neural voices: stand-ins on the CPU; real Piper and Coqui voices, their text encoders and a \
         GPU are not measured"
            .to_owned(),
    );
}

/// Milliseconds to the first sound, and time of rendering over time of speech.
fn speak(voice: &mut Vits, phrase: &str) -> (f64, f64) {
    let begun = Instant::now();
    let (mut first, mut samples) = (None, 0);
    let mut sink = |sound: &[i16]| {
        first.get_or_insert_with(|| begun.elapsed());
        samples += sound.len();
        Flow::Continue
    };
    voice.speak(phrase, &AtomicBool::new(false), &mut sink).expect("the stand-in speaks");
    let took_s = begun.elapsed().as_secs_f64();
    let speech_s = pcm::samples_to_ms(samples) as f64 / 1_000.0;
    (first.map_or(0.0, |first| first.as_secs_f64() * 1_000.0), took_s / speech_s)
}
