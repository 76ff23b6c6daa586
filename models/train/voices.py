"""Text-to-speech voices whose licences let a model trained on them be given away.

Held out of training, for the evaluation: the speaker SLT of flite (it is also
the voice of the product) and of RHVoice, the espeak-ng accent en-gb-scotland,
and the espeak-ng variants f4 and linda.
"""
import os
import select
import shutil
import subprocess
import tempfile
from math import gcd
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from mel import SAMPLE_RATE
from phrases import FOREIGN

ACCENTS = (["en-us"] * 6 + ["en-gb"] * 3 + ["en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"])
VARIANTS = ("f1 f2 f3 f5 f1 f2 f3 f5 m1 m2 m3 m4 m5 m6 m7 m8 adam anika belinda benjamin boris caleb david ed "
            "edward john michael mike rob robert steph steph2 travis victor klatt klatt2 klatt4 Andy Annie Lee "
            "Marco Mario Michael Alicia Andrea Hugo Jacky max paul pablo norbert quincy antonio").split() + [""] * 6
FLITE = ["kal", "kal16", "awb", "rms", "awb", "rms"]
RHVOICE = ["clb", "clb", "bdl", "bdl", "alan"]          # its other English voices may not be used for what is sold
HELD_OUT = [("flite", "slt"), ("espeak", "en-gb-scotland+f4"), ("espeak", "en-us+linda")]

_SCRATCH = Path(tempfile.mkdtemp(prefix="voices-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


class SynthesisError(Exception):
    """The voice gave nothing usable for this text; the caller takes another one."""


class _Festival:
    """One festival process for many sentences: its start costs more than a synthesis."""

    def __init__(self):
        self.process = None

    def speak(self, text, path, stretch):
        """Writes `text` as a wave file."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(["festival", "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True)
            self._command("(voice_ked_diphone)")
        quoted = text.replace("\\", "").replace('"', "")
        self._command(f"(Parameter.set 'Duration_Stretch {stretch:.2f})")
        self._command(f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{path}" \'riff)')

    def _command(self, line):
        # festival buffers its output when it is a pipe, hence the explicit flush
        self.process.stdin.write(line + '\n(format t "done\\n")\n(fflush nil)\n')
        self.process.stdin.flush()
        while select.select([self.process.stdout], [], [], 20)[0]:
            answer = self.process.stdout.readline()
            if "done" in answer:
                return
            if not answer:
                break
        self.process.kill()
        raise SynthesisError("festival gave no answer")


_festival = _Festival()


def _espeak(r, voice, text, path):
    return ["espeak-ng", "-v", voice, "-p", str(r.randint(20, 80)), "-s", str(r.randint(115, 210)),
            "-g", str(r.choice([0, 0, 0, 1, 2, 4])), "-w", path, text]


def _flite(r, voice, text, path):
    command = ["flite", "-voice", voice, "--setf", f"duration_stretch={r.uniform(0.82, 1.3):.2f}"]
    if r.random() < 0.5:
        command += ["--setf", f"int_f0_target_stddev={r.uniform(5, 30):.1f}"]
    return command + ["-t", text, "-o", path]


def _pico(r, voice, text, path):
    marked = f'<speed level="{r.randint(80, 130)}"><pitch level="{r.randint(75, 130)}">{text}</pitch></speed>'
    return ["pico2wave", "-l", voice, "-w", path, marked]


def _rhvoice(r, voice, text, path):
    return ["RHVoice-test", "-p", voice, "-r", str(r.randint(70, 135)), "-t", str(r.randint(75, 130)), "-o", path]


_COMMANDS = {"espeak": _espeak, "flite": _flite, "pico": _pico, "rhvoice": _rhvoice}


def available():
    """Names of the engines that this machine has; espeak-ng is required (pronunciations come from it)."""
    tools = {"espeak": "espeak-ng", "flite": "flite", "festival": "festival", "pico": "pico2wave",
             "rhvoice": "RHVoice-test"}
    found = {name for name, tool in tools.items() if shutil.which(tool)}
    if "espeak" not in found:
        raise SystemExit("espeak-ng is missing; see the README for the packages this needs")
    return found


def pick(r, engines):
    """A training voice: (engine, name)."""
    x = r.random()
    if x < 0.17 and "pico" in engines:
        return "pico", r.choice(["en-US", "en-GB"])
    if x < 0.39 and "flite" in engines:
        return "flite", r.choice(FLITE)
    if x < 0.59 and "rhvoice" in engines:
        return "rhvoice", r.choice(RHVOICE)
    if x < 0.65 and "festival" in engines:
        return "festival", "ked_diphone"
    variant = r.choice(VARIANTS)
    return "espeak", r.choice(ACCENTS) + ("+" + variant if variant else "")


def foreign(r):
    """A sentence and a voice of another language: (text, voice)."""
    language = r.choice(sorted(FOREIGN))
    variant = r.choice(VARIANTS)
    return r.choice(FOREIGN[language]), ("espeak", language + ("+" + variant if variant else ""))


def synthesise(text, voice, r):
    """-> float32 samples at 16 kHz, trimmed."""
    engine, name = voice
    handle, path = tempfile.mkstemp(suffix=".wav", dir=_SCRATCH)
    os.close(handle)
    try:
        if engine == "festival":
            _festival.speak(text, path, r.uniform(0.85, 1.25))
        else:
            subprocess.run(_COMMANDS[engine](r, name, text, path), input=text.encode(), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True, timeout=30)
        rate, samples = wavfile.read(path)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SynthesisError(f"{voice}: {text!r}: {error}") from error
    finally:
        Path(path).unlink(missing_ok=True)
    return _to_training_rate(samples, rate)


def _to_training_rate(samples, rate):
    x = (samples[:, 0] if samples.ndim > 1 else samples).astype(np.float32) / 32768
    if rate != SAMPLE_RATE:
        g = gcd(rate, SAMPLE_RATE)
        x = resample_poly(x, SAMPLE_RATE // g, rate // g).astype(np.float32)
    loud = np.flatnonzero(np.abs(x) > 2e-3)
    if len(loud) < 800:
        raise SynthesisError("almost silent")
    return x[max(0, loud[0] - 160):loud[-1] + 320]
