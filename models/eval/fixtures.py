"""Makes the product's test recordings: python fixtures.py PROGRAM FOLDER [MODEL]

Sentences are spoken by a voice that the training never heard, through an 8 kHz mu-law line. A recording
is kept only if the program gets it right with different amounts of silence around it, so that a test on
it stands on firm ground.
"""
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

import training  # noqa: F401
from mel import SAMPLE_RATE
from product import Product, text
from score import words
from telephone import coloured, mulaw
from voices import synthesise

VOICES = [("flite", "slt"), ("espeak", "en-us+linda"), ("espeak", "en-gb-scotland+f4")]
SENTENCES = [
    ("yes", "yes", "Yes."),
    ("no", "no", "No."),
    ("yes-please", "yes, please.", "Yes, please."),
    ("no-thank-you", "no, thank you.", "No, thank you."),
    ("opening-hours", "what are your opening hours?", "What are your opening hours?"),
    ("address", "what is your address?", "What is your address?"),
    ("track", "track my order.", "Track my order."),
    ("where", "where is my order?", "Where is my order?"),
    ("order-4729", "my order number is four seven two nine.", "My order number is 4729."),
    ("digits-4729", "four seven two nine.", "4729."),
    ("digits-1580", "one five eight zero.", "1580."),
    ("digits-36", "three six.", "36."),
    ("person", "I want to speak to a person.", "I want to speak to a person."),
    ("cancel", "cancel my order.", "Cancel my order."),
    ("message", "I want to leave a message.", "I want to leave a message."),
    ("repeat", "repeat that, please.", "Repeat that, please."),
    ("name", "my name is Peter.", "My name is Peter."),
    ("monday", "on Monday.", "On Monday."),
    ("thank-you-goodbye", "thank you, goodbye.", "Thank you, goodbye."),
]
LONGEST = 3.7 * 8000          # 16-bit samples: just under 60 KB


def _line(x):
    """16 kHz -> 8 kHz, mu-law, as 16-bit samples."""
    y = mulaw(resample_poly(x, 1, 2).astype(np.float32))
    return np.clip(np.round(y * 32767), -32768, 32767).astype(np.int16)


def _heard(product, versions):
    """-> the text of each"""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{n}.wav" for n in range(len(versions))]
        for file, samples in zip(files, versions):
            wavfile.write(file, 8000, samples)
        return [text(report) for report in product.hear(files)]


def _steady(product, samples, expected):
    """Right as it is, with the silence cut, and with more of it."""
    versions = [samples, samples[1200:-1600], np.pad(samples, (1600, 0)), np.pad(samples, (4000, 8000))]
    return all(words(heard) == words(expected) for heard in _heard(product, versions))


def spoken(product, sentence, expected):
    """The first rendering that the program hears for certain, or None."""
    for attempt in range(24):
        r = random.Random(attempt)
        x = synthesise(sentence, VOICES[0 if attempt < 12 else attempt % 3], r)
        x = x / np.abs(x).max() * 0.4
        samples = _line(np.pad(x, (int(0.25 * SAMPLE_RATE), int(0.3 * SAMPLE_RATE))))
        if len(samples) <= LONGEST and _steady(product, samples, expected):
            return samples
    return None


def main(program, folder, model="starter"):
    """Writes the recordings and their index."""
    product, folder = Product(program, model), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, sentence, expected in SENTENCES:
        samples = spoken(product, sentence, expected)
        if samples is None:
            print("not heard for certain, left out:", expected)
            continue
        wavfile.write(folder / f"{name}.wav", 8000, samples)
        rows.append(f"{name}.wav\t{expected}")
    length, g = int(LONGEST), np.random.default_rng(5)
    noise = (coloured(length * 2, g, 0.3) * 0.01).astype(np.float32)
    for name, samples in [("noise", _line(noise)), ("silence", np.zeros(length, np.int16))]:
        print(name, "->", *_heard(product, [samples]))
        wavfile.write(folder / f"{name}.wav", 8000, samples)
        rows.append(f"{name}.wav\t")
    (folder / "utterances.tsv").write_text("\n".join(rows) + "\n")
    print(len(rows), "recordings")


if __name__ == "__main__":
    main(*sys.argv[1:4])
