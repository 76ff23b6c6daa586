"""What a telephone line does to speech: codecs, bands, levels, noise, loss, rooms, clipping."""
import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from mel import SAMPLE_RATE

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


def _lose_packets(y, r):
    """20 ms frames that are missing (silence) or concealed (the last frame again)."""
    frame = 160
    for _ in range(max(1, int(len(y) / frame * r.uniform(0.005, 0.04)))):
        start = r.randrange(0, max(1, len(y) - frame))
        end = min(len(y), start + frame)
        if r.random() < 0.5 or start < frame:
            y[start:end] = 0
        else:
            y[start:end] = y[start - frame:end - frame]
    return y


def line(x, r):
    """16 kHz -> 8 kHz line with a random codec and its faults -> 16 kHz."""
    y = resample_poly(x, 1, 2).astype(np.float32)
    if r.random() < 0.5:
        y = sosfilt(r.choice(_HANDSETS), y).astype(np.float32)
    y = alaw(y) if r.random() < 0.4 else mulaw(y)
    if r.random() < 0.2:
        y = _lose_packets(y, r)
    return resample_poly(y, 2, 1).astype(np.float32)


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
    if r.random() < 0.85:
        percent = round(100 * np.exp(r.uniform(-spread, spread)))
        x = resample_poly(x, percent, 100).astype(np.float32)
    if r.random() < 0.3:
        x = stretch(x, r.uniform(0.8, 1.3))
    return x


def _level_and_noise(x, r, g):
    x = x / (np.max(np.abs(x)) + 1e-6) * 10 ** (r.uniform(-32, -1) / 20)
    if r.random() < 0.12:
        limit = np.max(np.abs(x)) * r.uniform(0.25, 0.8)
        x = np.clip(x, -limit, limit)
    if r.random() < 0.6:
        gain = np.sqrt(np.mean(x ** 2)) * 10 ** (-r.uniform(8, 45) / 20)
        x = x + gain * coloured(len(x), g, r.choice([0, 0.3, 0.5, 0.8]))
    return x


def augment(x, r, spread=0.16):
    """One random telephone version of an utterance, as 16-bit values in -1..1."""
    g = np.random.default_rng(r.getrandbits(32))
    x = speaker(x, r, spread)
    if r.random() < 0.3:
        x = room(x, r, g)
    lead = r.choice([r.uniform(0.02, 0.2), r.uniform(0.05, 0.4)])
    tail = r.choice([r.uniform(0.05, 0.3), r.uniform(0.1, 0.7)])
    x = np.concatenate([np.zeros(int(lead * SAMPLE_RATE), np.float32), x,
                        np.zeros(int(tail * SAMPLE_RATE), np.float32)])
    x = _level_and_noise(x, r, g)
    if r.random() < 0.2:
        a = r.uniform(-0.5, 0.7)
        x = x - a * np.concatenate([[0], x[:-1]])
    x = np.clip(x, -1, 1).astype(np.float32)
    if r.random() < 0.85:
        x = line(x, r)
    return np.clip(np.round(x * 32767), -32768, 32767).astype(np.float32) / 32768
