"""The test sets: speech that the training never heard, each made from a fixed seed."""
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))

import grammar
import voices
from human import People, random_string
from mel import SAMPLE_RATE
from noises import noise_only
from telephone import line, plain_line

SYNTHETIC = {"flite slt": ("flite", "slt"), "espeak-ng scotland+f4": ("espeak", "en-gb-scotland+f4"),
             "espeak-ng us+linda": ("espeak", "en-us+linda")}


def _framed(x, r):
    """Speech at a telephone level with a little silence around it, as the product cuts it."""
    x = x / (np.abs(x).max() + 1e-6) * 10 ** (r.uniform(-14, -3) / 20)
    before, after = (np.zeros(int(SAMPLE_RATE * r.uniform(0.1, 0.3)), np.float32) for _ in range(2))
    return np.concatenate([before, x, after]).astype(np.float32)


def synthetic(voice, count, seed):
    """-> list of (clean samples, text) of new sentences of the desk."""
    r, out = random.Random(seed), []
    while len(out) < count:
        u = grammar.sample(r, 0)
        try:
            x = _framed(voices.synthesise(u.spoken, voice, r), r)
        except voices.SynthesisError:
            continue
        if len(x) < 10 * SAMPLE_RATE:
            out.append((x, "".join(u.written)))
    return out


def refused(voice, count, seed):
    """Speech of other trades."""
    r = random.Random(seed)
    return [(plain_line(_framed(voices.synthesise(grammar.out_of_grammar(r).spoken, voice, r), r)), "[INAUDIBLE]")
            for _ in range(count)]


def silence(count, seed):
    """Noises, tones, music and silence."""
    r = random.Random(seed)
    return [(noise_only(r), "[BLANK_AUDIO]") for _ in range(count)]


def human_digits(people, speaker, count, seed):
    """Strings of 1-8 digits joined from held-out takes."""
    r, out = random.Random(seed), []
    while len(out) < count:
        x, text, _ = random_string(r, people)
        out.append((plain_line(_framed(x, r)), str(text)))
    return out


def human_refused(people, count, seed):
    """People's sentences and words that are none of the desk's."""
    r = random.Random(seed)
    sentences = r.sample(people.foreign, min(count, len(people.foreign)))
    single = [p for _, p in r.sample(people.words, min(count, len(people.words)))]

    def cut(path):
        return plain_line(_framed(people.audio(path), r))[:10 * SAMPLE_RATE], "[INAUDIBLE]"
    return [cut(p) for p in sentences], [cut(p) for p in single]


def all_sets(human=None, cache=None, count=80):
    """Yields (name, list of (samples, expected))."""
    for number, (name, voice) in enumerate(SYNTHETIC.items()):
        made = synthetic(voice, count, 9000 + number)
        yield f"{name}, 16 kHz", made
        yield f"{name}, telephone", [(plain_line(x), text) for x, text in made]
    r = random.Random(4)
    yield "flite slt, bad line", [(line(x, r), text) for x, text in synthetic(("flite", "slt"), count, 9100)]
    if human:
        people = People(human, cache, "held-out")
        for speaker in people.speakers:
            only = {k: v for k, v in people.digits.items() if k[0] == speaker}
            everyone, people.digits, names = people.digits, only, people.speakers
            people.speakers = [speaker]
            yield f"human digits, {speaker}, telephone", human_digits(people, speaker, count // 2, 9200)
            people.digits, people.speakers = everyone, names
        sentences, single = human_refused(people, count, 9300)
        yield "human, other sentences", sentences
        yield "human, other words", single
    yield "flite slt, other sentences", refused(("flite", "slt"), count // 2, 9400)
    yield "noise, tones, music, silence", silence(count, 9500)
