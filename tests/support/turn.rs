//! Turn models that are none: graphs with the input and output of Smart Turn's, written byte by byte.

#![allow(dead_code, reason = "each test needs a part of this")]

use super::vits::{FLOAT, INT64, field, floats, integer, integers, model, node, value};

/// 80 bands of 800 frames.
const PICTURE: [Option<u64>; 3] = [None, Some(80), Some(800)];

/// The logistic function of `weight` times the mean of what it is shown, less `threshold`.
pub fn graph(input: &str, weight: f32, threshold: f32) -> Vec<u8> {
    let nodes = [
        node("ReduceMean", &[input], "mean", &[]),
        node("Mul", &["mean", "weight"], "weighed", &[]),
        node("Sub", &["weighed", "threshold"], "above", &[]),
        node("Sigmoid", &["above"], "probability", &[]),
        node("Reshape", &["probability", "shape"], "logits", &[]),
    ];
    let initializers = [
        floats("weight", &[], &[weight]),
        floats("threshold", &[], &[threshold]),
        integers("shape", &[2], &[1, 1]),
    ];
    whole(input, &nodes, &initializers, &[None, Some(1)])
}

/// One that takes from a list of one the first up to this mean, and the second above it.
pub fn failing_above(mean: f32) -> Vec<u8> {
    let input = "input_features";
    let nodes = [
        node("ReduceMean", &[input], "mean", &[]),
        node("Reshape", &["mean", "one"], "flat", &[]),
        node("Sub", &["flat", "threshold"], "above", &[]),
        node("Sign", &["above"], "sign", &[]),
        node("Relu", &["sign"], "step", &[]),
        node("Cast", &["step"], "place", &[integer("to", INT64)]),
        node("Gather", &["list", "place"], "logits", &[]),
    ];
    let initializers = [
        floats("threshold", &[], &[mean]),
        floats("list", &[1], &[0.5]),
        integers("one", &[1], &[1]),
    ];
    whole(input, &nodes, &initializers, &[None])
}

fn whole(
    input: &str,
    nodes: &[Vec<u8>],
    initializers: &[Vec<u8>],
    output: &[Option<u64>],
) -> Vec<u8> {
    let parts = [
        nodes.iter().flat_map(|node| field(1, node)).collect::<Vec<u8>>(),
        field(2, b"stand-in"),
        initializers.iter().flat_map(|tensor| field(5, tensor)).collect(),
        field(11, &value(input, FLOAT, &PICTURE)),
        field(12, &value("logits", FLOAT, output)),
    ];
    model(&parts.concat())
}
