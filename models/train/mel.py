"""The log-mel spectrogram exactly as whisper.cpp computes it."""
import numpy as np

from vocab import MEL_FILTERS

SAMPLE_RATE = 16000
HOP, WINDOW = 160, 400
_HANN = (0.5 * (1 - np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW))).astype(np.float32)


def floor_of(peak):
    """The value that whisper.cpp clamps everything more than 8 decades below the peak to."""
    return (max(-10.0, peak - 8.0) + 4.0) / 4.0


def logmel(x):
    """-> ([80, frames], value of every later frame) for 16 kHz samples in -1..1."""
    n = len(x)
    head = min(WINDOW // 2, max(0, n - 1))
    frames = (n + WINDOW // 2) // HOP + 1
    need = (frames - 1) * HOP + WINDOW
    padded = np.zeros(max(need, n + WINDOW), np.float32)
    padded[WINDOW // 2 - head:WINDOW // 2] = x[1:1 + head][::-1]
    padded[WINDOW // 2:WINDOW // 2 + n] = x
    view = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames] * _HANN
    power = np.abs(np.fft.rfft(view, axis=1)).astype(np.float32) ** 2
    mel = np.log10(np.maximum(power @ MEL_FILTERS.T, 1e-10))
    floor = floor_of(float(mel.max()))
    return np.maximum((mel.T + 4) / 4, floor).astype(np.float32), floor
