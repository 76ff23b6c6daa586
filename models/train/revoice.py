"""The same words by somebody else: pitch, formants, intonation, breath and tempo, each on its own.

WORLD (Morise et al., 2016) takes speech apart into its pitch, its spectral envelope and the share of
noise in it. A dozen voices become a crowd, and five people become many: what a recogniser that knows
few speakers lacks is their variety.
"""
import numpy as np
import pyworld

from mel import SAMPLE_RATE

_PERIOD_MS = 10.0


def take_apart(x):
    """-> (pitch, envelope, noise share) every 10 ms."""
    y = x.astype(np.float64)
    f0, at = pyworld.dio(y, SAMPLE_RATE, frame_period=_PERIOD_MS)
    return f0, pyworld.cheaptrick(y, f0, at, SAMPLE_RATE), pyworld.d4c(y, f0, at, SAMPLE_RATE)


def _another_pitch(f0, r):
    """Register, liveliness and a slow drift."""
    voiced = f0 > 0
    if not voiced.any():
        return f0
    middle = np.exp(np.mean(np.log(f0[voiced])))
    wanted = np.clip(middle * 2 ** r.uniform(-0.7, 0.8), 70, 330)
    lively = r.uniform(0.4, 1.7)
    t = np.arange(len(f0)) * _PERIOD_MS / 1000
    drift = 0.05 * np.sin(2 * np.pi * r.uniform(0.2, 1.2) * t + r.uniform(0, 6)) + r.uniform(-0.12, 0.05) * t
    shaped = wanted * (np.maximum(f0, 1) / middle) ** lively * np.exp(np.clip(drift, -0.3, 0.3))
    jitter = np.exp(np.random.default_rng(r.getrandbits(32)).standard_normal(len(f0)) * r.choice([0, 0.006, 0.015]))
    return np.where(voiced, np.clip(shaped * jitter, 55, 450), 0.0)


def _stretch_bins(m, factor):
    """Moves the formants by `factor` along the frequency axis."""
    bins = m.shape[1]
    at = np.minimum(np.arange(bins) / factor, bins - 1.001)
    low = at.astype(int)
    part = at - low
    return m[:, low] * (1 - part) + m[:, low + 1] * part


def _tempo(r, count):
    """Frame positions: a tempo of its own with slow changes within the sentence."""
    base = r.uniform(0.75, 1.3)
    knots = np.array([base * r.uniform(0.85, 1.18) for _ in range(max(2, count // 30 + 2))])
    speed = np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)
    travelled = np.concatenate([[0], np.cumsum(1 / speed)])
    return np.interp(np.arange(int(travelled[-1])), travelled, np.arange(count + 1)).clip(0, count - 1).astype(int)


def revoice(x, r):
    """`x` (16 kHz) by another speaker."""
    if len(x) < SAMPLE_RATE // 10:
        return x
    f0, envelope, noise = take_apart(x)
    at = _tempo(r, len(f0))
    f0, envelope, noise = _another_pitch(f0, r)[at], envelope[at], noise[at]
    tract = np.exp(r.uniform(-0.17, 0.17))
    envelope, noise = _stretch_bins(envelope, tract), _stretch_bins(noise, tract)
    bins = np.linspace(0, 1, envelope.shape[1])
    envelope = envelope * 10 ** (r.uniform(-1.2, 0.9) * bins)[None]               # darker or brighter by up to 12 dB
    if r.random() < 0.35:
        noise = noise ** r.uniform(0.4, 1.0)                                      # breath
    y = pyworld.synthesize(np.ascontiguousarray(f0), np.ascontiguousarray(envelope), np.ascontiguousarray(noise),
                           SAMPLE_RATE, _PERIOD_MS).astype(np.float32)
    return y / (np.abs(y).max() + 1e-6)
