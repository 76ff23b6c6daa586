"""Makes shards of training examples: python generate.py OUT --seed N --shards N [--human DIR]

Every shard stands on its own and appears under its final name only when it is
complete, so the training can start with the first one and pick up the others.
"""
import argparse
import pickle
import random
import re
import time
from pathlib import Path

import numpy as np

import grammar
import stopped
import voices
from beginnings import DOTS, beginning
from human import People, join, random_string, trim
from lexicon import Lexicon
from mel import SAMPLE_RATE, logmel
from noises import noise_only
from prompts import Prompts
from telephone import augment, pause
from numbers_en import ONES
from vocab import BLANK, INAUDIBLE, Digits, encode_pieces

LONGEST = 10.1 * SAMPLE_RATE
CARRIERS = ["My order number is ", "Order number ", "It's ", "Yes, ", "No, I meant ", "Track order ", "Cancel order ",
            "My number is ", "The number is "]


class Maker:
    """Draws examples; each is (mel float16, floor, token ids, phoneme ids, kind)."""

    def __init__(self, seed, work, human=None):
        self.r = random.Random(seed)
        self.engines = voices.available()
        self.people = People(human, work / "people") if human else None
        texts = [text for _, text in self.people.sentences] if self.people else []
        self.lexicon = Lexicon(work / "lexicon.json", texts)
        (work / "transcripts.txt").write_text("\n".join(texts))
        self.prompts, self.talk = Prompts(trim), []
        synthetic = [(0.72, self.desk), (0.08, self.unfinished), (0.08, self.stopped), (0.05, self.other), (0.02, self.foreign_language), (0.05, self.noise)]
        people = [(0.38, self.desk), (0.06, self.unfinished), (0.06, self.stopped), (0.17, self.digits), (0.03, self.carrier), (0.09, self.other),
                  (0.015, self.foreign_language), (0.05, self.strangers), (0.04, self.words), (0.05, self.noise)]
        prompts = [(0.09, self.prompt), (0.035, self.prompt_strangers)]
        sentences = [(0.1, self.sentence)] if texts else []
        self.kinds = sentences + (people if self.people else synthetic) + (prompts if self.prompts else [])

    def draw(self):
        """A list of examples: several versions of one utterance."""
        make = self.r.choices([f for _, f in self.kinds], [w for w, _ in self.kinds])[0]
        return make()

    def _crowd(self, n, r):
        """Babble of what was said last."""
        if len(self.talk) < 6:
            return None
        out = np.zeros(n, np.float32)
        for x in r.sample(self.talk, r.choice([1, 3, 5])):
            start = r.randrange(len(x))
            out += np.resize(np.roll(x, -start), n) / (np.abs(x).max() + 1e-6)
        return out

    def _versions(self, x, ids, phones, kind, count, spread=0.16):
        self.talk = self.talk[-40:] + [x[:4 * SAMPLE_RATE]]
        out = []
        for _ in range(count):
            y = pause(x, self.r) if self.r.random() < 0.07 else x
            y = augment(y, self.r, spread, self._crowd)
            if len(y) <= LONGEST:
                out.append(self._example(y, ids, phones, kind))
        return out

    def _example(self, x, ids, phones, kind):
        mel, floor = logmel(x)
        return mel.astype(np.float16), floor, ids, phones, kind

    def desk(self):
        """A caller of the desk, by a synthetic voice."""
        u = grammar.sample(self.r, 0)
        x = voices.synthesise(u.spoken, voices.pick(self.r, self.engines), self.r)
        return self._versions(x, encode_pieces(u.written), self.lexicon.ids(u.spoken), "desk", 3)

    def unfinished(self):
        """A caller of the desk who stops after a few words: with the melody of an end, or of a comma."""
        text = beginning(self.r)
        if text is None:
            return []
        spoken = (self.r.choice(grammar.HESITATIONS) if self.r.random() < 0.1 else "") + text
        x = voices.synthesise(spoken + self.r.choice(["", ","]), voices.pick(self.r, self.engines), self.r)
        return self._versions(x, encode_pieces([text]) + DOTS, self.lexicon.ids(spoken), "unfinished", 3)

    def stopped(self):
        """A sentence with a comma, up to there and with a pause there."""
        spoken, written = stopped.utterance(self.r)
        if len(spoken) < 2:
            return []
        start, whole, count = stopped.read(spoken, voices.pick(self.r, self.engines), self.r)
        begun = self._versions(start, encode_pieces(written[count - 1]) + DOTS,
                               self.lexicon.ids(" ".join(spoken[:count])), "unfinished", 2)
        return begun + self._versions(whole, encode_pieces(written[-1]), self.lexicon.ids(" ".join(spoken)), "desk", 2)

    def other(self):
        """English that is none of the desk's business. The phonemes still teach the encoder."""
        u = grammar.out_of_grammar(self.r)
        x = voices.synthesise(u.spoken, voices.pick(self.r, self.engines), self.r)
        return self._versions(x, INAUDIBLE, self.lexicon.ids(u.spoken), "other", 2)

    def foreign_language(self):
        """Other languages."""
        text, voice = voices.foreign(self.r)
        return self._versions(voices.synthesise(text, voice, self.r), INAUDIBLE, [], "other", 2)

    def noise(self):
        """No speech at all."""
        return [self._example(noise_only(self.r), BLANK, [], "noise")]

    def digits(self):
        """People's digits joined into strings."""
        x, text, spoken = random_string(self.r, self.people)
        return self._versions(x, encode_pieces([text, "."]), self.lexicon.ids(spoken), "digits", 1, 0.24)

    def carrier(self):
        """A synthetic beginning and people's digits: the decoder must not tie digits to their place."""
        x, text, spoken = random_string(self.r, self.people)
        start = self.r.choice(CARRIERS)
        y = voices.synthesise(start, voices.pick(self.r, self.engines), self.r)
        gap = np.zeros(int(SAMPLE_RATE * self.r.uniform(0, 0.4)), np.float32)
        joined = np.concatenate([y / (np.abs(y).max() + 1e-6) * self.r.uniform(0.5, 1), gap, x])
        ids, phones = encode_pieces([start, text, "."]), self.lexicon.ids(start + spoken)
        return self._versions(joined, ids, phones, "digits", 1, 0.2)

    def sentence(self):
        """What people say, as the transcripts have it; digits one by one."""
        path, text = self.r.choice(self.people.sentences)
        pieces = [Digits(part) if part.isdigit() else part for part in re.split(r"(\d+)", text) if part]
        spoken = re.sub(r"\d", lambda digit: f" {ONES[int(digit[0])]} ", text)
        return self._versions(self.people.audio(path), encode_pieces(pieces), self.lexicon.ids(spoken), "sentence", 2, 0.2)

    def strangers(self):
        """People's sentences about something else, whole or cut short."""
        x = self.people.audio(self.r.choice(self.people.foreign))
        if len(x) > SAMPLE_RATE * 2 and self.r.random() < 0.4 or len(x) > SAMPLE_RATE * 7:
            length = int(SAMPLE_RATE * self.r.uniform(1.0, min(6.0, len(x) / SAMPLE_RATE)))
            start = self.r.randrange(0, len(x) - length + 1)
            x = x[start:start + length]
        return self._versions(x, INAUDIBLE, [], "other", 1, 0.2)

    def prompt(self):
        """Numbers, letters, days and the like, by the speaker of the prompts."""
        recordings, spoken, pieces = self.prompts.compose(self.r)
        return self._versions(join(recordings, self.r), encode_pieces(pieces), self.lexicon.ids(spoken), "digits", 1, 0.24)

    def prompt_strangers(self):
        """People who say something else, most of them in another language."""
        x = self.prompts.audio(self.r.choice(self.prompts.strangers))
        return self._versions(x[:7 * SAMPLE_RATE], INAUDIBLE, [], "other", 1, 0.2)

    def words(self):
        """Single words by many people: their phonemes teach the encoder how people sound."""
        word, path = self.r.choice(self.people.words)
        x = self.people.audio(path)
        if len(x) > SAMPLE_RATE * 4:
            return []
        return self._versions(x, INAUDIBLE, self.lexicon.ids(word), "other", 1, 0.2)


def write_shards(maker, out, seed, numbers, size):
    """Writes a file of about `size` examples for each number."""
    for number in numbers:
        path, started, examples = out / f"s{seed:03d}-{number:04d}.pkl", time.time(), []
        while len(examples) < size:
            try:
                examples += maker.draw()
            except voices.SynthesisError as error:
                print("skipped:", error, flush=True)
        maker.r.shuffle(examples)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(pickle.dumps(examples, protocol=5))
        temporary.rename(path)
        frames = np.mean([e[0].shape[1] for e in examples])
        print(f"{path.name}: {len(examples)} examples, {frames:.0f} frames on average, {time.time() - started:.0f} s", flush=True)


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out", type=Path)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--first", type=int, default=0, help="number of the first shard")
    p.add_argument("--shards", type=int, default=80)
    p.add_argument("--size", type=int, default=500)
    p.add_argument("--human", type=Path)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    # another start draws other examples
    maker = Maker(a.seed + 1000 * a.first, a.out, a.human)
    write_shards(maker, a.out, a.seed, range(a.first, a.first + a.shards), a.size)


if __name__ == "__main__":
    main()
