//! A voice that is no voice: a graph with the inputs and outputs of a VITS export, written byte by
//! byte (onnx.proto), and the configurations of Piper and Coqui for it. And where the ONNX Runtime
//! and the Python of the tests are.

#![allow(dead_code, reason = "each test needs a part of this")]
#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

use std::path::{Path, PathBuf};

/// Samples for each symbol, as Piper's `hop_length`.
pub const HOP: usize = 256;
/// Numbers of symbols that the graph knows; it fails for a larger one.
pub const SYMBOLS: usize = 256;

pub const FLOAT: u64 = 1;
pub const INT64: u64 = 7;
const BOOL: u64 = 9;

/// What the graph is like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// It has the input `sid`.
    pub speakers: bool,
    /// Its output has two dimensions instead of three.
    pub flat: bool,
    /// It computes for ever.
    pub endless: bool,
    /// How loud it is; 0 stands for 0.1.
    pub amplitude: f32,
}

/// The graph. Each symbol is `HOP` samples of a tone whose pitch depends on its number and the
/// speaker; `length_scale` repeats it, `noise_scale` adds noise, `noise_w` and the number of symbols
/// add a constant: so each input can be heard in the output.
pub fn graph(shape: Shape) -> Vec<u8> {
    let pitches: Vec<f32> = (0..SYMBOLS).map(|id| (id % 16 + 2) as f32).collect();
    let ramp: Vec<f32> = (0..HOP).map(|n| (n + 1) as f32 / HOP as f32).collect();
    let amplitude = if shape.amplitude == 0.0 { 0.1 } else { shape.amplitude };
    let mut initializers = vec![
        floats("pitches", &[SYMBOLS as u64], &pitches),
        floats("ramp", &[1, 1, HOP as u64], &ramp),
        floats("turn", &[], &[std::f32::consts::TAU]),
        floats("amplitude", &[], &[amplitude]),
        floats("one", &[], &[1.0]),
        floats("hundredth", &[], &[0.01]),
        floats("tiny", &[], &[0.000_1]),
        integers("two", &[1], &[2]),
        integers("zero", &[1], &[0]),
        integers("ones", &[2], &[1, 1]),
        integers("first", &[], &[0]),
        integers("second", &[], &[1]),
        integers("third", &[], &[2]),
        integers(
            "whole",
            if shape.flat { &[2] } else { &[3] },
            if shape.flat { &[1, -1] } else { &[1, 1, -1] },
        ),
    ];
    let mut nodes = vec![
        node("Gather", &["pitches", "input"], "pitch", &[]),
        node("Unsqueeze", &["pitch", "two"], "column", &[]),
        node("Mul", &["column", "ramp"], "plain", &[]),
    ];
    let mut inputs = vec![
        value("input", INT64, &[None, None]),
        value("input_lengths", INT64, &[None]),
        value("scales", FLOAT, &[Some(3)]),
    ];
    let spoken = if shape.speakers {
        inputs.push(value("sid", INT64, &[Some(1)]));
        nodes.push(node("Cast", &["sid"], "speaker", &[integer("to", FLOAT)]));
        nodes.push(node("Mul", &["speaker", "hundredth"], "shift", &[]));
        nodes.push(node("Add", &["shift", "one"], "stretch", &[]));
        nodes.push(node("Mul", &["plain", "stretch"], "spoken", &[]));
        "spoken"
    } else {
        "plain"
    };
    nodes.extend([
        node("Mul", &[spoken, "turn"], "phase", &[]),
        node("Sin", &["phase"], "tone", &[]),
        node("Mul", &["tone", "amplitude"], "loud", &[]),
        node("RandomNormalLike", &["loud"], "random", &[]),
        node("Gather", &["scales", "first"], "noise_scale", &[]),
        node("Mul", &["random", "noise_scale"], "noise", &[]),
        node("Add", &["loud", "noise"], "noisy", &[]),
        node("Gather", &["scales", "second"], "length_scale", &[]),
        node("Ceil", &["length_scale"], "times", &[]),
        node("Cast", &["times"], "count", &[integer("to", INT64)]),
        node("Unsqueeze", &["count", "zero"], "counts", &[]),
        node("Concat", &["ones", "counts"], "repeats", &[integer("axis", 0)]),
        node("Tile", &["noisy", "repeats"], "long", &[]),
        node("Gather", &["scales", "third"], "noise_w", &[]),
        node("Mul", &["noise_w", "hundredth"], "offset", &[]),
        node("Add", &["long", "offset"], "shifted", &[]),
        node("Cast", &["input_lengths"], "length", &[integer("to", FLOAT)]),
        node("Mul", &["length", "tiny"], "little", &[]),
        node("Add", &["shifted", "little"], "all", &[]),
    ]);
    if shape.endless {
        initializers.push(integers("times_to_go", &[], &[i64::MAX]));
        initializers.push(tensor("go_on", BOOL, &[], &[1]));
        let body = [
            field(1, &node("Identity", &["goes_on"], "goes_on_still", &[])),
            field(1, &node("Add", &["before", "tiny"], "after", &[])),
            field(2, b"body"),
            field(11, &value("turns", INT64, &[])),
            field(11, &value("goes_on", BOOL, &[])),
            field(11, &value("before", FLOAT, &[None, None, None])),
            field(12, &value("goes_on_still", BOOL, &[])),
            field(12, &value("after", FLOAT, &[None, None, None])),
        ]
        .concat();
        let body = [field(1, b"body"), field(6, &body), number(20, 5)].concat();
        nodes.push(node("Loop", &["times_to_go", "go_on", "all"], "ended", &[body]));
        nodes.push(node("Reshape", &["ended", "whole"], "output", &[]));
    } else {
        nodes.push(node("Reshape", &["all", "whole"], "output", &[]));
    }
    let dimensions: &[Option<u64>] = if shape.flat { &[None; 2] } else { &[None; 3] };
    let parts = [
        nodes.iter().flat_map(|node| field(1, node)).collect(),
        field(2, b"stand-in"),
        initializers.iter().flat_map(|tensor| field(5, tensor)).collect(),
        inputs.iter().flat_map(|input| field(11, input)).collect(),
        field(12, &value("output", FLOAT, dimensions)),
    ];
    model(&parts.concat())
}

pub fn model(graph: &[u8]) -> Vec<u8> {
    [number(1, 8), field(2, b"attendant"), field(7, graph), field(8, &number(2, 15))].concat()
}

pub fn node(kind: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    [
        inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect(),
        field(2, output.as_bytes()),
        field(3, output.as_bytes()),
        field(4, kind.as_bytes()),
        attributes.iter().flat_map(|attribute| field(5, attribute)).collect(),
    ]
    .concat()
}

/// An attribute that is a whole number.
pub fn integer(name: &str, value: u64) -> Vec<u8> {
    [field(1, name.as_bytes()), number(3, value), number(20, 2)].concat()
}

/// An attribute that is several whole numbers.
pub fn several(name: &str, values: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| number(8, *value)).collect();
    [field(1, name.as_bytes()), values, number(20, 7)].concat()
}

/// A named input or output; a dimension of `None` may have any length.
pub fn value(name: &str, kind: u64, dimensions: &[Option<u64>]) -> Vec<u8> {
    let one = |(index, dimension): (usize, &Option<u64>)| {
        let length = match dimension {
            Some(length) => number(1, *length),
            None => field(2, format!("{name}{index}").as_bytes()),
        };
        field(1, &length)
    };
    let dimensions: Vec<u8> = dimensions.iter().enumerate().flat_map(one).collect();
    let kind = [number(1, kind), field(2, &dimensions)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &kind))].concat()
}

pub fn floats(name: &str, dimensions: &[u64], values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, FLOAT, dimensions, &bytes)
}

pub fn integers(name: &str, dimensions: &[u64], values: &[i64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, INT64, dimensions, &bytes)
}

fn tensor(name: &str, kind: u64, dimensions: &[u64], bytes: &[u8]) -> Vec<u8> {
    let dimensions: Vec<u8> = dimensions.iter().flat_map(|length| number(1, *length)).collect();
    [dimensions, number(2, kind), field(8, name.as_bytes()), field(9, bytes)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// Every symbol that espeak-ng writes for English, besides the head of Piper's table.
const SYMBOLS_OF_ENGLISH: &str = "abdefhijklmnoprstuvwzæðŋɐɑɔəɚɛɜɡɪɫɹɾʃʊʌʒʔθᵻˈˌː\u{303}\u{329}";

/// `NAME.onnx.json` with these speakers.
pub fn piper_config(rate_hz: u32, speakers: &[(&str, i64)]) -> String {
    let head = ["_", "^", "$", " ", "!", "'", "(", ")", ",", "-", ".", ":", ";", "?"];
    let symbols = head.iter().map(|s| (*s).to_owned());
    let symbols = symbols.chain(SYMBOLS_OF_ENGLISH.chars().map(String::from));
    let ids: Vec<String> = symbols.enumerate().map(|(id, s)| format!("\"{s}\": [{id}]")).collect();
    let numbers: Vec<String> = speakers.iter().map(|(n, id)| format!("\"{n}\": {id}")).collect();
    format!(
        "{{\"audio\": {{\"sample_rate\": {rate_hz}, \"quality\": \"medium\"}}, \
         \"espeak\": {{\"voice\": \"en-us\"}}, \
         \"inference\": {{\"noise_scale\": 0, \"length_scale\": 1, \"noise_w\": 0}}, \
         \"phoneme_type\": \"espeak\", \"phoneme_map\": {{}}, \"phoneme_id_map\": {{{}}}, \
         \"num_symbols\": 256, \"num_speakers\": {}, \"speaker_id_map\": {{{}}}}}",
        ids.join(", "),
        speakers.len().max(1),
        numbers.join(", ")
    )
}

/// `config.json` of a Coqui VITS export, for this many speakers.
pub fn coqui_config(rate_hz: u32, speakers: usize) -> String {
    format!(
        "{{\"model\": \"vits\", \"audio\": {{\"sample_rate\": {rate_hz}}}, \"add_blank\": true, \
         \"use_phonemes\": true, \"phonemizer\": \"espeak\", \"phoneme_language\": \"en-us\", \
         \"characters\": {{\"characters_class\": \"TTS.tts.models.vits.VitsCharacters\", \
         \"pad\": \"_\", \"punctuations\": \";:,.!? \", \"characters\": \"ABC\", \
         \"phonemes\": \"{SYMBOLS_OF_ENGLISH}\"}}, \
         \"model_args\": {{\"num_speakers\": {speakers}, \"inference_noise_scale\": 0, \
         \"inference_noise_scale_dp\": 0}}}}"
    )
}

/// The tests' own Python, which `tools/deps test` has made.
pub fn python() -> Option<PathBuf> {
    present(folder().join("bin/python"))
}

/// The runtime that came with it.
pub fn onnxruntime() -> Option<PathBuf> {
    let versions = folder().join("lib").read_dir().ok()?.filter_map(Result::ok);
    let found = versions
        .filter_map(|version| {
            let capi = version.path().join("site-packages/onnxruntime/capi");
            let files = capi.read_dir().ok()?.filter_map(Result::ok).map(|file| file.path());
            files.into_iter().find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("libonnxruntime.so")
            })
        })
        .next();
    present(found.unwrap_or_else(|| folder().join("lib/libonnxruntime.so")))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python")
}

/// Without it a test is left out, but in CI it fails.
fn present(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: tools/deps test", path.display());
    eprintln!("left out: {} is missing; `tools/deps test` makes it", path.display());
    None
}
