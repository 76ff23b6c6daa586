"""The first words of the desk's sentences, as somebody says them who then stops to think."""
import re

import phrases
import playbook
from vocab import encode

DOTS = encode("...")


def key(text):
    """Words as they are compared; digits alike, however many."""
    return re.sub(r"[0-9]+", "#", re.sub(r"[^a-z0-9' ]", "", text.lower())).strip()


_SENTENCES = [*phrases.PLAIN, *(text for _, text in phrases.TEMPLATES)]
WHOLES = {key(text) for text in _SENTENCES if "{" not in text}


def beginning(r, with_sentence=False):
    """The first words of a sentence of the desk, which are no sentence by themselves; None where it has none.
    `with_sentence` gives the sentence too, or None for it where a slot is open in it."""
    text = r.choice(_SENTENCES) if r.random() < 0.6 else playbook.sentence(r)
    words = text.split("{")[0].rstrip(" .?!").split()
    longest = len(words) if "{" in text else len(words) - 1
    choices = [n for n in range(1, longest + 1)
               if not words[n - 1].endswith((".", "?", "!")) and key(" ".join(words[:n])) not in WHOLES]
    if not choices:
        return (None, None) if with_sentence else None
    kept = choices[-1] if r.random() < 0.4 else r.choice(choices)
    start = " ".join(words[:kept]).rstrip(",")
    return (start, None if "{" in text else text) if with_sentence else start
