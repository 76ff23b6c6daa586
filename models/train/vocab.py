"""Token ids of the English Whisper vocabulary, and its mel filter bank.

Both come from the assets of the `openai-whisper` Python package, so that the
exported file agrees byte for byte with what whisper.cpp expects. The package
is only looked up on disk and never imported: its code needs more than we do.
"""
import base64
import importlib.util
import re
from pathlib import Path

import numpy as np

# Ids that whisper.cpp has hard-wired for English-only models.
EOT, SOT, PREV, NOSP, NO_TIMESTAMPS, N_VOCAB = 50256, 50257, 50360, 50361, 50362, 51864

_WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+")


class Digits(str):
    """A written digit string that is tokenised digit by digit.

    One token per spoken digit gives the decoder a monotone task; the usual
    merges ("47", "29") would depend on where a string happens to be cut.
    """


def _assets():
    spec = importlib.util.find_spec("whisper")
    if spec is None:
        raise SystemExit("the openai-whisper package is missing: pip install --no-deps openai-whisper")
    return Path(spec.submodule_search_locations[0]) / "assets"


def _load_tokens():
    lines = (_assets() / "gpt2.tiktoken").read_bytes().splitlines()
    pairs = (line.split() for line in lines if line)
    by_rank = {int(rank): base64.b64decode(tok) for tok, rank in pairs}
    return [by_rank[i] for i in range(len(by_rank))] + [b"<|endoftext|>"]


TOKENS = _load_tokens()
MEL_FILTERS = np.load(_assets() / "mel_filters.npz")["mel_80"].astype(np.float32)
_RANK = {tok: i for i, tok in enumerate(TOKENS[:EOT])}


def _bpe(word):
    parts = [word[i:i + 1] for i in range(len(word))]
    while len(parts) > 1:
        ranks = [_RANK.get(a + b, 1 << 30) for a, b in zip(parts, parts[1:])]
        best = min(range(len(ranks)), key=ranks.__getitem__)
        if ranks[best] == 1 << 30:
            break
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return [_RANK[p] for p in parts]


def encode(text):
    """Token ids of a text."""
    return [tok for word in _WORD.findall(text) for tok in _bpe(word.encode())]


def encode_pieces(pieces):
    """Token ids of a list of written pieces; Whisper's text starts with a space."""
    ids, pending = [], " "
    for piece in pieces:
        if not isinstance(piece, Digits):
            pending += piece
            continue
        space = pending.endswith(" ")
        ids += encode(pending[:-1] if space else pending)
        pending = ""
        for i, digit in enumerate(piece):
            ids.append(_RANK[((" " if space and i == 0 else "") + digit).encode()])
    return ids + encode(pending)


def decode(ids):
    """Text of token ids; special tokens are left out."""
    return b"".join(TOKENS[i] for i in ids if i < EOT).decode("utf8", "replace")


BLANK = encode_pieces(["[BLANK_AUDIO]"])
INAUDIBLE = encode_pieces(["[INAUDIBLE]"])
