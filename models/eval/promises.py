"""What the model shall reach, beside what was measured."""
import statistics
from typing import NamedTuple


class Promise(NamedTuple):
    """`key` names the figures of which `over` is taken."""
    what: str
    key: str
    wanted: float
    unit: str
    at_most: bool = True
    over: callable = statistics.mean


PROMISES = [
    Promise("digits 1 to 6 of a person never heard, mu-law, WER", "stranger digits", 10, " %"),
    Promise("people's foreign sentences taken for a command", "human foreign", 5, " %"),
    Promise("foreign sentences of people never heard, the same", "stranger foreign", 5, " %"),
    Promise("synthetic voices never heard, mu-law, WER, mean", "synthetic WER", 5, " %"),
    Promise("the same, the worst voice", "synthetic WER", 5, " %", over=max),
    Promise("numbers of 6 digits right at once, mean of these voices", "synthetic six", 90, " %", at_most=False),
    Promise("numbers of 6 digits right after the read-back, the same", "synthetic six read back", 98, " %", at_most=False),
    Promise("synthetic speech of other trades taken for a command", "synthetic foreign", 5, " %"),
    Promise("false words in a minute of noise", "noise", 0.5, ""),
    Promise("false words in a minute of music", "music", 0.5, ""),
    Promise("WER with 5 s of silence before the words, less that with 0 s", "lead", 2, " %"),
    Promise("decode of 3 s on one thread", "decode 3 s", 90, " ms"),
]


def table(figures):
    """Lines of the card; `figures` maps a key to its values."""
    lines = ["", "Wanted and measured:", "", "| what | wanted | measured | |", "|---|---|---|---|"]
    for p in PROMISES:
        if p.key not in figures:
            lines.append(f"| {p.what} | {'<=' if p.at_most else '>='} {p.wanted}{p.unit} | not measured | |")
            continue
        value = p.over(figures[p.key])
        kept = value <= p.wanted if p.at_most else value >= p.wanted
        missed = "" if kept else f"missed by {abs(value - p.wanted):.1f}{p.unit}"
        lines.append(f"| {p.what} | {'<=' if p.at_most else '>='} {p.wanted}{p.unit} | {value:.1f}{p.unit} | {missed} |")
    return lines
