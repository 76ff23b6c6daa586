"""People's words from the prompts of the Asterisk PBX (CC BY-SA 3.0; the Russian ones CC BY 3.0).

One professional speaker of English says digits, numbers, letters, the NATO alphabet, days, months and ordinals;
four others say the same and whole sentences in other languages. They are there where the Debian packages
`asterisk-core-sounds-{en,es,fr,it,ru}-wav` are installed, and left out where they are not.
"""
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from mel import SAMPLE_RATE
from numbers_en import MONTHS, ONES, TEENS, TENS, cardinal, ordinal, random_digits
from phrases import DAYS
from spelling import LETTERS, NATO
from vocab import Digits

FOLDER = Path("/usr/share/asterisk/sounds")
ENGLISH = "en_US_f_Allison"
OTHERS = ["es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"]
# prompts that callers say, too
SAID = {"hello": "Hello.", "goodbye": "Goodbye.", "vm-goodbye": "Goodbye.", "sorry": "Sorry.", "im-sorry": "I'm sorry.",
        "one-moment-please": "One moment, please."}


def _words():
    """Spoken word -> name of the recording."""
    table = {word: f"digits/{n}" for n, word in enumerate(ONES)}
    table |= {word: f"digits/{n + 10}" for n, word in enumerate(TEENS)}
    table |= {word: f"digits/{n * 10}" for n, word in enumerate(TENS) if word != "x"}
    table |= {ordinal(n)[0]: f"digits/h-{n}" for n in [*range(1, 21), 30]}
    table |= {day: f"digits/day-{(n + 1) % 7}" for n, day in enumerate(DAYS)}
    table |= {month: f"digits/mon-{n}" for n, month in enumerate(MONTHS)}
    table |= {LETTERS[a].replace("_", " "): f"letters/{a.lower()}" for a in LETTERS}
    table |= {word.replace("-", " "): f"phonetic/{word[0].lower()}_p" for word in NATO}
    table |= {w: f"digits/{n}" for w, n in {"hundred": "hundred", "thousand": "thousand", "oclock": "oclock", "dollars": "dollars",
                                             "a m": "a-m", "p m": "p-m", "today": "today", "tomorrow": "tomorrow",
                                             "yesterday": "yesterday", "zero oh": "oh", "at": "at"}.items()}
    return table


def _read(path):
    rate, x = wavfile.read(path)
    return resample_poly(x.astype(np.float32) / 32768, SAMPLE_RATE // rate, 1).astype(np.float32)


class Prompts:
    """Recordings by name, and random things composed of them."""

    def __init__(self, trim, folder=FOLDER):
        self.trim, self.folder = trim, folder
        self.words = {w: n for w, n in _words().items() if (folder / ENGLISH / f"{n}.wav").exists()}
        self.strangers = [p for language in OTHERS for p in sorted((folder / language).rglob("*.wav"))
                          if p.stat().st_size > 12_000]
        self.strangers += [p for p in sorted((folder / ENGLISH).glob("*.wav"))
                           if p.stat().st_size > 28_000 and p.stem not in SAID]
        self._kept = {}

    def __bool__(self):
        return len(self.words) > 60

    def audio(self, path):
        """Samples at 16 kHz, trimmed, peak 1."""
        if path not in self._kept:
            x = self.trim(_read(path))
            if len(self._kept) > 2000:
                self._kept.clear()
            self._kept[path] = x / (np.abs(x).max() + 1e-6)
        return self._kept[path]

    def _word(self, name):
        return self.audio(self.folder / ENGLISH / f"{self.words[name]}.wav")

    def compose(self, r):
        """-> (recordings in order, spoken text, written pieces)"""
        makers = [self._digits] * 8 + [self._number, self._letters, self._letters, self._nato, self._date, self._day, self._time, self._said]
        return r.choice(makers)(r)

    def _of(self, names, spoken, written):
        return [self._word(n) for n in names], spoken, written

    def _digits(self, r):
        text = random_digits(r, r.choice([1, 1, 2, 3, 4, 4, 5, 6, 6, 7, 8]))
        zero = "zero oh" if r.random() < 0.3 else "zero"
        names = [zero if d == "0" else ONES[int(d)] for d in text]
        return self._of(names, " ".join(names).replace("zero oh", "oh"), [Digits(text), "."])

    def _number(self, r):
        n = r.randint(13, 99)
        names = cardinal(n).split()
        return self._of(names, cardinal(n), [f"{n}."])

    def _letters(self, r):
        letters = [r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(r.choice([1, 2, 3, 3, 4, 5]))]
        names = [LETTERS[a].replace("_", " ") for a in letters]
        return self._of(names, " ".join(names), [" ".join(letters) + "."])

    def _nato(self, r):
        words = [r.choice(NATO) for _ in range(r.choice([1, 2, 2, 3]))]
        return self._of([w.replace("-", " ") for w in words], " ".join(words).replace("-", " "), [" ".join(words) + "."])

    def _date(self, r):
        month, (words, written) = r.choice(MONTHS), ordinal(r.choice([*range(1, 21), 30]))
        return self._of([month, words], f"{month} {words}", [f"{month} {written}."])

    def _day(self, r):
        day = r.choice(DAYS + ["today", "tomorrow", "yesterday"])
        return self._of([day], day, [day[0].upper() + day[1:] + "."])

    def _time(self, r):
        hour, half = r.randint(1, 12), r.choice(["a m", "p m", "oclock"])
        written = f"{hour} o'clock." if half == "oclock" else f"{hour} {half.replace(' ', '')}."
        spoken = f"{cardinal(hour)} {half}"
        return self._of([cardinal(hour), half], spoken.replace("oclock", "o'clock"), [written])

    def _said(self, r):
        name = r.choice(sorted(SAID))
        path = self.folder / ENGLISH / f"{name}.wav"
        if not path.exists():
            return self._day(r)
        return [self.audio(path)], SAID[name], [SAID[name]]
