"""Where in the sound each written token is spoken, for the decoder's attention.

A small decoder loses count in "two two two": nothing tells it to move on to the next digit. The phoneme
CTC knows where every phoneme is (a forced alignment), the lexicon knows which phonemes belong to a
token, and one attention head is taught to look there. The others are left alone.
"""
import numpy as np
import torch

from numbers_en import ONES
from spelling import LETTERS
from vocab import TOKENS

MARGIN = 3            # positions of 20 ms that the head may look beside the token
REACH = 14            # phonemes that may be passed over: what is spoken and not written ("um")


def _words(tokens):
    """Token ids -> [(word, [index, ...])]; every digit is a word."""
    out = []
    for i, token in enumerate(tokens):
        text = TOKENS[token].decode("utf8", "replace") if token < len(TOKENS) else ""
        bare = text.strip()
        if bare.isdigit() and len(bare) == 1 or text.startswith(" ") or not out:
            out.append([bare, [i]])
        elif bare[:1].isalpha() or bare.startswith("'"):
            out[-1][0] += bare
            out[-1][1].append(i)
    return out


class Spans:
    """Which phonemes belong to which token."""

    def __init__(self, lexicon):
        self.lexicon = lexicon
        self.kept = {}

    def _pronunciations(self, word):
        names = [word.lower()]
        if word.isdigit() and len(word) == 1:
            names = [ONES[int(word)]] + (["oh"] if word == "0" else [])
        elif len(word) == 1 and word.upper() in LETTERS and word != "I":
            names = [LETTERS[word.upper()].replace("_", " ")] + (["zed"] if word == "Z" else [])
        return [ids for ids in map(self.lexicon.ids, names) if ids]

    def __call__(self, tokens, phones):
        """-> [(index of the token, first phoneme, last phoneme)]"""
        out, at = [], 0
        for word, indexes in _words(tokens) if phones else []:
            if word not in self.kept:
                self.kept[word] = self._pronunciations(word)
            found = [(start, len(ids)) for ids in self.kept[word]
                     for start in range(at, min(at + REACH, len(phones) - len(ids) + 1))
                     if phones[start:start + len(ids)] == ids]
            if found:
                start, length = min(found)
                out += [(i, start, start + length - 1) for i in indexes]
                at = start + length
        return out


def forced(log_probs, lengths, phones, counts):
    """Viterbi through the CTC lattice: log_probs [B, T, C] -> for each example (first, last) position of each phoneme."""
    scores = log_probs.numpy()
    batch, frames, classes = scores.shape
    longest = 2 * int(max(counts)) + 1
    labels = np.full((batch, longest), classes - 1)
    skip = np.zeros((batch, longest), bool)
    parts = np.split(phones, np.cumsum(counts)[:-1])
    for b, part in enumerate(parts):
        labels[b, 1:2 * len(part):2] = part
        skip[b, 3:2 * len(part):2] = part[1:] != part[:-1]
    emitted = np.take_along_axis(scores, labels[:, None, :].repeat(frames, 1), 2)
    best = np.full((batch, longest), -1e9, np.float32)
    best[:, :2] = emitted[:, 0, :2]
    back = np.zeros((frames, batch, longest), np.int8)
    one, two = np.full_like(best, -1e9), np.full_like(best, -1e9)
    for t in range(1, frames):
        one[:, 1:], two[:, 2:] = best[:, :-1], np.where(skip[:, 2:], best[:, :-2], -1e9)
        step = np.where(one > best, 1, 0)
        top = np.maximum(one, best)
        back[t] = np.where(two > top, 2, step)
        best = np.where((t < lengths)[:, None], np.maximum(top, two) + emitted[:, t], best)
    return [_trace(back[:, b], best[b], int(lengths[b]), len(part)) for b, part in enumerate(parts)]


def _trace(back, final, frames, count):
    state = 2 * count if final[2 * count] > final[2 * count - 1] else 2 * count - 1
    first, last = np.zeros(count, int), np.full(count, -1)
    for t in range(frames - 1, -1, -1):
        if state % 2:
            phone = state // 2
            first[phone] = t
            last[phone] = max(last[phone], t)
        state -= back[t, state]
        if state < 0:
            break
    return first, last


def attention_loss(weights, log_probs, lengths, phone_lengths, phones, spans):
    """How little of the head's attention [B, L, T] falls on the tokens' own positions."""
    counts = phone_lengths.numpy()
    known = np.flatnonzero([bool(s) for s in spans])
    if not len(known):
        return weights.new_zeros(())
    keep = np.flatnonzero(counts)
    parts = dict(zip(keep, np.split(phones.numpy(), np.cumsum(counts[keep])[:-1])))
    places = forced(log_probs[known], lengths[known].numpy(), np.concatenate([parts[b] for b in known]), counts[known])
    rows, mask = [], []
    for b, (first, last) in zip(known, places):
        for token, start, end in spans[b]:
            low, high = max(0, first[start] - MARGIN), last[end] + MARGIN
            if last[end] >= 0 and high > low:
                rows.append((b, token + 1))
                mask.append((low, high))
    if not rows:
        return weights.new_zeros(())
    rows, mask = (torch.tensor(part, device=weights.device) for part in (rows, mask))
    at = torch.arange(weights.shape[-1], device=weights.device)
    inside = (at >= mask[:, :1]) & (at <= mask[:, 1:])
    share = (weights[rows[:, 0], rows[:, 1]].float() * inside).sum(-1)
    return -(share + 1e-4).log().mean()
