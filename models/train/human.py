"""Recordings of people, read from a folder that the caller names.

    DIR/digits/SPEAKER/D_N.*      isolated English digits (D is the digit, N the take)
    DIR/words/WORD/N.*            words that no caller of the desk says
    DIR/foreign/*.*               sentences that no caller of the desk says
    DIR/sentences/transcripts.tsv optional: file<TAB>text, sentences of the desk

A fixed part of every kind is kept for the evaluation (`split="held-out"`).
"""
import hashlib
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np

from mel import SAMPLE_RATE
from numbers_en import ONES, random_digits
from telephone import stretch
from vocab import Digits

AUDIO = {".opus", ".ogg", ".wav", ".flac", ".mp3"}


def decode(path):
    """Samples at 16 kHz of any file that ffmpeg reads."""
    if path.suffix == ".opus" and shutil.which("opusdec"):
        command = ["opusdec", "--quiet", "--rate", str(SAMPLE_RATE), "--force-wav", str(path), "-"]
        raw, skip = subprocess.run(command, capture_output=True, check=True).stdout, 44
    else:
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-ar", str(SAMPLE_RATE), "-ac", "1", "-f", "s16le", "-"]
        raw, skip = subprocess.run(command, capture_output=True, check=True).stdout, 0
    return np.frombuffer(raw[skip:len(raw) // 2 * 2], np.int16).astype(np.float32) / 32768


def trim(x, margin=0.03):
    """Cuts what is 35 dB below the loudest 20 ms."""
    frames = len(x) // 320
    if frames < 3:
        return x
    energy = np.sqrt(np.mean(x[:frames * 320].reshape(frames, 320) ** 2, axis=1))
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-35 / 20))
    pad = int(margin * SAMPLE_RATE)
    return x[max(0, loud[0] * 320 - pad):(loud[-1] + 1) * 320 + pad]


def _held_by_name(path):
    return int(hashlib.md5(path.stem.encode() + path.parent.name.encode()).hexdigest(), 16) % 100 < 15


class People:
    """The recordings of one split ("train" or "held-out"), decoded once into `cache`."""

    def __init__(self, folder, cache, split="train"):
        self.folder, self.cache = Path(folder), Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        held = split == "held-out"
        self.digits = self._digits(held)
        self.speakers = sorted({speaker for speaker, _ in self.digits})
        self.words = [(p.parent.name.replace("_", " "), p) for p in self._files("words/*") if _held_by_name(p) == held]
        self.foreign = [p for p in self._files("foreign") if _held_by_name(p) == held]
        self.sentences = self._sentences(held)

    def _files(self, pattern):
        folders = sorted(self.folder.glob(pattern))
        return [p for f in folders for p in sorted(f.iterdir()) if p.suffix in AUDIO]

    def _digits(self, held):
        """(speaker, digit) -> takes; the last sixth of the takes of each is held out."""
        takes = defaultdict(list)
        for path in self._files("digits/*"):
            if not held and (path.parent / "evaluation-only").exists():
                continue
            digit, number = path.stem.split("_")[:2]
            takes[path.parent.name, digit].append((int(number), path))
        out = {}
        for key, found in takes.items():
            found.sort()
            cut = len(found) - max(1, len(found) // 6)
            out[key] = [path for _, path in (found[cut:] if held else found[:cut])]
        return out

    def _sentences(self, held):
        table = self.folder / "sentences" / "transcripts.tsv"
        if not table.exists():
            return []
        rows = (line.split("\t") for line in table.read_text().splitlines() if "\t" in line)
        found = [(table.parent / name, text) for name, text in rows]
        return [(path, text) for path, text in found if _held_by_name(path) == held]

    def audio(self, path):
        """Samples at 16 kHz, trimmed, peak 1."""
        there = path.stat()                             # another recording under the same name is another key
        key = hashlib.md5(f"{path.resolve()} {there.st_size} {there.st_mtime_ns}".encode()).hexdigest()
        cached = self.cache / f"{key}.npy"
        if cached.exists():
            return np.load(cached).astype(np.float32)
        x = trim(decode(path))
        x = x / (np.max(np.abs(x)) + 1e-6)
        np.save(cached, x.astype(np.float16))
        return x

    def digit_string(self, r, speaker, text, gap=None):
        """Joins isolated digits of one speaker into a string, as if read out in one go."""
        return join([self.audio(r.choice(self.digits[speaker, digit])) for digit in text], r, gap)


_GAPS_S = {"overlap": (-0.07, 0.0), "tight": (-0.02, 0.06), "medium": (0.05, 0.2), "slow": (0.15, 0.5)}


def join(words, r, gap=None):
    """Joins recordings of single words of one speaker: overlapping, in one go, slowly, or in groups
    with pauses of up to 1.2 s between them."""
    low, high = _GAPS_S[gap or r.choice(["overlap", "tight", "tight", "medium", "slow"])]
    group, rest = r.choice([0, 0, 2, 3, 4]), r.choice([0.45, 0.45, 0.8, 1.2])
    tempo = r.uniform(0.65, 1.05) if len(words) > 2 else r.uniform(0.8, 1.15)
    out = np.zeros(0, np.float32)
    for i, word in enumerate(words):
        x = word * r.uniform(0.55, 1)
        if r.random() < 0.6:
            x = stretch(x, tempo * r.uniform(0.92, 1.08))
        between = r.uniform(low, high) + (r.uniform(0.1, rest) if group and i and i % group == 0 else 0)
        out = _append(out, x, int(between * SAMPLE_RATE)) if i else x
    return out


def _floor(x):
    """Level of the background of a recording."""
    frames = x[:len(x) // 160 * 160].reshape(-1, 160)
    return float(np.sqrt(np.mean(frames ** 2, axis=1)).min()) if len(frames) else 0.0


def _append(a, b, gap):
    """Joins with a gap of background noise, or with a cross-fade when the gap is negative."""
    overlap = min(max(0, -gap), len(a), len(b))
    noise = np.random.default_rng(len(a)).standard_normal(max(0, gap)).astype(np.float32) * _floor(b)
    if not overlap:
        return np.concatenate([a, noise, b])
    fade = np.linspace(0, 1, overlap, dtype=np.float32)
    mixed = a[-overlap:] * (1 - 0.6 * fade) + b[:overlap] * (0.4 + 0.6 * fade)
    return np.concatenate([a[:-overlap], mixed, b[overlap:]])


def random_string(r, people):
    """-> (samples, digits, spoken words)"""
    text = random_digits(r, r.choice([1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 8]))
    samples = people.digit_string(r, r.choice(people.speakers), text)
    return samples, Digits(text), " ".join(ONES[int(d)] for d in text)
