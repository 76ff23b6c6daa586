"""Fits confidence to truth: python calibrate.py --cache DIR [--write]

Reads what `run.sh` has kept (`attendant transcribe --json` beside what was said), fits the constants of
`src/listen/confidence.rs` on one half of the recordings and prints, on the other half, a reliability
table: of the words and utterances that were believed so far, how many were right. `--write` puts the
constants into the source; the weights are never negative, so that better evidence never harms.
"""
import argparse
import hashlib
import json
import re
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from score import align, words

SOURCE = Path(__file__).resolve().parents[2] / "src/listen/confidence.rs"
LEAST = 1e-3                  # as in the source
BINS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0001]
DRAW = 1e-3                   # draws the weights towards zero where nothing speaks for them


def certain(p):
    """Probabilities nearer to 0 or 1 say no more."""
    return np.clip(p, LEAST, 1 - LEAST)


def evidence(p):
    """Log odds."""
    p = certain(p)
    return np.log(p / (1 - p))


def examples(folder):
    """-> (word features, word truths, utterance features, utterance truths, halves of each)"""
    of_words, of_utterances = [], []
    for kept in sorted(Path(folder).glob("*.jsonl")):
        if kept.name.startswith("length"):
            continue
        for number, line in enumerate(kept.read_text().splitlines()):
            row = json.loads(line)
            # By what was said: the same recording over another line, and its other takes, stay in its half.
            recording = row["truth"] or f"{kept.name}{number}"
            half = int(hashlib.md5(recording.encode()).hexdigest(), 16) % 2
            said = [u for u in row["report"]["utterances"] if any(e["words"] for e in u["evidence"])]
            # An utterance of several has no truth of its own, unless nothing at all was said.
            if len(said) > 1 and row["truth"]:
                continue
            for utterance in said:
                _add(utterance, row["truth"], half, of_words, of_utterances)
    return of_words, of_utterances


def _add(utterance, truth, half, of_words, of_utterances):
    if len(utterance["evidence"]) != 1 or "[" in utterance["evidence"][0]["text"]:
        return
    found = utterance["evidence"][0]
    # written as the scores write them, word for word
    got = [(word, p) for spoken, p in found["words"] for word in words(spoken)]
    wrong, right = align(words(truth), [word for word, _ in got])
    of_words += [([evidence(p)], good, half) for (_, p), good in zip(got, right)]
    probabilities = certain(np.array([p for _, p in found["words"]]))
    features = [evidence(probabilities.min()), np.log(probabilities).sum(), evidence(found["ending"]),
                evidence(1 - found["no_speech"])]
    of_utterances.append((features, wrong == 0, half))


def split(rows, half):
    """-> (features, truths) of one half"""
    chosen = [row for row in rows if row[2] == half]
    return np.array([row[0] for row in chosen], float), np.array([row[1] for row in chosen], float)


def predict(constants, x):
    """The logistic function of the source."""
    return 1 / (1 + np.exp(-(constants[0] + x @ constants[1:])))


def fit(x, y):
    """Constants with the best likelihood; the weights are not negative."""
    def loss(c):
        p = np.clip(predict(c, x), 1e-9, 1 - 1e-9)
        gradient = np.concatenate([[0.0], x.T @ (p - y) / len(y)]) + 2 * DRAW * np.concatenate([[0.0], c[1:]])
        gradient[0] = np.mean(p - y)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + DRAW * np.sum(c[1:] ** 2), gradient
    # the first weight may not vanish: a confidence must follow the evidence
    bounds = [(None, None), (0.05, None)] + [(0.0, None)] * (x.shape[1] - 1)
    return minimize(loss, np.full(x.shape[1] + 1, 0.3), jac=True, bounds=bounds, method="L-BFGS-B").x


def reliability(name, p, y):
    """Prints the table and the expected calibration error."""
    print(f"\n{name}: {len(y)}, {100 * y.mean():.1f} % right\n\n| believed | n | mean | right |\n|---|---|---|---|")
    error = 0.0
    for low, high in zip(BINS, BINS[1:]):
        inside = (p >= low) & (p < high)
        if inside.any():
            error += inside.mean() * abs(p[inside].mean() - y[inside].mean())
            print(f"| {low:.2f} - {min(high, 1):.2f} | {inside.sum()} | {p[inside].mean():.2f} | {y[inside].mean():.2f} |")
    print(f"\nexpected calibration error: {100 * error:.1f} %")


def write(word, utterance):
    """Puts the constants into the source."""
    text = SOURCE.read_text()
    for name, constants in [("WORD", word), ("UTTERANCE", utterance)]:
        numbers = ", ".join(f"{c:.3f}" for c in constants)
        pattern = rf"(const {name}: \[f32; {len(constants)}\] =)\s*\[[^\]]*\];"
        text, count = re.subn(pattern, rf"\1 [{numbers}];", text)
        if count != 1:
            raise SystemExit(f"{SOURCE}: {name} is not where it should be")
    SOURCE.write_text(text)
    print(f"\nwritten into {SOURCE}")


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--cache", required=True, help="the folder that was given to run.sh")
    p.add_argument("--write", action="store_true", help="put the constants into the source")
    a = p.parse_args()
    fitted = []
    for name, rows in zip(("words", "utterances"), examples(Path(a.cache) / "results")):
        if len(rows) < 200:
            raise SystemExit(f"only {len(rows)} {name}: run run.sh first, with --count 40 or more")
        constants = fit(*split(rows, 0))
        x, y = split(rows, 1)
        reliability(name, predict(constants, x), y)
        fitted.append(constants)
    print(f"\nWORD: {np.round(fitted[0], 3).tolist()}\nUTTERANCE: {np.round(fitted[1], 3).tolist()}")
    if a.write:
        write(*fitted)


if __name__ == "__main__":
    main()
