"""What a voice's graph says, by ONNX Runtime's own Python: the other end of a comparison.

Arguments: graph, configuration, speaker's name or "-", symbols. Writes raw float32 samples to
standard output. Symbols become numbers by the rules of Piper's and Coqui's own Python, without
chance in the scales.
"""

import json
import sys
import unicodedata

import numpy
import onnxruntime

graph, configuration, speaker, symbols = sys.argv[1:]
with open(configuration, encoding="utf-8") as file:
    config = json.load(file)

if "phoneme_id_map" in config:
    table = config["phoneme_id_map"]
    ids = [*table["^"], *table["_"]]
    for symbol in unicodedata.normalize("NFD", symbols):
        if symbol in table:
            ids += [*table[symbol], *table["_"]]
    ids += table["$"]
    length = config["inference"]["length_scale"]
    speakers = config["speaker_id_map"]
else:
    parts = config["characters"]
    vocabulary = [parts["pad"], *parts["punctuations"], *parts["characters"], *parts["phonemes"]]
    vocabulary.append("<BLNK>")
    table = {symbol: place for place, symbol in enumerate(vocabulary)}
    plain = [table[symbol] for symbol in symbols if symbol in table]
    ids = [table["<BLNK>"]] * (2 * len(plain) + 1)
    ids[1::2] = plain
    length = config["model_args"].get("length_scale", 1.0)
    with open(configuration + ".speakers", encoding="utf-8") as file:
        speakers = json.load(file)

inputs = {
    "input": numpy.array([ids], dtype=numpy.int64),
    "input_lengths": numpy.array([len(ids)], dtype=numpy.int64),
    "scales": numpy.array([0.0, length, 0.0], dtype=numpy.float32),
}
if speaker != "-":
    inputs["sid"] = numpy.array([speakers[speaker]], dtype=numpy.int64)
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
sys.stdout.buffer.write(session.run(None, inputs)[0].astype(numpy.float32).tobytes())
