"""The test sets: speech that the training never heard, each made once from a fixed seed.

A set is a folder of WAV files (16 kHz) with an index; where it exists it is not made again, so that
another model costs only its decoding. What the line does to the sound is the product's business
(`attendant transcribe --line`), but for babble, which stands beside the speaker.
"""
import hashlib
import random
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile

import training  # noqa: F401
import grammar
import noises
import playbook
import strangers
import voices
from human import AUDIO, People
from mel import SAMPLE_RATE
from numbers_en import ONES, random_digits
from trades import SENTENCES as OTHER_TRADES

# Folders of speakers with a file of this name are heard in the evaluation alone, all of their takes.
EVALUATION_ONLY = "evaluation-only"
HTS = "cmu_us_slt_arctic_hts"
VOICES = {"flite slt": ("flite", "slt"), "festival slt hts": ("festival", HTS),
          "espeak-ng scotland+f4": ("espeak", "en-gb-scotland+f4"), "espeak-ng us+linda": ("espeak", "en-us+linda")}
# Scripts that change no set.
UNRELATED = {"evaluate.py", "calibrate.py", "product.py", "score.py", "fixtures.py", "promises.py", "train.py", "model.py",
             "muon.py", "data.py", "align.py", "ggml.py", "run.py", "generate.py", "partials.py"}
TAKES = 3                     # of one number: the first, and those after the caller said no


class Example(NamedTuple):
    """One file and what is said in it; empty for what must not be understood."""
    path: Path
    text: str


def _recipe(human):
    """Names the scripts and the folder of recordings that a set is made from: others, another set."""
    here = Path(__file__).resolve().parent
    scripts = sorted([*here.glob("*.py"), *(here.parent / "train").glob("*.py"), playbook.PLAYBOOK])
    told = hashlib.sha256(str(human and human.resolve()).encode())
    for script in scripts:
        if script.name not in UNRELATED:
            told.update(script.read_bytes())
    return told.hexdigest()[:12]


class _Hts(voices._Festival):
    """festival's HTS engine, which no training voice is from."""

    def _command(self, line):
        super()._command(line.replace("voice_ked_diphone", f"voice_{HTS}"))


_hts = _Hts()


def has_hts():
    """The Debian package festvox-us-slt-hts is there."""
    return shutil.which("festival") and any(Path("/usr/share/festival/voices").glob(f"*/{HTS}"))


def speak(text, voice, r):
    """-> 16 kHz samples"""
    if voice[0] != "festival":
        return voices.synthesise(text, voice, r)
    own, voices._festival = voices._festival, _hts
    try:
        return voices.synthesise(text, voice, r)
    finally:
        voices._festival = own


def framed(x, r, low=-20, high=-4):
    """Speech at a telephone level with silence around it."""
    x = x / (np.abs(x).max() + 1e-6) * 10 ** (r.uniform(low, high) / 20)
    before, after = (np.zeros(int(SAMPLE_RATE * r.uniform(0.3, 0.8)), np.float32) for _ in range(2))
    return np.concatenate([before, x, after]).astype(np.float32)


class Sets:
    """All sets of one cache folder."""

    def __init__(self, cache, human=None, count=80):
        self.cache, self.human, self.count = Path(cache), human and Path(human), count

    def make(self, name, examples):
        """Writes (samples, text) of the generator that `examples` gives, unless they are there."""
        folder = self.cache / f"sets-{_recipe(self.human)}" / f"{name.replace(' ', '-')}-{self.count}"
        index = folder / "index.tsv"
        if not index.exists():
            print(f"making {folder.name}", file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            rows = []
            for number, (x, text) in enumerate(examples()):
                samples = np.clip(np.round(x * 32767), -32768, 32767).astype(np.int16)
                wavfile.write(folder / f"{number:05}.wav", SAMPLE_RATE, samples)
                rows.append(f"{number:05}.wav\t{text}\n")
            part = index.with_suffix(".part")
            part.write_text("".join(rows))
            part.rename(index)
        rows = (line.rstrip("\n").split("\t") for line in index.read_text().splitlines())
        return [Example(folder / file, text) for file, text in rows]

    def sentences(self, name, voice, seed):
        """New sentences of the desk."""
        def examples():
            r, made = random.Random(seed), 0
            while made < self.count:
                u = grammar.sample(r, 0)
                try:
                    x = framed(speak(u.spoken, voice, r), r)
                except voices.SynthesisError:
                    continue
                made += 1
                yield x, "".join(u.written)
        return self.make(f"{name} sentences", examples)

    def numbers(self, name, voice, length, seed, takes=TAKES):
        """Numbers of so many digits, each `takes` times."""
        def examples():
            r, made = random.Random(seed), 0
            while made < self.count:
                text = random_digits(r, length)
                spoken = " ".join(ONES[int(d)] for d in text)
                try:
                    said = [framed(speak(spoken, voice, r), r) for _ in range(takes)]
                except voices.SynthesisError:
                    continue
                made += 1
                yield from ((x, str(text)) for x in said)
        return self.make(f"{name} numbers of {length}", examples)

    def babble(self, base, name, seed, snr_db=10):
        """The same sentences among eight people who talk."""
        def examples():
            r, talk = random.Random(seed), []
            while len(talk) < 24:
                try:
                    talk.append(speak(grammar.out_of_grammar(r).spoken, ("espeak", r.choice(voices.ACCENTS)), r))
                except voices.SynthesisError:
                    continue
            for example in base:
                x = wavfile.read(example.path)[1].astype(np.float32) / 32768
                crowd = np.zeros(len(x), np.float32)
                for _ in range(8):
                    line = np.concatenate([r.choice(talk) for _ in range(2 + len(x) // SAMPLE_RATE)])
                    crowd += np.resize(np.roll(line, r.randrange(len(line))), len(x))
                level = np.sqrt(np.mean(x[np.abs(x) > 1e-3] ** 2)) / (np.sqrt(np.mean(crowd ** 2)) + 1e-9)
                yield np.clip(x + crowd * level * 10 ** (-snr_db / 20), -1, 1), example.text
        return self.make(f"{name} babble", examples)

    def foreign(self, name, voice, seed):
        """Speech of other trades."""
        def examples():
            r = random.Random(seed)
            for text in r.sample(OTHER_TRADES, min(self.count, len(OTHER_TRADES))):
                yield framed(speak(text, voice, r), r), ""
        return self.make(f"{name} foreign", examples)

    def noise(self, seed=9500, seconds=30, pieces=10):
        """Five minutes of noise of many kinds."""
        def examples():
            for piece in range(pieces):
                r, g = random.Random(seed + piece), np.random.default_rng(seed + piece)
                n = seconds * SAMPLE_RATE
                x = noises.coloured(n, g, [0, 0.3, 0.5, 0.8, 1.0][piece % 5])
                if piece % 2:
                    x = x * (1 + 0.8 * np.sin(2 * np.pi * r.uniform(0.2, 3) * np.arange(n) / SAMPLE_RATE))
                if piece % 3 == 2:
                    x = x * 0.1 + noises._bursts(n, r, g) * 5
                yield x / (np.abs(x).max() + 1e-9) * 10 ** (r.uniform(-30, -6) / 20), ""
        return self.make("noise", examples)

    def music(self, seed=9600, seconds=30, pieces=10):
        """Five minutes of music on hold: a piece that the training leaves out, or made-up chords."""
        def examples():
            real = sorted(Path("/usr/share/asterisk/moh").glob("*.wav"))[-1:]
            for piece in range(pieces):
                r, g = random.Random(seed + piece), np.random.default_rng(seed + piece)
                n = seconds * SAMPLE_RATE
                is_real = real and piece % 2
                yield (noises.recorded_music(n, r, real) if is_real else noises._music(n, r, g)), ""
        return self.make("music", examples)

    def lengths(self, seconds):
        """Speech of exactly so many seconds."""
        def examples():
            r = random.Random(9700 + seconds)
            for _ in range(12):
                x = np.zeros(0, np.float32)
                while len(x) < seconds * SAMPLE_RATE:
                    x = np.concatenate([x, speak(grammar.sample(r, 0).spoken, ("flite", "slt"), r)])
                yield framed(x[:seconds * SAMPLE_RATE], r), ""
        return self.make(f"speech of {seconds} s", examples)

    def people(self):
        """The held-out recordings of people."""
        people = People(self.human, self.cache / "human", "held-out")
        for folder in sorted(self.human.glob("digits/*")):
            if (folder / EVALUATION_ONLY).exists():
                for digit in "0123456789":
                    takes = [p for p in sorted(folder.glob(f"{digit}_*")) if p.suffix in AUDIO]
                    people.digits[folder.name, digit] = takes
        people.speakers = sorted({speaker for speaker, _ in people.digits})
        return people

    def human_digits(self, people, speaker, seed=9200):
        """Strings of 1 to 6 digits, joined from single takes."""
        def examples():
            r = random.Random(seed)
            for number in range(self.count):
                text = random_digits(r, 1 + number % 6)
                yield framed(people.digit_string(r, speaker, text), r), str(text)
        return self.make(f"human digits {speaker}", examples)

    def human_numbers(self, people, length, seed=9250):
        """Numbers of so many digits, each several times, by all speakers."""
        def examples():
            r = random.Random(seed + length)
            for number in range(self.count):
                text, speaker = random_digits(r, length), people.speakers[number % len(people.speakers)]
                for _ in range(TAKES):
                    yield framed(people.digit_string(r, speaker, text), r), str(text)
        return self.make(f"human numbers of {length}", examples)

    def stranger_digits(self, recordings, seed=9220):
        """Strings of 1 to 6 digits by a person whom no training heard."""
        def examples():
            r = random.Random(seed)
            for number in range(2 * self.count):
                text = random_digits(r, 1 + number % 6)
                yield framed(strangers.digit_string(r, recordings, text), r), str(text)
        return self.make("stranger digits", examples)

    def stranger_letters(self, letters, seed=9240):
        """Single letters by two people whom no training heard."""
        def examples():
            r = random.Random(seed)
            for name, x in letters:
                yield framed(x, r), f"{name}."
        return self.make("stranger letters", examples)

    def stranger_sentences(self, language, seed=9330):
        """Sentences of another language by a person whom no training heard."""
        def examples():
            r, files = random.Random(seed), strangers.sentences(language)
            r.shuffle(files)
            made = 0
            for x in filter(lambda x: x is not None, map(strangers.sentence, files)):
                if made == self.count:
                    return
                made += 1
                yield framed(x, r), ""
        return self.make(f"stranger {language}", examples)

    def human_sentences(self, people, seed=9320):
        """What people say to the desk, as the transcripts have it."""
        def examples():
            r = random.Random(seed)
            for path, said in r.sample(people.sentences, min(2 * self.count, len(people.sentences))):
                yield framed(people.audio(path), r), said
        return self.make("human sentences", examples)

    def human_foreign(self, people, seed=9300):
        """People's sentences that are none of the desk's."""
        def examples():
            r = random.Random(seed)
            for path in r.sample(people.foreign, min(2 * self.count, len(people.foreign))):
                yield framed(people.audio(path), r), ""
        return self.make("human foreign sentences", examples)

    def human_words(self, people, seed=9350):
        """People's single words that are none of the desk's."""
        def examples():
            r = random.Random(seed)
            for _, path in r.sample(people.words, min(self.count, len(people.words))):
                yield framed(people.audio(path), r), ""
        return self.make("human foreign words", examples)
