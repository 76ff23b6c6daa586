"""Callers who stop inside a sentence that a voice reads as a whole, with a comma where they stop.

The melody goes on there, as a caller's does who has not finished; cut from the rest it is all that tells
"four seven" from the first half of "four seven, two nine".
"""
import random

import numpy as np

import phrases
import voices
from beginnings import beginning
from mel import SAMPLE_RATE
from numbers_en import ONES, random_digits
from vocab import Digits

# Said before a wish; what is written of them.
OPENERS = {"hello": "Hello", "hi": "Hi", "good morning": "Good morning", "good afternoon": "Good afternoon", "yes": "Yes",
           "okay": "Okay", "sorry": "Sorry", "no": "No", "wait": "Wait", "let me see": "Let me see", "one moment": "One moment",
           "hold on": "Hold on", "just a second": "Just a second", "well": "Well", "um": "Um", "uh": "Uh", "so": "So",
           "let me check": "Let me check", "excuse me": "Excuse me"}
UNWRITTEN = {"um", "uh"}
CARRIERS = ["my order number is", "order number", "it's", "my number is", "track order", "cancel order", "the number is"]
REACH_S, STEP = 0.25, SAMPLE_RATE // 100


def _number(r):
    digits = random_digits(r, r.choice([3, 4, 4, 4, 5, 6, 6, 7, 8]))
    size, groups = r.choice([1, 2, 2, 3, 3, 4]), []
    while digits:
        groups.append(digits[:size])
        digits = digits[size:]
    spoken = [" ".join(ONES[int(d)] for d in group) for group in groups]
    written = [[Digits("".join(groups[:n + 1]))] for n in range(len(groups))]
    if r.random() < 0.3:
        carrier = r.choice(CARRIERS)
        head = carrier[0].upper() + carrier[1:]
        written = [[head]] + [[head + " ", *pieces] for pieces in written]
        spoken = [carrier, *spoken]
    written[-1].append(".")
    return spoken, written


def _opened(r):
    opener = r.choice(list(OPENERS))
    text = r.choice(phrases.PLAIN)
    sentence, sign = text.rstrip(".?!"), text[-1]
    lower = sentence if sentence.startswith(("I ", "I'")) else sentence[0].lower() + sentence[1:]
    whole = sentence if opener in UNWRITTEN else f"{OPENERS[opener]}, {lower}"
    return [opener, sentence], [[OPENERS[opener]], [whole + sign]]


def _sentence(r):
    start = whole = None
    while whole is None:
        start, whole = beginning(r, with_sentence=True)
    return [start, whole[len(start):].lstrip(" ,").rstrip(".?!")], [[start], [whole]]


def utterance(r):
    """-> (spoken parts, for each part what is written when it has been said)"""
    return r.choices([_number, _opened, _sentence], [0.5, 0.25, 0.25])[0](r)


def _quietest(x, about):
    """Start and end of the silence nearest to `about`."""
    frames = x[:len(x) // STEP * STEP].reshape(-1, STEP)
    energy = (frames ** 2).sum(1)
    middle, reach = about // STEP, int(REACH_S * 100)
    low = max(1, middle - reach)
    around = energy[low:middle + reach]
    if not len(around):
        return None
    at = low + int(np.argmin(around))
    silent = energy <= energy.max() * 1e-4
    start = end = at
    while start > 0 and silent[start - 1]:
        start -= 1
    while end + 1 < len(silent) and silent[end + 1]:
        end += 1
    return start * STEP, (end + 1) * STEP


def _faded(x):
    y = x.copy()
    y[-STEP:] *= np.linspace(1, 0, len(y[-STEP:]), dtype=np.float32)
    return y


def read(parts, voice, r):
    """-> (samples of the first parts, of all of them with a pause after these, how many these are)"""
    seed, stop = r.getrandbits(32), r.randrange(1, len(parts))

    def say(text):
        return voices.synthesise(text, voice, random.Random(seed))       # each time in the same tempo and pitch

    whole = say(", ".join(parts))
    place = _quietest(whole, len(say(", ".join(parts[:stop]) + ",")))
    if place is None:
        raise voices.SynthesisError(f"no place for a pause in {parts}")
    start = _faded(whole[:place[0]])
    silence = np.zeros(int(SAMPLE_RATE * r.uniform(0.1, 1.2)), np.float32)
    return start, np.concatenate([start, silence, whole[place[1]:]]), stop
