"""Codecs that change what they carry: G.722 and Opus at low rates, and what is heard when packets are missing.

The concealment follows the product's (`src/codec/conceal.rs`): the last pitch periods again, fading
to the background noise within 60 ms, and a short blend into the first packet that comes again.
"""
import av
import numpy as np

FRAME_MS = 20
_HOLD_MS, _FADE_END_MS, _BLEND_MS = 10, 60, 5


def _frames(x, rate):
    size = rate * FRAME_MS // 1000
    x = np.concatenate([x, np.zeros(-len(x) % size, np.float32)])
    return np.clip(x * 32767, -32768, 32767).astype(np.int16).reshape(-1, size)


def _through(encoder, decoder, x, rate, lost):
    """Encodes and decodes frame by frame; lost packets come out as None."""
    out, at = [], 0
    for frame in _frames(x, rate):
        sound = av.AudioFrame.from_ndarray(frame[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts = rate, at * len(frame)
        for packet in encoder.encode(sound):
            if lost[min(at, len(lost) - 1)]:
                out.append(None)
                continue
            for decoded in decoder.decode(packet):
                samples = decoded.to_ndarray().astype(np.float32).ravel()
                out.append(samples / 32768 if decoded.format.name.startswith("s16") else samples)
        at += 1
    return out


def opus(x, bits_per_s, lost):
    """16 kHz there and back through Opus; the codec's own delay is not taken out."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 16000, "mono", "s16"
    encoder.bit_rate, encoder.options = bits_per_s, {"application": "voip", "frame_duration": "20"}
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48000, "mono"
    heard = _through(encoder, decoder, x, 16000, lost)
    size = next((len(f) for f in heard if f is not None), 960)
    return conceal(heard, size)[::max(1, size // 320)] if size == 320 else _down3(conceal(heard, size))


def _down3(x):
    from scipy.signal import resample_poly
    return resample_poly(x, 1, 3).astype(np.float32)


def g722(x, lost):
    """16 kHz there and back through G.722."""
    encoder = av.CodecContext.create("g722", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 16000, "mono", "s16"
    decoder = av.CodecContext.create("g722", "r")
    decoder.sample_rate, decoder.layout = 16000, "mono"
    return conceal(_through(encoder, decoder, x, 16000, lost), 320)


def losses(count, r):
    """Which of `count` packets are lost: single ones and bursts, 0.5 to 8 percent."""
    lost = np.zeros(count, bool)
    for _ in range(max(1, int(count * r.uniform(0.005, 0.05)))):
        start = r.randrange(0, count)
        lost[start:start + r.choice([1, 1, 1, 2, 3])] = True
    lost[:1] = False
    return lost


def _pitch(past, rate):
    """-> (lag, correlation) of the best repetition between 66 and 400 Hz, over the last 10 ms."""
    size = rate // 100
    here = past[-size:]
    best = (rate // 400, 0.0)
    for lag in range(rate // 400, rate * 15 // 1000, max(1, rate // 8000)):
        then = past[-size - lag:-lag]
        if len(then) == size:
            match = float(here @ then) / (np.sqrt(float(here @ here) * float(then @ then)) + 1e-9)
            best = max(best, (lag, match), key=lambda found: found[1])
    return best


def conceal(frames, size, rate=None):
    """Joins the frames of a call; None is a lost one."""
    rate = rate or size * 50
    out, gap, floor = [np.zeros(size * 3, np.float32)], None, 1e-4
    for frame in frames:
        if frame is None:
            if gap is None:
                past = np.concatenate(out[-3:])
                lag, match = _pitch(past, rate)
                period = lag * -(-rate // 100 // lag) if match >= 0.45 else rate // 50
                gap = [past[-period:], 0]
            out.append(_invent(gap, size, rate, floor))
            continue
        frame = np.array(frame, np.float32)
        floor = min(floor * 1.005 + 1e-7, 5e-3, float(np.sqrt(np.mean(frame ** 2))) + 1e-5)
        if gap is not None:
            blend = min(len(frame), rate * _BLEND_MS // 1000)
            share = (np.arange(blend) + 0.5) / blend
            frame[:blend] = share * frame[:blend] + (1 - share) * _invent(gap, blend, rate, floor)
            gap = None
        out.append(frame)
    return np.concatenate(out[1:])


def _invent(gap, count, rate, floor):
    pattern, produced = gap
    at = produced + np.arange(count)
    age_ms = at * 1000 / rate
    gain = np.clip((_FADE_END_MS - age_ms) / (_FADE_END_MS - _HOLD_MS), 0, 1)
    gap[1] = produced + count
    noise = np.random.default_rng(produced + len(pattern)).standard_normal(count) * floor
    return (pattern[at % len(pattern)] * gain + noise * (1 - gain)).astype(np.float32)
