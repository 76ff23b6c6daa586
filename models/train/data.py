"""Reads shards while they appear, varies the examples and makes batches.

The variation happens on the mel spectrogram because it costs next to nothing
there: no example is ever seen twice in the same form.
"""
import pickle
import random
from pathlib import Path

import numpy as np
import torch

from mel import floor_of
from vocab import EOT, NO_TIMESTAMPS, SOT, TOKENS

WINDOWS = [64, 128, 192, 256, 320, 384, 448, 512]      # encoder positions; the product fits audio_ctx to these
POSITIONS = 3072                                       # positions per batch, so that every batch costs the same
CURRICULUM = [(0.03, 120), (0.07, 180), (0.25, 240)]   # longest utterance in frames until that share of the run
GENTLE = 0.4                                           # share of the run in which the variation grows
STRENGTH = 0.6                                         # to this; the shards are varied already
REPEATED = 4.0                                         # how much oftener a number with a digit twice in a row is drawn:
                                                       # there the decoder loses count
LATE, RARER = 0.6, 0.5                                 # from that share of the run on, what is to be refused is drawn so much
                                                       # less often: a caller of the desk says the desk's sentences


def _warps():
    """Stretches the frequency axis: longer and shorter vocal tracts."""
    out = []
    for factor in np.linspace(0.9, 1.12, 12):
        w = np.zeros((80, 80), np.float32)
        for i in range(80):
            at = min(79.0, i * factor)
            low = int(at)
            w[i, low] += 1 - (at - low)
            w[i, min(79, low + 1)] += at - low
        out.append(w)
    return out


_WARPS = _warps()
_BINS = np.arange(80, dtype=np.float32)[:, None] / 79


def _tempo(m, factor):
    at = np.arange(int(m.shape[1] / factor), dtype=np.float32) * factor
    low = np.minimum(at.astype(int), m.shape[1] - 1)
    high = np.minimum(low + 1, m.shape[1] - 1)
    part = at - low
    return m[:, low] * (1 - part) + m[:, high] * part


def _smooth_curve(r, size):
    a, b, c = (r.uniform(-size, size) for _ in range(3))
    return a * (_BINS - 0.5) + b * np.cos(np.pi * _BINS + r.uniform(0, 6)) + c * 0.6 * np.cos(3 * np.pi * _BINS + r.uniform(0, 6))


def vary(m, r, g, strength=1.0):
    """Another speaker, tempo, line and background for one spectrogram: -> (mel, floor)."""
    m = m.astype(np.float32)
    if r.random() < 0.5 * strength:
        m = _tempo(m, r.uniform(0.84, 1.2))
    if r.random() < 0.6 * strength:
        m = r.choice(_WARPS) @ m
    if r.random() < 0.4 * strength:
        m = m + _smooth_curve(r, 0.12)
    if r.random() < 0.5 * strength:
        m = m + r.uniform(-0.35, 0.2)
    if r.random() < 0.25 * strength:
        level = m.max() - r.uniform(0.4, 1.3) + _smooth_curve(r, 0.15)
        m = np.maximum(m, level + 0.07 * g.standard_normal(m.shape, dtype=np.float32))
    floor = floor_of(4 * float(m.max()) - 4)
    return np.maximum(m, floor), floor


def _mask(m, r, floor):
    """Light SpecAugment and band limits."""
    mean = float(m.mean())
    if r.random() < 0.4:
        width = r.randint(1, 10)
        start = r.randint(0, 80 - width)
        m[start:start + width] = mean
    if r.random() < 0.3:
        start = r.randint(0, max(1, m.shape[1] - 1))
        m[:, start:start + r.randint(1, 12)] = mean
    if r.random() < 0.15:
        m[r.randint(52, 79):] = floor
    return m


def _window(frames, r, progress):
    """Encoder positions for the longest example of a batch; sometimes more, since callers pause."""
    need = next((w for w in WINDOWS if 2 * w >= frames + 2), WINDOWS[-1])
    if r.random() < (0.12 if progress < 0.75 else 0.25):
        return r.choice([w for w in (128, 192, 256, 384, 512) if w >= need] or [need])
    return need


def place(m, floor, frames, r, g, strength=1.0):
    """Puts an utterance somewhere into the window, on silence or on its own background."""
    room = frames - m.shape[1]
    start = r.choice([0, r.randint(0, min(room, 30)), r.randint(0, min(room, 400))]) if room > 0 else 0
    if r.random() > strength + 0.3:
        start = min(start, 10)
    out = np.full((80, frames), floor, np.float32)
    if r.random() < 0.4:
        background = np.quantile(m, 0.06, axis=1)[:, None]
        noise = background + 0.06 * g.standard_normal((80, frames), dtype=np.float32)
        end = frames if r.random() < 0.5 else start
        out[:, :end] = np.maximum(noise, floor)[:, :end]
    m = m[:, :frames - start]
    out[:, start:start + m.shape[1]] = m
    return out, start + m.shape[1]


_DIGIT = {i: token.strip() for i, token in enumerate(TOKENS) if token.strip().isdigit() and len(token.strip()) == 1}


def _is_repeated(tokens):
    """A digit stands twice in a row in it."""
    return any(a in _DIGIT and _DIGIT[a] == _DIGIT.get(b) for a, b in zip(tokens, tokens[1:]))


class Shards:
    """All examples of a folder; `scan` picks up the shards that appeared since."""

    def __init__(self, folder, used):
        self.folder, self.used, self.seen = Path(folder), set(used), set()
        self.examples, self.early, self.late = [], [], []      # the examples, and how often each is drawn

    def scan(self):
        """Loads the new shards."""
        for path in sorted(self.folder.glob("[su]*.pkl")):
            if path.name not in self.seen:
                self.seen.add(path.name)
                new = [e for e in pickle.loads(path.read_bytes()) if self.used.issuperset(e[2])]
                self.examples += new
                for _, _, tokens, _, kind in new:
                    self.early.append(REPEATED if _is_repeated(tokens) else 1.0)
                    self.late.append(RARER if kind == "other" else self.early[-1])
        return len(self.examples)

    def draw(self, r, count, progress):
        """`count` of them at random."""
        weights = self.early if progress < LATE else self.late
        return r.choices(self.examples, weights, k=min(count, len(self.examples)))


class Batcher:
    """Endless batches; `progress` (0..1) says how far the training is, `warm` that it began with an earlier model."""

    def __init__(self, shards, used, seed, warm=False, spans=None):
        self.shards, self.r = shards, random.Random(seed)
        self.g = np.random.default_rng(seed)
        self.row = {token: i for i, token in enumerate(used)}
        self.progress, self.warm, self.spans = 0.0, warm, spans or (lambda tokens, phones: [])

    def __iter__(self):
        while True:
            yield from self._pool()

    def _pool(self):
        """Some batches of examples of similar length; short ones only at first."""
        limit = 9999 if self.warm else next((frames for until, frames in CURRICULUM if self.progress < until), 9999)
        pool = self.shards.draw(self.r, 600, self.progress)
        pool = sorted((e for e in pool if e[0].shape[1] <= limit), key=lambda e: e[0].shape[1])
        groups, start = [], 0
        while start < len(pool):
            size = 4
            while start + size < len(pool) and (size + 1) * pool[start + size][0].shape[1] // 2 <= POSITIONS and size < 28:
                size += 1
            groups.append(pool[start:start + size])
            start += size
        self.r.shuffle(groups)
        return (self._collate(group) for group in groups if len(group) > 1)

    def _collate(self, group):
        strength = STRENGTH * (1.0 if self.warm else min(1.0, self.progress / GENTLE))
        varied = [vary(m, self.r, self.g, strength) for m, *_ in group]
        frames = 2 * _window(max(m.shape[1] for m, _ in varied), self.r, self.progress)
        mel, lengths = np.empty((len(group), 80, frames), np.float32), []
        for i, (m, floor) in enumerate(varied):
            masked = _mask(m, self.r, floor) if self.r.random() < strength else m
            mel[i], end = place(masked, floor, frames, self.r, self.g, strength)
            lengths.append(min(frames // 2, end // 2 + 1))
        inputs, outputs = self._tokens([e[2] for e in group])
        phones = [e[3] for e in group]
        return (torch.from_numpy(mel), inputs, outputs, torch.tensor(lengths),
                torch.tensor([len(p) for p in phones]), torch.tensor(sum(phones, []) or [0]),
                [self.spans(e[2], e[3]) for e in group])

    def _tokens(self, texts):
        """Decoder inputs and targets. A few inputs are wrong on purpose: the decoder
        has to listen rather than to continue sentences by heart."""
        longest = max(map(len, texts)) + 2
        inputs = np.full((len(texts), longest), self.row[EOT])
        outputs = np.full((len(texts), longest), -100)
        for i, text in enumerate(texts):
            rows = [self.row[t] for t in text]
            heard = [self.r.randrange(len(self.row)) if self.r.random() < 0.02 else t for t in rows]
            inputs[i, :len(rows) + 2] = [self.row[SOT], self.row[NO_TIMESTAMPS]] + heard
            outputs[i, 1:len(rows) + 2] = rows + [self.row[EOT]]
        return torch.from_numpy(inputs), torch.from_numpy(outputs)
