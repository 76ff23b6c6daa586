"""Runs a model file through whisper.cpp the way the product does, and counts word errors."""
import re
import time

import numpy as np

RATE = 16000


def fitted_window(samples):
    """Encoder positions (20 ms each) for this much audio, in steps of 64."""
    return int(min(512, max(64, -(-(samples / RATE * 50 + 4) // 64) * 64)))


class Recogniser:
    """Greedy decoding, one segment, no timestamps, no context, a fitted window."""

    def __init__(self, path, fitted=True):
        from pywhispercpp.model import Model           # only here: the word counts need no model
        self.fitted = fitted
        self.model = Model(str(path), context_params={"use_gpu": False, "flash_attn": False},
                           redirect_whispercpp_logs_to=None, n_threads=1, single_segment=True, no_timestamps=True,
                           no_context=True, print_progress=False, print_realtime=False, temperature_inc=0.0)

    def __call__(self, x):
        """-> (text, milliseconds)"""
        started = time.perf_counter()
        window = fitted_window(len(x)) if self.fitted else 512
        if len(x) < RATE // 5:
            x = np.pad(x, (0, RATE // 5 - len(x)))
        parts = self.model.transcribe(x.astype(np.float32), audio_ctx=window)
        return " ".join(p.text.strip() for p in parts), 1000 * (time.perf_counter() - started)


def words(text):
    """Lower case words; every digit counts as a word of its own."""
    text = re.sub(r"(\d)", r" \1 ", text.lower())
    return re.sub(r"[^a-z0-9'\[\]_ ]", " ", text).split()


def errors(expected, got):
    """Edit distance between two lists."""
    row = list(range(len(got) + 1))
    for i, a in enumerate(expected, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(got, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
