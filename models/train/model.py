"""Whisper's architecture with OpenAI's parameter names, over a compact output vocabulary.

Of the 51,864 tokens the desk uses a few hundred. All the others share one row
of the embedding during training; a constant on its logit makes that row count
for all of them, so the probabilities are those of the exported model.
"""
import math
import os
import random

import torch
from torch import nn
from torch.nn import functional as F

import ggml
import grammar
import phrases
import spelling
from beginnings import DOTS
from vocab import BLANK, EOT, INAUDIBLE, N_VOCAB, NO_TIMESTAMPS, NOSP, PREV, SOT, encode, encode_pieces, Digits

DIMS = dict(d=128, head=64, enc=6, dec=2, n_audio_ctx=512, n_text_ctx=128)


class LayerNorm(nn.LayerNorm):
    """In float32 under autocast, as ggml does it."""

    def forward(self, x):
        return F.layer_norm(x.float(), self.normalized_shape, self.weight, self.bias, self.eps).to(x.dtype)


class Gelu(torch.autograd.Function):
    """The tanh form of GELU, which is ggml's, as x * sigmoid(2u): twice as fast on a CPU in bfloat16."""

    A = 2 * math.sqrt(2 / math.pi)

    @staticmethod
    def forward(ctx, x):
        gate = (x * x).mul_(0.044715 * Gelu.A).add_(Gelu.A).mul_(x).sigmoid_()
        ctx.save_for_backward(x, gate)
        return x * gate

    @staticmethod
    def backward(ctx, grad):
        x, gate = ctx.saved_tensors
        slope = (x * x).mul_(3 * 0.044715 * Gelu.A).add_(Gelu.A).mul_(x)
        return grad * slope.mul_(1 - gate).add_(1).mul_(gate)


class FeedForward(nn.Sequential):
    """Numbered as in Whisper: 0 widens, 2 narrows."""

    def __init__(self, d):
        super().__init__(nn.Linear(d, 4 * d), nn.Identity(), nn.Linear(4 * d, d))

    def forward(self, x):
        return self[2](Gelu.apply(self[0](x)))


class Attention(nn.Module):
    """Multi-head attention; the key projection has no bias, as in Whisper."""

    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.watched = heads, None             # set `watched` to a list to be given the attention of head 0
        self.query, self.key = nn.Linear(d, d), nn.Linear(d, d, bias=False)
        self.value, self.out = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x, source=None, causal=False):
        source = x if source is None else source
        batch, length, d = x.shape

        def split(y):
            return y.view(batch, -1, self.heads, d // self.heads).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(source)), split(self.value(source))
        if causal:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:                                          # on a CPU in bfloat16 three times as fast as the fused kernel
            weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
            if self.watched is not None:
                self.watched.append(weights[:, 0])
            mixed = weights.to(v.dtype) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, length, d))


class Block(nn.Module):
    """An encoder block, or with `cross` a decoder block."""

    def __init__(self, d, heads, cross):
        super().__init__()
        self.attn, self.attn_ln = Attention(d, heads), LayerNorm(d)
        self.cross = cross
        if cross:
            self.cross_attn, self.cross_attn_ln = Attention(d, heads), LayerNorm(d)
        self.mlp = FeedForward(d)
        self.mlp_ln = LayerNorm(d)

    def forward(self, x, source=None):
        x = x + self.attn(self.attn_ln(x), causal=self.cross)
        if self.cross:
            x = x + self.cross_attn(self.cross_attn_ln(x), source)
        return x + self.mlp(self.mlp_ln(x))


def _sinusoids(length, d):
    scale = math.log(10000) / (d // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-scale * torch.arange(d // 2))[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


class Encoder(nn.Module):
    """Log-mel [B, 80, 2T] -> [B, T, d]; one position is 20 ms."""

    def __init__(self, dims):
        super().__init__()
        d = dims["d"]
        self.conv1 = nn.Conv1d(80, d, 3, padding=1)
        self.conv2 = nn.Conv1d(d, d, 3, stride=2, padding=1)
        self.register_buffer("positional_embedding", _sinusoids(dims["n_audio_ctx"], d))
        self.blocks = nn.ModuleList(Block(d, d // dims["head"], False) for _ in range(dims["enc"]))
        self.ln_post = LayerNorm(d)

    def forward(self, mel):
        x = Gelu.apply(self.conv1(mel))
        x = Gelu.apply(self.conv2(x)).transpose(1, 2)
        x = x + self.positional_embedding[:x.shape[1]].to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return self.ln_post(x)


class Decoder(nn.Module):
    """Tokens and the encoder's output -> logits over the compact vocabulary."""

    def __init__(self, dims, rows):
        super().__init__()
        d = dims["d"]
        self.token_embedding = nn.Embedding(rows, d)
        nn.init.normal_(self.token_embedding.weight, std=0.05)
        self.positional_embedding = nn.Parameter(torch.randn(dims["n_text_ctx"], d) * 0.02)
        self.blocks = nn.ModuleList(Block(d, d // dims["head"], True) for _ in range(dims["dec"]))
        self.ln = LayerNorm(d)

    def forward(self, tokens, source):
        x = self.token_embedding(tokens) + self.positional_embedding[:tokens.shape[1]]
        for block in self.blocks:
            x = block(x, source)
        return self.ln(x).float() @ self.token_embedding.weight.float().t()


class Whisper(nn.Module):
    """Row i of the output is token used[i]; the last row stands for every unused token."""

    def __init__(self, dims, used, phones):
        super().__init__()
        self.dims, self.used, self.phones = dims, list(used), list(phones)
        self.encoder = Encoder(dims)
        self.decoder = Decoder(dims, len(self.used) + 1)
        self.ctc = nn.Linear(dims["d"], len(self.phones) + 1)        # training only; the last class is the CTC blank
        bias = torch.zeros(len(self.used) + 1)
        bias[-1] = math.log(N_VOCAB - len(self.used))
        self.register_buffer("count_bias", bias)
        with torch.no_grad():                              # start with the unused tokens switched off:
            direction = F.normalize(torch.randn(dims["d"]), dim=0)     # otherwise the first steps explode
            self.decoder.ln.bias.copy_(4 * direction)
            self.decoder.token_embedding.weight[-1] = -5 * direction

    def logits(self, tokens, source):
        """Logits with the unused tokens counted."""
        return self.decoder(tokens, source) + self.count_bias


def used_tokens(texts=()):
    """Ids of all tokens that the grammar can produce, and those of people's transcripts."""
    r, used = random.Random(12345), {EOT, SOT, NO_TIMESTAMPS, PREV, NOSP, *BLANK, *INAUDIBLE}
    for _ in range(60000):
        used.update(encode_pieces(grammar.sample(r, 0).written))
    for text in [*phrases.NAMES, *phrases.SURNAMES, *spelling.NATO, *spelling.LETTERS]:
        used.update(encode(text) + encode(" " + text))
    used.update(token for text in texts for token in encode(" " + text))
    for n in range(101):
        used.update(encode(f" {n}"))
    used.update(encode_pieces([Digits("0123456789")]) + encode_pieces(["x", Digits("0123456789")]))
    used.update(tok for n in range(10) for tok in encode_pieces([Digits(str(n))]))
    used.update(DOTS)
    return sorted(used)


def save(model, path, **state):
    """Writes a checkpoint in one step."""
    temporary = f"{path}.tmp"
    torch.save({"dims": model.dims, "used": model.used, "phones": model.phones,
                "model": model.state_dict(), **state}, temporary)
    os.replace(temporary, path)


def load(path):
    """-> (model, checkpoint)"""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Whisper(state["dims"], state["used"], state["phones"])
    model.load_state_dict(state["model"])
    return model, state


def _take_rows(new, old, names, known):
    """Copies the rows of `old` for the names that it knows."""
    at = {name: i for i, name in enumerate(known)}
    for i, name in enumerate(names):
        if name in at:
            new[i] = old[at[name]]


def _earlier(path):
    """A checkpoint, or a model file (which has lost the training's phoneme layer)."""
    if str(path).endswith(".pt"):
        return load(path)[0]
    dims, used, tensors = ggml.read(path)
    model = Whisper(dims, used, [])
    model.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in tensors.items()}, strict=False)
    return model


def grow(path, dims, used, phones):
    """A model that begins with what an earlier one knows: more words, more encoder blocks.

    A new block starts as the identity (what it adds is zero), a new word with the embedding that all
    unused words share, so the first step is as good as the last one of the earlier model.
    """
    old = _earlier(path)
    new = Whisper(dims, used, phones)
    theirs, ours = old.state_dict(), new.state_dict()
    depth, step = old.dims["enc"], dims["enc"] / old.dims["enc"]
    place = {int(i * step): i for i in range(depth)}
    with torch.no_grad():
        for name, value in ours.items():
            if name.startswith("encoder.blocks."):
                block, rest = name.removeprefix("encoder.blocks.").split(".", 1)
                if int(block) in place:
                    value.copy_(theirs[f"encoder.blocks.{place[int(block)]}.{rest}"])
                elif rest.startswith(("attn.out.", "mlp.2.")):
                    value.zero_()
            elif name == "decoder.token_embedding.weight":
                value[:] = theirs[name][-1] + 0.02 * torch.randn_like(value)
                _take_rows(value, theirs[name], [*used, "rest"], [*old.used, "rest"])
            elif name.startswith("ctc."):
                _take_rows(value, theirs[name], [*phones, "blank"], [*old.phones, "blank"])
            elif name != "count_bias":
                value.copy_(theirs[name])
    new.load_state_dict(ours)
    return new
