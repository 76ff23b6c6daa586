"""People whom no training has heard, from Debian packages: what a new caller may expect.

    saytime                           ten digits by David C Dawson (GPL), 8 kHz mu-law
    asterisk-prompt-es-co             Spanish, asterisk-prompt-fr-armelle French (Armelle Desjardins),
    asterisk-prompt-it-menardi-wav    Italian (Menardi): sentences to be refused
    klettres-data                     the letters of the alphabet by two people (GPL)

Each is left out where its package is missing. The training must never read them.
"""
import subprocess
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

import training  # noqa: F401
from human import AUDIO, decode, join, trim
from mel import SAMPLE_RATE
from spelling import LETTERS

SAYTIME = Path("/usr/share/saytime")
PROMPTS = Path("/usr/share/asterisk/sounds")
KLETTRES = Path("/usr/share/klettres")
LANGUAGES = {"Spanish": "es", "French": "fr", "Italian": "it_IT_f_Menardi"}
LEAST_S, LONGEST_S = 1.0, 8.0


def mulaw_to_pcm(coded):
    """G.711 mu-law bytes -> samples, -1 to 1 (ITU-T G.711, table 2a)."""
    u = ~np.frombuffer(coded, np.uint8)
    size = ((((u & 15).astype(np.int32) << 3) + 0x84) << ((u >> 4) & 7)) - 0x84
    return np.where(u & 0x80, -size, size).astype(np.float32) / 32768


def digits():
    """Digit -> samples at 16 kHz, peak 1; empty without the package."""
    def read(path):
        x = trim(resample_poly(mulaw_to_pcm(path.read_bytes()), SAMPLE_RATE // 8000, 1).astype(np.float32))
        return x / np.abs(x).max()
    files = {d: SAYTIME / f"{d}.au" for d in "0123456789"}
    return {d: read(f) for d, f in files.items()} if all(f.exists() for f in files.values()) else {}


def digit_string(r, recordings, text):
    """The digits joined as if read out in one go."""
    return join([recordings[digit] for digit in text], r)


def sentences(language):
    """Files of one speaker, in a fixed order; empty without the package."""
    folder = PROMPTS / LANGUAGES[language]
    return sorted(p for p in folder.glob("*") if p.suffix in AUDIO or p.suffix == ".gsm")


def sentence(path):
    """Samples of a recording that is long enough to be a sentence, else None."""
    try:
        x = trim(decode(path))
    except subprocess.CalledProcessError:
        return None
    if len(x) < LEAST_S * SAMPLE_RATE:
        return None
    x = x[:int(LONGEST_S * SAMPLE_RATE)]
    return x / (np.abs(x).max() + 1e-6)


def letters():
    """(letter, samples) of two people, American and British; empty without the package klettres-data."""
    files = [KLETTRES / accent / "alpha" / f"{name}.ogg" for letter in LETTERS
             for accent, name in (("en", letter), ("en_GB", letter.lower()))]
    return [(f.stem.upper(), trim(decode(f))) for f in files if f.exists()]
