"""Prints the table of the model card and writes it into the card; `run.sh` is the way to call it.

A digit counts as a word. "Right" counts whole utterances or numbers. A foreign sentence is "taken for a
command" when words with at least the playbook's usual confidence come out of it; "any words" counts
those below it too, which the playbook asks again. After the read-back a number is right if one of at
most three takes is heard right, the caller having said no to the others.
"""
import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import promises
import strangers
from product import Product, decode_ms, text
from score import align, digits, words
from sets import TAKES, VOICES, Sets, has_hts

BEGIN, END = "<!-- evaluation: begin -->", "<!-- evaluation: end -->"
BELIEVED = 0.3                # ask_again_below, the playbook's default
MU_LAW = ["--line", "pcmu"]
LOSS = ["--line", "pcmu", "--loss", "2"]
DIGITS = ["--expect", "digits"]


class Table:
    """Measures and gathers the lines of the card."""

    def __init__(self, product, results):
        self.product, self.results, self.lines = product, results, []
        self.figures = defaultdict(list)
        results.mkdir(parents=True, exist_ok=True)

    def say(self, line):
        """A line of the card, shown at once."""
        self.lines.append(line)
        print(line, flush=True)

    def heard(self, name, examples, way=()):
        """-> reports; they are kept for calibrate.py."""
        reports = self.product.hear([e.path for e in examples], way)
        with (self.results / f"{name.replace(' ', '-')}.jsonl").open("w") as kept:
            for example, report in zip(examples, reports):
                kept.write(json.dumps({"truth": example.text, "report": report}) + "\n")
        return reports

    def errors(self, name, examples, way=()):
        """-> (word error rate in percent, share right in percent)"""
        missed = total = right = 0
        for example, report in zip(examples, self.heard(name, examples, way)):
            expected = words(example.text)
            wrong, _ = align(expected, words(text(report)))
            missed, total, right = missed + wrong, total + len(expected), right + (wrong == 0)
        return 100 * missed / total, 100 * right / len(examples)

    def numbers(self, name, examples, way):
        """-> (share right at once, share right after the read-back), in percent"""
        reports = self.heard(name, examples, [*way, *DIGITS])
        heard = [digits(text(r)) == e.text for e, r in zip(examples, reports)]
        takes = [heard[i:i + TAKES] for i in range(0, len(heard), TAKES)]
        return 100 * statistics.mean(t[0] for t in takes), 100 * statistics.mean(any(t) for t in takes)

    def refused(self, name, examples, way):
        """-> (taken for a command, any words), in percent"""
        reports = self.heard(name, examples, way)
        share = [100 * statistics.mean(bool(text(r, least)) for r in reports) for least in (BELIEVED, 0.0)]
        return tuple(share)

    def false_words(self, name, examples, way):
        """-> (believed words, all words) a minute"""
        reports = self.heard(name, examples, way)
        minutes = sum(r["duration_ms"] for r in reports) / 60_000
        return tuple(sum(len(words(text(r, least))) for r in reports) / minutes for least in (BELIEVED, 0.0))


def known_people(table, sets):
    """How well people are heard whose other takes were in the training."""
    held = sets.people()
    table.say("\nPeople whose other takes were in the training, through mu-law:\n")
    table.say("| human digits, 1 to 6 | WER | right |\n|---|---|---|")
    total = []
    for speaker in held.speakers:
        examples = sets.human_digits(held, speaker)
        rate, right = table.errors(f"human digits {speaker}", examples, [*MU_LAW, *DIGITS])
        total.append(rate)
        table.say(f"| {speaker} | {rate:.1f} % | {right:.0f} % |")
    table.say(f"| all | {statistics.mean(total):.1f} % | |")
    if held.sentences:
        rate, right = table.errors("human sentences", sets.human_sentences(held), MU_LAW)
        table.say(f"| sentences with transcripts | {rate:.1f} % | {right:.0f} % |")
    table.say("\n| human numbers | right at once | after the read-back |\n|---|---|---|")
    for length in (4, 6, 8):
        once, after = table.numbers(f"human numbers {length}", sets.human_numbers(held, length), MU_LAW)
        table.say(f"| {length} digits | {once:.0f} % | {after:.0f} % |")
    table.say("\n| human speech of other trades, other recordings | n | taken for a command | any words |\n|---|---|---|---|")
    for name, examples in [("sentences", sets.human_foreign(held)), ("words", sets.human_words(held))]:
        taken, some = table.refused(f"human foreign {name}", examples, MU_LAW)
        table.say(f"| {name} | {len(examples)} | {taken:.1f} % | {some:.1f} % |")
        if name == "sentences":
            table.figures["human foreign"].append(taken)


def new_people(table, sets):
    """How well people are heard of whom the training had nothing."""
    recordings = strangers.digits()
    if recordings:
        rate, right = table.errors("stranger digits", sets.stranger_digits(recordings), [*MU_LAW, *DIGITS])
        table.figures["stranger digits"].append(rate)
        table.say("\n| digits 1 to 6 by a person never heard, through mu-law | WER | right |\n|---|---|---|")
        table.say(f"| David C Dawson | {rate:.1f} % | {right:.0f} % |")
    letters = strangers.letters()
    if letters:
        _, right = table.errors("stranger letters", sets.stranger_letters(letters), MU_LAW)
        table.say(f"\n{round(right * len(letters) / 100)} of {len(letters)} single letters by two people never heard are right.")
    table.say("\n| sentences of people never heard | n | taken for a command | any words |\n|---|---|---|---|")
    for language in filter(strangers.sentences, strangers.LANGUAGES):
        examples = sets.stranger_sentences(language)
        taken, some = table.refused(f"stranger {language}", examples, MU_LAW)
        table.figures["stranger foreign"].append(taken)
        table.say(f"| {language} | {len(examples)} | {taken:.1f} % | {some:.1f} % |")


def synthetic(table, sets, names):
    """Voices that no training has heard."""
    table.say("\nSynthetic voices never trained on, sentences of the desk, WER (right):\n")
    table.say("| voice | clean 16 kHz | mu-law | 2 % loss | 10 dB babble |\n|---|---|---|---|---|")
    for seed, name in enumerate(names):
        clean = sets.sentences(name, VOICES[name], 9000 + seed)
        babble = sets.babble(clean, name, 9050 + seed)
        cells = []
        for label, examples, way in [("clean", clean, []), ("mu-law", clean, MU_LAW), ("loss", clean, LOSS),
                                     ("babble", babble, MU_LAW)]:
            rate, right = table.errors(f"{name} {label}", examples, way)
            cells.append(f"{rate:.1f} % ({right:.0f} %)")
            if label == "mu-law":
                table.figures["synthetic WER"].append(rate)
        table.say(f"| {name} | {' | '.join(cells)} |")
    table.say("\n| numbers through mu-law: right at once (after the read-back) | 4 digits | 6 digits | 8 digits |"
              "\n|---|---|---|---|")
    for seed, name in enumerate(names):
        made = [sets.numbers(name, VOICES[name], length, 9100 + 10 * seed + length) for length in (4, 6, 8)]
        shares = [table.numbers(f"{name} numbers {n}", m, MU_LAW) for n, m in zip((4, 6, 8), made)]
        table.figures["synthetic six"].append(shares[1][0])
        table.figures["synthetic six read back"].append(shares[1][1])
        table.say(f"| {name} | {' | '.join(f'{a:.0f} % ({b:.0f} %)' for a, b in shares)} |")
    table.say("\n| synthetic speech of other trades | taken for a command | any words |\n|---|---|---|")
    for seed, name in enumerate(names):
        taken, some = table.refused(f"{name} foreign", sets.foreign(name, VOICES[name], 9400 + seed), MU_LAW)
        table.figures["synthetic foreign"].append(taken)
        table.say(f"| {name} | {taken:.1f} % | {some:.1f} % |")


def quiet(table, sets):
    """What is no speech, and silence before it."""
    table.say("\n| five minutes of | false words a minute, believed | all |\n|---|---|---|")
    for name, examples in [("noise", sets.noise()), ("music", sets.music())]:
        believed, some = table.false_words(name, examples, MU_LAW)
        table.figures[name].append(believed)
        table.say(f"| {name} | {believed:.2f} | {some:.2f} |")
    examples = sets.sentences("flite slt", VOICES["flite slt"], 9000)[:max(10, sets.count // 2)]
    rates = [table.errors(f"lead {s}", examples, [*MU_LAW, "--lead-silence", str(1000 * s)])[0] for s in range(6)]
    table.figures["lead"].append(rates[-1] - rates[0])
    table.say("\n| silence before the words | " + " | ".join(f"{s} s" for s in range(6)) + " |\n|" + "---|" * 7)
    table.say("| flite slt, mu-law, WER | " + " | ".join(f"{rate:.1f} %" for rate in rates) + " |")


def speed(table, sets):
    """Decode time on one thread."""
    table.say("\n| speech of | 1 s | 3 s | 6 s |\n|---|---|---|---|")
    medians = []
    for seconds in (1, 3, 6):
        reports = table.heard(f"length {seconds}", sets.lengths(seconds), MU_LAW)
        spent = [decode_ms(r) for r in reports if r["utterances"]]
        medians.append(f"{statistics.median(spent):.0f} ms" if spent else "nothing heard")
        if spent:
            table.figures[f"decode {seconds} s"].append(statistics.median(spent))
    table.say("| decode on one thread, median | " + " | ".join(medians) + " |")


def write(card, lines):
    """Puts the table between the markers of the card."""
    old = card.read_text()
    if BEGIN not in old or END not in old:
        sys.exit(f"{card}: the markers {BEGIN} and {END} are missing")
    head, rest = old.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    card.write_text(head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + tail)
    print(f"\nwritten into {card}", file=sys.stderr)


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--attendant", required=True, help="the program")
    p.add_argument("--model", default="starter", help="a ggml file, or starter")
    p.add_argument("--human", help="folder of human recordings; see the training's README")
    p.add_argument("--count", type=int, default=80, help="utterances of each set")
    p.add_argument("--cache", required=True, help="folder for the sets, made once")
    p.add_argument("--card", help="the model card to write the table into")
    a = p.parse_args()
    table = Table(Product(a.attendant, a.model), Path(a.cache) / "results")
    sets = Sets(a.cache, a.human, a.count)
    names = [n for n in VOICES if VOICES[n][0] != "festival" or has_hts()]
    version = subprocess.run([a.attendant, "--version"], capture_output=True, text=True).stdout.strip()
    table.say(f"\nMade by `models/eval/run.sh --count {a.count}` on {date.today()} with {version}, "
              f"model `{Path(a.model).name}`.")
    for missing in set(VOICES) - set(names):
        table.say(f"Left out, because it is not installed: {missing}.")
    new_people(table, sets)
    if a.human:
        known_people(table, sets)
    else:
        table.say("\nWithout --human: how well it hears the people of its training is not known.")
    synthetic(table, sets, names)
    quiet(table, sets)
    speed(table, sets)
    summary = promises.table(table.figures)
    print("\n".join(summary))
    if a.card:
        made_by, *rest = table.lines
        write(Path(a.card), [made_by, *summary, *rest])


if __name__ == "__main__":
    main()
