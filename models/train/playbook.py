"""What the product's own playbook listens for: every way to say each of its phrases.

The desk inside the program and the model inside the program must know the same sentences, so they are
read from the playbook itself.
"""
import re
import tomllib
from pathlib import Path

PLAYBOOK = Path(__file__).resolve().parents[2] / "src" / "converse" / "playbook" / "logistics.toml"
_QUESTION = re.compile(r"(what|where|when|how|who|can|could|is|are|do|does|shall) ")
_NAMED = re.compile(r"\b(i|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b")
_INNERMOST = re.compile(r"\[([^][()]*)\]|\(([^][()]*)\)")


def _load():
    book = tomllib.loads(PLAYBOOK.read_text())
    phrases = [phrase for intent in book["intent"] for phrase in intent.get("phrases", [])]
    return phrases, book["synonyms"]


PHRASES, _SYNONYMS = _load()


def _choose(phrase, r):
    """One way to say it: brackets may be left out, of bars one side is said."""
    while found := _INNERMOST.search(phrase):
        optional, required = found.groups()
        said = r.choice((optional or required).split("|"))
        if optional is not None and r.random() < 0.5:
            said = ""
        phrase = phrase[:found.start()] + said + phrase[found.end():]
    return " ".join(phrase.split())


def _in_other_words(text, r):
    return " ".join(r.choice(_SYNONYMS[word]) if word in _SYNONYMS and r.random() < 0.5 else word for word in text.split())


def sentence(r):
    """A sentence with its slots still in braces, capital letters and the sign at its end."""
    text = _in_other_words(_choose(r.choice(PHRASES), r), r)
    text = _NAMED.sub(lambda m: m[0].capitalize(), text)
    text = text.replace("byebye", "bye bye").replace("thankyou", "thank you")
    sign = "?" if _QUESTION.match(text) else "."
    return (text if text.startswith("{") else text[0].upper() + text[1:]) + sign
