//! A graph with the work of a Piper voice of quality "medium" and weights by chance: the decoder
//! (HiFi-GAN, 192 channels in, 256 at first, up 8, 8 and 4 times, residual blocks of the second kind
//! with kernels 3, 5 and 7), which does most of it. Text encoder and flow are left out, and three
//! frames stand for each symbol, as in speech of usual pace.

use attendant::base::Entropy;

use crate::support::vits::{
    FLOAT, INT64, field, floats, integer, integers, model, node, several, value,
};

const FRAMES_PER_SYMBOL: u64 = 3;
const CHANNELS: u64 = 192;

/// Nodes and weights as they are added.
struct Net {
    nodes: Vec<Vec<u8>>,
    weights: Vec<Vec<u8>>,
    chance: Entropy,
}

impl Net {
    fn tensor(&mut self, name: &str, shape: &[u64], fan_in: u64) {
        let count: u64 = shape.iter().product();
        let scale = (2.0 / fan_in as f32).sqrt();
        let mut one = || (f32::from(self.chance.next_u16()) / 32_768.0 - 1.0) * scale;
        let values: Vec<f32> = (0..count).map(|_| one()).collect();
        self.weights.push(floats(name, shape, &values));
    }

    fn convolve(
        &mut self,
        from: &str,
        to: &str,
        (input, output): (u64, u64),
        kernel: u64,
        dilation: u64,
    ) {
        let weight = format!("{to}.weight");
        self.tensor(&weight, &[output, input, kernel], input * kernel);
        let pad = dilation * (kernel - 1) / 2;
        let attributes = [
            several("kernel_shape", &[kernel]),
            several("dilations", &[dilation]),
            several("pads", &[pad, pad]),
        ];
        self.nodes.push(node("Conv", &[from, &weight], to, &attributes));
    }

    fn stretch(
        &mut self,
        from: &str,
        to: &str,
        (input, output): (u64, u64),
        kernel: u64,
        times: u64,
    ) {
        let weight = format!("{to}.weight");
        self.tensor(&weight, &[input, output, kernel], input * kernel / times);
        let pad = (kernel - times) / 2;
        let attributes = [
            several("kernel_shape", &[kernel]),
            several("strides", &[times]),
            several("pads", &[pad, pad]),
        ];
        self.nodes.push(node("ConvTranspose", &[from, &weight], to, &attributes));
    }

    fn bend(&mut self, from: &str, to: &str) {
        self.nodes.push(node("LeakyRelu", &[from], to, &[]));
    }

    fn add(&mut self, one: &str, other: &str, to: &str) {
        self.nodes.push(node("Add", &[one, other], to, &[]));
    }

    /// Three blocks side by side, each of two convolutions with a way around.
    fn blocks(&mut self, from: &str, to: &str, channels: u64) {
        let mut sum = String::new();
        for (kernel, dilations) in [(3, [1, 2]), (5, [2, 6]), (7, [3, 12])] {
            let mut at = from.to_owned();
            for dilation in dilations {
                let name = format!("{to}.{kernel}.{dilation}");
                self.bend(&at, &format!("{name}.bent"));
                let bent = format!("{name}.bent");
                self.convolve(&bent, &format!("{name}.by"), (channels, channels), kernel, dilation);
                self.add(&at, &format!("{name}.by"), &name);
                at = name;
            }
            let next = format!("{to}.sum.{kernel}");
            match sum.is_empty() {
                true => sum = at,
                false => {
                    self.add(&sum, &at, &next);
                    sum = next;
                }
            }
        }
        self.nodes.push(node("Mul", &[&sum, "third"], to, &[]));
    }
}

pub fn graph() -> Vec<u8> {
    let mut net = Net { nodes: Vec::new(), weights: Vec::new(), chance: Entropy::new([5; 32]) };
    net.tensor("symbols", &[256, CHANNELS], 2);
    net.weights.push(floats("third", &[], &[1.0 / 3.0]));
    net.weights.push(integers("flat", &[3], &[1, 1, -1]));
    net.nodes.push(node("Gather", &["symbols", "input"], "rows", &[]));
    net.nodes.push(node("Transpose", &["rows"], "columns", &[several("perm", &[0, 2, 1])]));
    net.stretch("columns", "frames", (CHANNELS, CHANNELS), FRAMES_PER_SYMBOL, FRAMES_PER_SYMBOL);
    net.convolve("frames", "stage", (CHANNELS, 256), 7, 1);
    let mut at = "stage".to_owned();
    for (channels, kernel, times) in [(128, 16, 8), (64, 16, 8), (32, 8, 4)] {
        let name = format!("up{channels}");
        net.bend(&at, &format!("{name}.bent"));
        net.stretch(
            &format!("{name}.bent"),
            &format!("{name}.long"),
            (channels * 2, channels),
            kernel,
            times,
        );
        net.blocks(&format!("{name}.long"), &name, channels);
        at = name;
    }
    net.bend(&at, "bent");
    net.convolve("bent", "wave", (32, 1), 7, 1);
    net.nodes.push(node("Tanh", &["wave"], "sound", &[]));
    net.nodes.push(node("Reshape", &["sound", "flat"], "output", &[]));
    // Keeps the inputs that this graph has no use for.
    net.nodes.push(node("Cast", &["input_lengths"], "unused", &[integer("to", FLOAT)]));
    let content = [
        net.nodes.iter().flat_map(|node| field(1, node)).collect::<Vec<u8>>(),
        field(2, b"decoder"),
        net.weights.iter().flat_map(|weight| field(5, weight)).collect(),
        field(11, &value("input", INT64, &[None, None])),
        field(11, &value("input_lengths", INT64, &[None])),
        field(11, &value("scales", FLOAT, &[Some(3)])),
        field(12, &value("output", FLOAT, &[None; 3])),
    ];
    model(&content.concat())
}
