"""Phonemes of the spoken words, for the auxiliary CTC loss of the encoder.

With the decoder's loss alone the encoder of a small model takes hours to find
the alignment; with phonemes it takes minutes. Every word gets its American
pronunciation from espeak-ng, whatever voice speaks it.
"""
import json
import random
import re
import subprocess
from pathlib import Path

import grammar
import phrases
from numbers_en import ONES

_SPELLED = {"ay": ["eI"]}


def words_of(spoken):
    """'At nine a m.' -> ['at', 'nine', 'ay', 'm']"""
    text = re.sub(r"\ba m\b", "ay m", spoken.lower())
    return re.findall(r"[a-z]+(?:'[a-z]+)?", text)


def _pronounce(words):
    """Word -> phonemes. One process says them all: a paragraph each, so that each has a line of its own."""
    said = subprocess.run(["espeak-ng", "-q", "-x", "--sep=_", "-v", "en-us"], input="".join(f"{w}.\n\n" for w in words),
                          capture_output=True, text=True, check=True).stdout.split("\n")
    lines = [line for line in said if line.strip()]
    if len(lines) != len(words):
        raise SystemExit(f"espeak-ng: {len(lines)} pronunciations of {len(words)} words")
    return {word: _phones(line) for word, line in zip(words, lines)}


def _phones(line):
    phones = (re.sub(r"[',%=|;~*!\-]", "", p) for p in line.replace(" ", "_").strip().split("_"))
    return [p for p in phones if p]


def _all_words():
    r, words = random.Random(5), set(ONES)
    for _ in range(40000):
        words.update(words_of(grammar.sample(r, 0).spoken))
    for text in phrases.OTHER_WORDS + phrases.OTHER_SENTENCES + grammar.ENGLISH + grammar.LITTLE:
        words.update(words_of(text))
    return sorted(words)


class Lexicon:
    """Word -> phoneme ids; kept in a file because the ids must stay the same between runs.

    `texts` are transcripts of people's recordings, whose words belong to it too."""

    def __init__(self, path, texts=()):
        path = Path(path)
        if not path.exists():
            words = sorted({*_all_words(), *(word for text in texts for word in words_of(text))})
            table = _pronounce(words) | _SPELLED
            path.write_text(json.dumps(table, indent=0))
        self.table = json.loads(path.read_text())
        self.phones = sorted({p for pron in self.table.values() for p in pron})
        self._id = {p: i for i, p in enumerate(self.phones)}

    def __len__(self):
        return len(self.phones)

    def ids(self, spoken):
        """Phoneme ids, or [] when a word is unknown: then there is nothing to align."""
        words = words_of(spoken)
        if any(word not in self.table for word in words):
            return []
        return [self._id[p] for word in words for p in self.table[word]]
