"""Writes whisper.cpp's ggml format, and quantises such files: python ggml.py FROM.bin TO.bin q8_0|q5_0

The layout is that of whisper.cpp's convert-pt-to-ggml.py: hyper-parameters, mel
filters, vocabulary, then the tensors by name with their dimensions reversed.
"""
import struct
import sys
from pathlib import Path

import numpy as np

from vocab import MEL_FILTERS, N_VOCAB, TOKENS

MAGIC = 0x67676D6C
F32, F16, Q5_0, Q8_0 = 0, 1, 6, 8
FILE_TYPE = {Q5_0: 2008, Q8_0: 2007}       # ggml's file types, with quantisation version 2
BLOCK = 32
_KEPT_F32 = ("encoder.conv1.bias", "encoder.conv2.bias", "encoder.positional_embedding", "decoder.positional_embedding")


def _header(dims, file_type):
    heads = dims["d"] // dims["head"]
    return struct.pack("12i", MAGIC, N_VOCAB, dims["n_audio_ctx"], dims["d"], heads, dims["enc"], dims["n_text_ctx"],
                       dims["d"], heads, dims["dec"], 80, file_type)


def _vocabulary():
    out = [struct.pack("2i", *MEL_FILTERS.shape), MEL_FILTERS.tobytes(), struct.pack("i", len(TOKENS))]
    for token in TOKENS:
        out += [struct.pack("i", len(token)), token]
    return b"".join(out)


def _tensor(name, shape, kind, data):
    encoded = name.encode()
    return (struct.pack("3i", len(shape), len(encoded), kind) + struct.pack(f"{len(shape)}i", *shape) + encoded + data)


def _full_embedding(rows, used):
    """The compact embedding spread over the whole vocabulary."""
    full = np.repeat(rows[-1:], N_VOCAB, axis=0)
    full[np.array(used)] = rows[:-1]
    return full


def export(model, path):
    """Writes the model as f16."""
    out = [_header(model.dims, F16), _vocabulary()]
    for name, value in model.state_dict().items():
        if name.startswith("ctc.") or name == "count_bias":
            continue
        a = value.detach().float().numpy()
        if name == "decoder.token_embedding.weight":
            a = _full_embedding(a, model.used)
        if name in _KEPT_F32[:2]:
            a = a.reshape(-1, 1)
        kind = F16 if a.ndim >= 2 and name not in _KEPT_F32 else F32
        data = np.ascontiguousarray(a.astype(np.float16 if kind == F16 else np.float32)).tobytes()
        out.append(_tensor(name, a.shape[::-1], kind, data))
    Path(path).write_bytes(b"".join(out))


def quantise_q8_0(a):
    """Blocks of 32: an f16 scale and 32 int8."""
    x = a.reshape(-1, BLOCK).astype(np.float32)
    scale = np.abs(x).max(1) / 127
    inverse = np.where(scale > 0, 1 / np.maximum(scale, 1e-30), 0)
    block = np.empty(len(x), dtype=[("d", "<f2"), ("q", "i1", BLOCK)])
    block["d"], block["q"] = scale, np.round(x * inverse[:, None])
    return block.tobytes()


def quantise_q5_0(a):
    """Blocks of 32: an f16 scale, 32 high bits, 32 low nibbles (first half low, second half high)."""
    x = a.reshape(-1, BLOCK).astype(np.float32)
    extreme = np.take_along_axis(x, np.abs(x).argmax(1)[:, None], 1)[:, 0]
    scale = extreme / -16
    inverse = np.where(scale != 0, 1 / np.where(scale == 0, 1, scale), 0)
    q = np.clip(np.floor(x * inverse[:, None] + 16.5), 0, 31).astype(np.uint8)
    block = np.empty(len(x), dtype=[("d", "<f2"), ("h", "<u4"), ("q", "u1", BLOCK // 2)])
    block["d"] = scale
    block["h"] = ((q >> 4).astype(np.uint32) << np.arange(BLOCK, dtype=np.uint32)).sum(1, dtype=np.uint32)
    block["q"] = (q[:, :16] & 15) | ((q[:, 16:] & 15) << 4)
    return block.tobytes()


_QUANTISERS = {"q8_0": (Q8_0, quantise_q8_0), "q5_0": (Q5_0, quantise_q5_0)}
_SIZES = {F32: lambda n: 4 * n, F16: lambda n: 2 * n, Q5_0: lambda n: n // BLOCK * 22, Q8_0: lambda n: n // BLOCK * 34}


def read_tensors(data, start):
    """Yields (name, shape, kind, bytes) from `start` to the end of a model file."""
    while start < len(data):
        ndim, length, kind = struct.unpack_from("3i", data, start)
        shape = struct.unpack_from(f"{ndim}i", data, start + 12)
        start += 12 + 4 * ndim
        name = data[start:start + length].decode()
        start += length
        size = _SIZES[kind](int(np.prod(shape)))
        yield name, shape, kind, data[start:start + size]
        start += size


def _numbers(kind, raw):
    if kind in (F32, F16):
        return np.frombuffer(raw, np.float32 if kind == F32 else np.float16).astype(np.float32)
    if kind != Q8_0:
        raise SystemExit("only f16, f32 and q8_0 files can be read back")
    blocks = np.frombuffer(raw, dtype=[("d", "<f2"), ("q", "i1", BLOCK)])
    return (blocks["d"].astype(np.float32)[:, None] * blocks["q"]).ravel()


def read(path):
    """A model file again: -> (dims, used tokens, tensors by name, with the compact embedding)."""
    data = Path(path).read_bytes()
    _, _, n_audio_ctx, d, heads, enc, n_text_ctx, _, _, dec = struct.unpack_from("10i", data, 0)
    dims = dict(d=d, head=d // heads, enc=enc, dec=dec, n_audio_ctx=n_audio_ctx, n_text_ctx=n_text_ctx)
    tensors = {}
    for name, shape, kind, raw in read_tensors(data, 48 + len(_vocabulary())):
        a = _numbers(kind, raw).reshape(shape[::-1])
        tensors[name] = a.ravel() if name in _KEPT_F32[:2] else a
    full = tensors["decoder.token_embedding.weight"]
    rest = full[N_VOCAB - 1]                       # the last token is none that a text can have
    used = np.flatnonzero((full != rest).any(1))
    tensors["decoder.token_embedding.weight"] = np.concatenate([full[used], rest[None]])
    return dims, used.tolist(), tensors


def quantise(source, target, how):
    """Quantises the matrices of an f16 file, the same ones as whisper.cpp's own tool."""
    data = Path(source).read_bytes()
    kind, pack = _QUANTISERS[how]
    start = 48 + len(_vocabulary())
    out = [data[:44], struct.pack("i", FILE_TYPE[kind]), data[48:start]]
    for name, shape, old, raw in read_tensors(data, start):
        if old == F16 and len(shape) == 2 and shape[0] % BLOCK == 0:
            out.append(_tensor(name, shape, kind, pack(np.frombuffer(raw, np.float16))))
        else:
            out.append(_tensor(name, shape, old, raw))
    Path(target).write_bytes(b"".join(out))


if __name__ == "__main__":
    quantise(*sys.argv[1:4])
