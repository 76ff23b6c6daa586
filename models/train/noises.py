"""Sounds without speech: the model must answer [BLANK_AUDIO] to each of them."""
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from mel import SAMPLE_RATE
from telephone import coloured, line

# dial, ring back, busy and special tones of several countries, and DTMF
TONES = [(350, 440), (425, 425), (440, 480), (480, 620), (400, 450), (950, 1400), (1000, 1000), (2100, 2100),
         (697, 1209), (697, 1336), (770, 1336), (770, 1477), (852, 1477), (852, 1209), (941, 1633), (941, 1336)]


def _tones(n, r):
    t = np.arange(n) / SAMPLE_RATE
    low, high = r.choice(TONES)
    x = (np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)) * 0.5 * 10 ** (r.uniform(-30, -6) / 20)
    if r.random() < 0.7:
        period, on = r.choice([(0.5, 0.5), (1.0, 0.5), (3.0, 0.4), (6.0, 0.33), (0.2, 0.5)])
        x = x * ((t + r.uniform(0, period)) % period < on * period)
    return x


def _music(n, r, g):
    """Chords and an arpeggio with a few harmonics, as music on hold."""
    x, t = np.zeros(n), np.arange(n) / SAMPLE_RATE
    step, root = r.uniform(0.15, 0.6), r.uniform(110, 330)
    scale = r.choice([[0, 4, 7, 12], [0, 3, 7, 10], [0, 2, 4, 7, 9], [0, 5, 7, 12]])
    decay, start = r.uniform(1, 8), 0.0
    while start < t[-1]:
        for _ in range(r.choice([1, 1, 2, 3])):
            f = root * 2 ** ((r.choice(scale) + 12 * r.choice([0, 0, 1])) / 12)
            age = np.maximum(0, t - start)
            tone = sum(np.sin(2 * np.pi * f * k * t) / k ** 1.5 for k in (1, 2, 3))
            x += tone * np.exp(-decay * age) * (t >= start)
        start += step * r.choice([1, 1, 2])
    return x / (np.max(np.abs(x)) + 1e-9) * 10 ** (r.uniform(-30, -6) / 20) + 1e-4 * g.standard_normal(n)


# music on hold as it is played by people (CC BY-SA 3.0); the last piece is kept for the evaluation
HOLD_MUSIC = sorted(Path("/usr/share/asterisk/moh").glob("*.wav"))[:-1]
_loaded = {}


def recorded_music(n, r, pieces=None):
    """A stretch of a real piece, if the package `asterisk-moh-opsound-wav` is there."""
    path = r.choice(pieces or HOLD_MUSIC)
    if path not in _loaded:
        rate, x = wavfile.read(path)
        _loaded[path] = resample_poly(x.astype(np.float32) / 32768, SAMPLE_RATE // rate, 1).astype(np.float32)
    x = _loaded[path]
    start = r.randrange(0, len(x) - n)
    x = x[start:start + n]
    return x / (np.max(np.abs(x)) + 1e-6) * 10 ** (r.uniform(-34, -4) / 20)


def _bursts(n, r, g):
    """Clicks, knocks and breaths."""
    x = coloured(n, g, 0.3) * 1e-3
    for _ in range(r.randint(1, 6)):
        start, length = r.randrange(0, n - 400), r.randint(20, 4000)
        part = x[start:start + length]
        part += coloured(len(part), g, r.choice([0.2, 0.5, 0.9])) * np.hanning(len(part)) * r.uniform(0.01, 0.25)
    return x


def noise_only(r):
    """A random sound without speech, 16 kHz."""
    g = np.random.default_rng(r.getrandbits(32))
    n, kind = int(SAMPLE_RATE * r.uniform(0.4, 7)), r.random()
    if kind < 0.15:
        x = np.zeros(n)
    elif kind < 0.55:
        x = coloured(n, g, r.choice([0, 0.3, 0.5, 0.8, 1.0])) * 10 ** (r.uniform(-75, -22) / 20)
        if r.random() < 0.3:
            x = x * (1 + 0.8 * np.sin(2 * np.pi * r.uniform(0.2, 3) * np.arange(n) / SAMPLE_RATE))
    elif kind < 0.75:
        x = _tones(n, r)
    elif kind < 0.87:
        x = recorded_music(n, r) if HOLD_MUSIC and r.random() < 0.6 else _music(n, r, g)
    else:
        x = _bursts(n, r, g)
    x = np.clip(x, -1, 1).astype(np.float32)
    if r.random() < 0.8:
        x = line(x, r)
    return np.clip(np.round(x * 32767), -32768, 32767).astype(np.float32) / 32768
