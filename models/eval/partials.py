"""Prints how far partial text can be believed: of the words that a page shows while a caller speaks, how
many are in the final text at their place, those that two hypotheses agree on apart.

Each recording is cut off where `attendant run` would decode what was said so far, and heard by
`attendant transcribe`.
"""
import argparse
import sys
import tempfile
from pathlib import Path

from scipy.io import wavfile

from product import Product, text
from score import words
from sets import VOICES, Sets

FIRST_MS, EVERY_MS = 680, 620   # an onset of 80 ms, then 600 ms, and a decode's time after each
MU_LAW = ["--line", "pcmu"]


def cut(example, folder, report):
    """-> files that end where a decode would be asked for, the whole one last"""
    rate, samples = wavfile.read(example.path)
    spoken = report["utterances"]
    if not spoken:
        return []
    begin, end = spoken[0]["start_ms"], spoken[-1]["end_ms"]
    files = []
    for at in range(begin + FIRST_MS, end, EVERY_MS):
        files.append(folder / f"{example.path.parent.name}-{example.path.stem}-{at}.wav")
        wavfile.write(files[-1], rate, samples[: at * rate // 1000])
    return files


def agreed(last, hypothesis):
    """How many words two hypotheses have in common from their beginning."""
    count = 0
    while count < min(len(last), len(hypothesis)) and last[count] == hypothesis[count]:
        count += 1
    return count


def right(hypothesis, final):
    return sum(word == other for word, other in zip(hypothesis, final))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program", type=Path)
    arguments.add_argument("cache", type=Path)
    arguments.add_argument("--model", default="starter")
    arguments.add_argument("--human", type=Path, help="the folder that run.sh is given, for the same sets")
    arguments.add_argument("--count", type=int, default=40)
    options = arguments.parse_args()
    product, sets = Product(options.program, options.model), Sets(options.cache, options.human, options.count)
    shown = shown_right = settled = settled_right = utterances = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed, (name, voice) in enumerate(VOICES.items()):
            examples = sets.sentences(name, voice, 9000 + seed)
            wholes = product.hear([e.path for e in examples], MU_LAW)
            cuts = [cut(e, Path(folder), whole) for e, whole in zip(examples, wholes)]
            pieces = [file for files in cuts for file in files]
            heard = dict(zip(pieces, product.hear(pieces, MU_LAW)))
            for files, whole in zip(cuts, wholes):
                final, last = words(text(whole)), []
                utterances += bool(files)
                for hypothesis in (words(text(heard[file])) for file in files):
                    same, last = agreed(last, hypothesis), hypothesis
                    shown, shown_right = shown + len(hypothesis), shown_right + right(hypothesis, final)
                    settled += same
                    settled_right += right(hypothesis[:same], final)
    if not settled:
        sys.exit("nothing has settled")
    print(f"{utterances} utterances with partial text: {shown} words shown, "
          f"{100 * shown_right / shown:.1f} % of them in the final text at their place; "
          f"{settled} of them settled, {100 * settled_right / settled:.1f} %")


if __name__ == "__main__":
    main()
