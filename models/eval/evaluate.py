"""Prints the table of the model card: python evaluate.py MODEL.bin [--human DIR] [--count N] [--full-window]

WER counts every digit as a word. "right" counts whole utterances; for the sets
that must be refused or found empty, a right answer is the bracketed one.
"""
import argparse
import collections
import tempfile

import sets
from heard import Recogniser, errors, words


def measure(recognise, examples, wrong):
    """-> (errors, words, right, milliseconds per utterance)"""
    total = [0, 0, 0, 0.0]
    for x, expected in examples:
        text, spent = recognise(x)
        a, b = words(expected), words(text)
        missed = errors(a, b)
        total = [total[0] + missed, total[1] + len(a), total[2] + (missed == 0), total[3] + spent]
        if missed:
            wrong.append((expected, text))
    return total


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("model")
    p.add_argument("--human", help="folder of human recordings; see the training's README")
    p.add_argument("--count", type=int, default=80)
    p.add_argument("--full-window", action="store_true", help="always 10.24 s instead of a fitted window")
    p.add_argument("--wrong", action="store_true", help="also print what was misheard")
    a = p.parse_args()
    recognise = Recogniser(a.model, fitted=not a.full_window)
    print("| set | utterances | WER | right | ms each |\n|---|---|---|---|---|")
    groups = collections.Counter()
    with tempfile.TemporaryDirectory() as cache:
        for name, examples in sets.all_sets(a.human, cache, a.count):
            wrong = []
            missed, count, right, spent = measure(recognise, examples, wrong)
            refusal = examples[0][1].startswith("[")
            rate = "" if refusal else f"{100 * missed / count:.1f} %"
            print(f"| {name} | {len(examples)} | {rate} | {right} | {spent / len(examples):.0f} |", flush=True)
            kind = "human digits" if name.startswith("human") else "synthetic, " + name.split(", ")[-1]
            if not refusal:
                groups[kind, "errors"] += missed
                groups[kind, "words"] += count
            for expected, text in wrong if a.wrong else []:
                print(f"    {expected!r} -> {text!r}")
    for kind in sorted({kind for kind, _ in groups}):
        print(f"all {kind}: WER {100 * groups[kind, 'errors'] / groups[kind, 'words']:.1f} %")


if __name__ == "__main__":
    main()
