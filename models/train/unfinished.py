"""Callers who stop in the middle: clips that end where a word ends, written as what was said and "...".

A model that has only ever heard whole utterances hears a whole one in the first words of another, so
whoever answers cannot know that the caller only thinks. Here it learns to write the words that were
said, and the three dots that Whisper itself writes when somebody trails off: python unfinished.py SHARDS
CHECKPOINT cuts finished shards at words' ends, found by the checkpoint's phoneme layer.

What ends like a whole utterance by its words is left out, whatever its melody; numbers are not, since any
number of digits may be whole and only the melody tells.
"""
import argparse
import pickle
import random
import re
import time
from pathlib import Path

import numpy as np
import torch

from align import Spans, forced
from beginnings import DOTS, WHOLES, key
from lexicon import Lexicon
from model import load
from vocab import TOKENS, decode

SHARE = 0.5           # of the utterances of the desk that are cut
BATCH = 16
SHORTEST = 12         # frames of 10 ms


def _is_number(tokens):
    return bool(re.fullmatch(r"[0-9]+", decode(tokens).strip()))


def _borders(tokens, spans):
    """Token positions between two words that were both found: [(tokens before, last phoneme, first phoneme after)]"""
    found = {token: (first, last) for token, first, last in spans}
    out = []
    for at in range(1, len(tokens)):
        text = TOKENS[tokens[at]].decode("utf8", "replace")
        is_word = text.startswith(" ") or text.strip().isdigit()
        before = at - 1
        while before >= 0 and not re.search(r"[A-Za-z0-9]", TOKENS[tokens[before]].decode("utf8", "replace")):
            before -= 1
        if is_word and at in found and before in found:
            out.append((before + 1, found[before][1], found[at][0]))
    return out


def _alignments(model, examples):
    """For each example the first and last encoder position of each of its phonemes."""
    longest = max(e[0].shape[1] for e in examples)
    longest += longest % 2
    mel = np.stack([np.pad(e[0].astype(np.float32), ((0, 0), (0, longest - e[0].shape[1])), constant_values=e[1])
                    for e in examples])
    with torch.no_grad():
        log_probs = model.ctc(model.encoder(torch.from_numpy(mel))).float().log_softmax(-1)
    lengths = np.array([min(longest // 2, e[0].shape[1] // 2 + 1) for e in examples])
    counts = np.array([len(e[3]) for e in examples])
    return forced(log_probs, lengths, np.concatenate([e[3] for e in examples]), counts)


def _cut(example, border, places):
    """The example up to the quietest moment between two words."""
    mel, floor, tokens, phones, _ = example
    kept, last, first = border
    ends, begins = 2 * int(places[1][last]) + 1, 2 * int(places[0][first])
    if begins <= ends - 1 or ends < SHORTEST:
        return None
    at = ends + int(np.argmin(mel[:, ends:begins + 1].astype(np.float32).mean(0)))
    head = mel[:, :at + 1].astype(np.float32)
    fade = min(3, head.shape[1])
    head[:, -fade:] -= np.linspace(0, 0.5, fade + 1, dtype=np.float32)[1:]     # the sound dies away
    head = np.maximum(head, floor).astype(np.float16)
    return head, floor, [*tokens[:kept], *DOTS], phones[:last + 1], "unfinished"


def cut_shard(model, spans, wholes, examples, r):
    """Some of the shard's utterances, each cut at one word's end."""
    chosen = [e for e in examples if e[4] in ("desk", "sentence") and e[3] and r.random() < SHARE]
    jobs = []
    for example in chosen:
        borders = [b for b in _borders(example[2], spans(example[2], example[3]))
                   if _is_number(example[2][:b[0]]) or key(decode(example[2][:b[0]])) not in wholes]
        if borders:
            jobs.append((example, r.choice(borders)))
    jobs.sort(key=lambda job: job[0][0].shape[1])
    out = []
    for start in range(0, len(jobs), BATCH):
        part = jobs[start:start + BATCH]
        for (example, border), places in zip(part, _alignments(model, [e for e, _ in part])):
            out.append(_cut(example, border, places))
    return [e for e in out if e is not None]


def cut_shards(folder, checkpoint):
    """Writes for each shard sNNN of the folder one uNNN of unfinished utterances; those that are there are kept."""
    folder = Path(folder)
    model, spans = load(checkpoint)[0].eval(), Spans(Lexicon(folder / "lexicon.json"))
    shards = sorted(folder.glob("s*.pkl"))
    wholes, loaded = set(WHOLES), {}
    for path in shards:
        loaded[path] = [e for e in pickle.loads(path.read_bytes()) if e[4] in ("desk", "sentence")]
        wholes.update(key(decode(e[2])) for e in loaded[path])
    for path, examples in loaded.items():
        out = path.with_name("u" + path.name[1:])
        if not out.exists():
            cut = cut_shard(model, spans, wholes, examples, random.Random(path.name))
            temporary = out.with_suffix(".tmp")
            temporary.write_bytes(pickle.dumps(cut, protocol=5))
            temporary.rename(out)
            print(f"{out.name}: {len(cut)} unfinished of {len(examples)}", flush=True)


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("shards", type=Path)
    p.add_argument("checkpoint", type=Path, help="with its phoneme layer: model.pt")
    p.add_argument("--after", type=int, default=0, help="begin when so many shards are there")
    a = p.parse_args()
    torch.set_num_threads(1)
    while len(list(a.shards.glob("s*.pkl"))) < a.after:
        time.sleep(5)
    cut_shards(a.shards, a.checkpoint)


if __name__ == "__main__":
    main()
