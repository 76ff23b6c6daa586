"""What callers of a logistics firm's telephone desk say.

`sample(r)` gives an Utterance: the words to speak, the text to write, and
whether it belongs to the desk at all. Written text is Whisper style; digit
strings are joined ("4729") however they were spoken ("four seven, twenty nine").
"""
import random
import re
from typing import NamedTuple

import phrases
import playbook
import spelling
from numbers_en import TIMES, cardinal, clock, date, digit_string, money, thousands, weight
from vocab import TOKENS, Digits


class Utterance(NamedTuple):
    spoken: str
    written: list          # pieces; Digits are tokenised one by one
    kind: str              # "ok" or "oog" (out of grammar)


def _choice(words):
    def pick(r):
        word = r.choice(words)
        return word, word
    return pick


def _number(r):
    n = r.choice([r.randint(0, 20), r.randint(0, 100), r.randint(1, 100)])
    return cardinal(n), str(n)


def _small(r):
    n = r.randint(1, 12)
    return cardinal(n), str(n)


def _full_name(r):
    name = f"{r.choice(phrases.NAMES)} {r.choice(phrases.SURNAMES)}"
    return name, name


def _code(r):
    """Letters and digits: -> pieces, because the digits are tokenised one by one."""
    (spoken, written), (digits, number) = spelling.prefix(r), digit_string(r, r.choice([2, 3, 4, 4, 5]))
    return spoken + digits, [written, number]


SLOTS = {
    "letters": spelling.spelled, "nato": spelling.nato, "asin": spelling.as_in, "code": _code,
    "full": _full_name, "surname": _choice(phrases.SURNAMES), "big": thousands, "money": money, "weight": weight,
    "clock": lambda r: clock(r),
    "digits": lambda r: digit_string(r, r.choice([1, 2, 3, 4, 4, 4, 5, 5, 6, 6, 7, 8])),
    "order": lambda r: digit_string(r, r.choice([3, 4, 4, 4, 5, 5, 6, 6, 7, 8])),
    "short": lambda r: digit_string(r, r.choice([1, 1, 2, 2, 3, 4])),
    "one": lambda r: digit_string(r, 1),
    "phone": lambda r: digit_string(r, r.choice([5, 6, 7, 8])),
    "num": _number, "small": _small, "time": clock, "date": date,
    "day": _choice(phrases.DAYS), "month": _choice(phrases.MONTHS), "name": _choice(phrases.NAMES),
    "dept": _choice(phrases.DEPARTMENTS), "thing": _choice(phrases.THINGS), "part": _choice(TIMES),
    "person": _choice(phrases.PERSONS),
}


# heard, and not written: Whisper leaves them out too
HESITATIONS = ["um, ", "uh, ", "er, ", "well, um, ", "um... ", "erm, ", "ah, "]


def _parts(template):
    """'Order {digits}.' -> [('Order ', False), ('digits', True), ('.', False)]"""
    out = []
    for chunk in template.split("{"):
        if "}" in chunk:
            name, chunk = chunk.split("}", 1)
            out.append((name, True))
        if chunk:
            out.append((chunk, False))
    return out


TEMPLATES = [(weight, _parts(text)) for weight, text in phrases.TEMPLATES]
WEIGHTS = [weight for weight, _ in TEMPLATES]


def _filled(parts, r):
    """-> list of (spoken, written)"""
    out = []
    for text, is_slot in parts:
        if not is_slot:
            out.append((text, text))
            continue
        spoken, written = SLOTS[text](r)
        pieces = written if isinstance(written, list) else [written]
        if not out and not isinstance(pieces[0], Digits):
            pieces = [pieces[0][0].upper() + pieces[0][1:]] + pieces[1:]
        if r.random() < 0.06:
            spoken = r.choice(HESITATIONS) + spoken
        out.append((spoken, pieces[0]))
        out += [("", piece) for piece in pieces[1:]]
    return out


def _one(r):
    kind = r.random()
    if kind < 0.32:
        text = r.choice(phrases.PLAIN)
        out = [(text, text)]
    elif kind < 0.44:
        out = _filled(_parts(playbook.sentence(r)), r)
    else:
        out = _filled(r.choices(TEMPLATES, WEIGHTS)[0][1], r)
    if r.random() < 0.03:
        out[0] = (r.choice(HESITATIONS) + out[0][0], out[0][1])
    return out


def _desk_words():
    """Every word that the desk's sentences are made of."""
    text = " ".join([*phrases.PLAIN, *(t for _, t in phrases.TEMPLATES), *phrases.NAMES, *phrases.SURNAMES, *spelling.NATO,
                     *phrases.DEPARTMENTS, *phrases.THINGS, *phrases.PERSONS, *phrases.DAYS, *phrases.MONTHS, *TIMES,
                     *map(cardinal, range(101)), "hundred thousand dollars cents pounds euros kilos tons double triple"])
    return set(re.findall(r"[a-z']+", text.lower()))


def _english():
    """Thousands of English words that are not the desk's: whole words of Whisper's vocabulary."""
    desk = _desk_words()
    words = (token.decode("ascii", "ignore") for token in TOKENS if re.fullmatch(rb" [a-z]{4,11}", token))
    return [word.strip() for word in words if word.strip() not in desk]


ENGLISH = _english()
LITTLE = "the a of and to in is it that was for on you he with as his they at be this from we her she or an".split()


def _babble(r):
    """English words in no order, with little words between them as in a sentence."""
    words = []
    for _ in range(r.randint(1, 6)):
        words += [r.choice(LITTLE)] * (r.random() < 0.5) + [r.choice(ENGLISH)]
    return " ".join(words)


def out_of_grammar(r):
    """Words in no sentence, or a sentence of another trade: to be refused."""
    kind = r.random()
    if kind < 0.35:
        text = r.choice(phrases.OTHER_SENTENCES)
    elif kind < 0.75:
        text = _babble(r)
    else:
        text = " ".join(r.choice(phrases.OTHER_WORDS) for _ in range(r.randint(1, 7)))
    return Utterance(text, ["[INAUDIBLE]"], "oog")


def sample(r, oog=0.05):
    """One utterance."""
    if r.random() < oog:
        return out_of_grammar(r)
    pairs = _one(r)
    if r.random() < 0.08:
        more = _one(r)
        if sum(len(s) for s, _ in pairs + more) < 70:
            pairs = pairs + [(" ", " ")] + more
    return Utterance("".join(s for s, _ in pairs), [w for _, w in pairs], "ok")


if __name__ == "__main__":
    rng = random.Random(0)
    spoken_words = set()
    for _ in range(30000):
        spoken_words.update(sample(rng, 0).spoken.lower().replace(",", " ").split())
    print(len(phrases.PLAIN), "sentences,", len(TEMPLATES), "templates,", len(spoken_words), "words")
    for _ in range(20):
        u = sample(rng)
        print(u.kind, "|", u.spoken, "|", "".join(u.written))
