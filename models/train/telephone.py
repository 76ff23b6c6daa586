"""What a telephone line does to speech: codecs, bands, levels, noise, loss, rooms, clipping."""
import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

import packets
from mel import SAMPLE_RATE
from revoice import revoice

MU, A = 255.0, 87.6


def mulaw(x):
    """G.711 mu-law there and back (the continuous curve with 256 levels)."""
    y = np.sign(x) * np.log1p(MU * np.minimum(np.abs(x), 1)) / np.log1p(MU)
    y = np.round((y + 1) / 2 * 255) / 255 * 2 - 1
    return (np.sign(y) * ((1 + MU) ** np.abs(y) - 1) / MU).astype(np.float32)


def alaw(x):
    """G.711 A-law there and back."""
    a, d = np.minimum(np.abs(x), 1), 1 + np.log(A)
    y = np.where(a < 1 / A, A * a / d, (1 + np.log(np.maximum(A * a, 1e-9))) / d) * np.sign(x)
    y = np.round((y + 1) / 2 * 255) / 255 * 2 - 1
    b = np.abs(y)
    return (np.sign(y) * np.where(b < 1 / d, b * d / A, np.exp(b * d - 1) / A)).astype(np.float32)


def _filters():
    """Handsets: from a wide headset to a thin loudspeaker."""
    bands = [(lo, hi) for lo in (80, 180, 250, 320, 400) for hi in (2600, 3000, 3400, 3700)]
    return [butter(2, band, "bandpass", fs=8000, output="sos") for band in bands]


_HANDSETS = _filters()


def _narrow(x, r):
    """G.711: 8 kHz, a handset, and sometimes missing packets."""
    y = resample_poly(x, 1, 2).astype(np.float32)
    if r.random() < 0.5:
        y = sosfilt(r.choice(_HANDSETS), y).astype(np.float32)
    y = alaw(y) if r.random() < 0.4 else mulaw(y)
    if r.random() < 0.25:
        frames = list(y[:len(y) // 160 * 160].reshape(-1, 160))
        lost = packets.losses(len(frames), r) if len(frames) > 2 else []
        if len(lost):
            y = packets.conceal([None if gone else frame for frame, gone in zip(frames, lost)], 160)
    return resample_poly(y, 2, 1).astype(np.float32)


def line(x, r):
    """16 kHz through a random codec and its faults -> 16 kHz."""
    kind, count = r.random(), len(x) // 320 + 1
    lost = packets.losses(count, r) if count > 2 and r.random() < 0.25 else np.zeros(count, bool)
    if kind < 0.70:
        return _narrow(x, r)
    if kind < 0.82:
        return packets.g722(x, lost)
    y = packets.opus(x, r.choice([8000, 12000, 12000, 16000, 24000]), lost)
    return _narrow(y, r) if kind > 0.95 else y         # a gateway behind a browser


def plain_line(x):
    """The line without faults, for the evaluation: 8 kHz mu-law."""
    return resample_poly(mulaw(resample_poly(x, 1, 2)), 2, 1).astype(np.float32)


def coloured(n, g, tilt):
    """Noise of unit power whose spectrum falls with `tilt`."""
    w = g.standard_normal(n).astype(np.float32)
    if tilt > 0:
        spectrum = np.fft.rfft(w)
        w = np.fft.irfft(spectrum / (np.arange(len(spectrum)) + 5.0) ** tilt, n).astype(np.float32)
    return w / (np.sqrt(np.mean(w ** 2)) + 1e-9)


def room(x, r, g):
    """An exponentially decaying room."""
    n = int(SAMPLE_RATE * r.uniform(0.05, 0.35))
    response = g.standard_normal(n) * np.exp(-np.arange(n) / (n / r.uniform(4.0, 7.0))) * r.uniform(0.02, 0.14)
    response[0] = 1.0
    return fftconvolve(x, response.astype(np.float32))[:len(x) + n // 2].astype(np.float32)


def stretch(x, factor):
    """Changes the tempo and leaves pitch and formants (overlap-add at the best match, WSOLA)."""
    size, hop, search = 480, 240, 120
    if len(x) < 2 * size:
        return x
    window = np.hanning(size).astype(np.float32)
    count = int((len(x) - size - search) * factor / hop)
    out = np.zeros(count * hop + size, np.float32)
    natural = 0
    for i in range(count):
        centre = int(i * hop / factor)
        start = centre
        if i:
            low = max(0, centre - search)
            target = x[natural:natural + hop]
            area = x[low:min(len(x) - size, centre + search) + hop]
            if len(target) == hop and len(area) > hop:
                start = low + int(np.argmax(np.correlate(area[::1], target, "valid")))
        start = min(start, len(x) - size)
        out[i * hop:i * hop + size] += window * x[start:start + size]
        natural = min(start + hop, len(x) - size)
    return out[:len(out) - hop // 2]


def speaker(x, r, spread=0.16):
    """Another speaker: pitch and formants together (resampling), then the tempo on its own."""
    if r.random() < 0.33:
        return revoice(x, r)
    if r.random() < 0.85:
        percent = round(100 * np.exp(r.uniform(-spread, spread)))
        x = resample_poly(x, percent, 100).astype(np.float32)
    if r.random() < 0.3:
        x = stretch(x, r.uniform(0.8, 1.3))
    return x


def pause(x, r):
    """A caller who stops to think: 0.2 to 1.3 s at the quietest place in the middle."""
    frames = x[:len(x) // 160 * 160].reshape(-1, 160)
    energy = np.convolve(np.mean(frames ** 2, axis=1), np.ones(4) / 4, "same")
    low, high = len(energy) // 5, len(energy) * 4 // 5
    if high - low < 20:
        return x
    at = (low + int(np.argmin(energy[low:high]))) * 160
    quiet = np.sqrt(max(0.0, float(energy.min())))
    gap = np.random.default_rng(at).standard_normal(int(SAMPLE_RATE * r.uniform(0.2, 1.3))).astype(np.float32) * quiet
    return np.concatenate([x[:at], gap, x[at:]])


def _hum(n, r):
    """Mains hum with its harmonics."""
    t, f = np.arange(n) / SAMPLE_RATE, r.choice([50, 60])
    return sum(r.uniform(0.1, 1) / k * np.sin(2 * np.pi * f * k * t + r.uniform(0, 6)) for k in range(1, 9)).astype(np.float32)


def _echo(x, r):
    """The caller's own voice again, from the far end of the line."""
    delay = int(SAMPLE_RATE * r.uniform(0.02, 0.2))
    return x + 10 ** (-r.uniform(12, 30) / 20) * np.concatenate([np.zeros(delay, np.float32), x])[:len(x)]


def _background(x, r, g, crowd):
    """Noise, hum or other people talking, 8 to 45 dB below the speech."""
    kind, n = r.random(), len(x)
    other, low = None, 8
    if kind < 0.5:
        other = coloured(n, g, r.choice([0, 0.3, 0.5, 0.8]))
    elif kind < 0.58:
        other = _hum(n, r)
    elif kind < 0.75 and crowd:
        other, low = crowd(n, r), 6
    if other is None:
        return x
    other = other / (np.sqrt(np.mean(other ** 2)) + 1e-9)
    return x + np.sqrt(np.mean(x ** 2)) * 10 ** (-r.uniform(low, 40) / 20) * other


def _level_and_noise(x, r, g, crowd):
    x = x / (np.max(np.abs(x)) + 1e-6) * 10 ** (r.uniform(-36, -1) / 20)
    if r.random() < 0.12:
        limit = np.max(np.abs(x)) * r.uniform(0.25, 0.8)
        x = np.clip(x, -limit, limit)
    return _background(x, r, g, crowd)


def augment(x, r, spread=0.16, crowd=None):
    """One random telephone version of an utterance, as 16-bit values in -1..1."""
    g = np.random.default_rng(r.getrandbits(32))
    x = speaker(x, r, spread)
    if r.random() < 0.3:
        x = room(x, r, g)
    lead = r.choice([r.uniform(0.02, 0.2), r.uniform(0.05, 0.4)])
    tail = r.choice([r.uniform(0.05, 0.3), r.uniform(0.1, 0.7)])
    x = np.concatenate([np.zeros(int(lead * SAMPLE_RATE), np.float32), x,
                        np.zeros(int(tail * SAMPLE_RATE), np.float32)])
    if r.random() < 0.12:
        x = _echo(x, r)
    x = _level_and_noise(x, r, g, crowd)
    if r.random() < 0.2:
        a = r.uniform(-0.5, 0.7)
        x = x - a * np.concatenate([[0], x[:-1]])
    x = np.clip(x, -1, 1).astype(np.float32)
    if r.random() < 0.9:
        x = line(x, r)
    return np.clip(np.round(x * 32767), -32768, 32767).astype(np.float32) / 32768
