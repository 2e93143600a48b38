"""Programs that draw with an exported file and need no facegan: what ``facegan export --example`` writes."""

from __future__ import annotations

import math
from pathlib import Path

from facegan.generator import Generator

_MARK = "written by 'facegan export --example'."

_HEAD = '''"""Draw pictures of seeds with {file}, {mark}

    python {program} 0 1 2

needs {needs} alone. It writes seed0000.png and so on, the pictures of 'facegan generate'."""

{maths}import struct
import sys
import zlib
from pathlib import Path

'''

_TORCH = '''import torch

program = torch.export.load(Path(__file__).with_name({file!r})).module()


def draw(seed):
    """uint8 H,W,C of a seed."""
    z = torch.randn({dim}, generator=torch.Generator().manual_seed(seed))[None]
    z = {prior}
    x = program(z{labels})[0]
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0)
'''

_ONNX = """import numpy as np
import onnxruntime

file = Path(__file__).with_name({file!r})
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

"""

_KERAS = """import keras
import numpy as np

model = keras.models.load_model(Path(__file__).with_name({file!r}), compile=False)

"""

_RANDN = '''
def randn(seed, count):
    """What torch.randn(count) draws with torch.Generator().manual_seed(seed), on a CPU."""
    stream = np.random.RandomState(seed % 2**32)  # the same Mersenne Twister
{draws}


'''

_DRAW_ONNX = '''def draw(seed):
    """uint8 H,W,C of a seed."""
    z = randn(seed, {dim})[None]
    z = {prior}
    x = session.run(None, {{"z": z.astype(np.float32){labels}}})[0][0]
    return ((x + 1) * 127.5).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
'''

_DRAW_KERAS = '''def draw(seed):
    """uint8 H,W,C of a seed."""
    z = randn(seed, {dim})[None]
    z = {prior}
    x = model.predict(z.astype(np.float32), verbose=0)[0]
    return ((x + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
'''

_LONG = """    rest = count % 16  # of such a count, the last 16 numbers are drawn once more
    u = (np.frombuffer(stream.bytes(4 * (count + 16 * (rest > 0))), "<u4") & 0xFFFFFF) / np.float32(2**24)
    rows = np.concatenate([u[: count - rest], u[count:]]).reshape(-1, 16)
    radius, angle = np.sqrt(-2 * np.log(1 - rows[:, :8])), 2 * np.pi * rows[:, 8:]
    n = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
    return np.concatenate([n[: count - 16], n[-16:]]) if rest else n"""

_SHORT = """    raw = np.frombuffer(stream.bytes(8 * (count + count % 2)), "<u4").astype(np.uint64)
    u = ((raw[::2] << np.uint64(32) | raw[1::2]) % 2**53) / 2**53
    radius, angle = np.sqrt(-2 * np.log1p(-u[1::2])), 2 * np.pi * u[::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]"""

_TAIL = '''

def png(pixels):
    """The bytes of a PNG."""
    h, w, c = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">2I5B", w, h, 8, 2 if c == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\\0" + bytes(row.ravel().tolist()) for row in pixels)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunks


for seed in map(int, sys.argv[1:] or ["0"]):
    with open(f"seed{seed:04d}.png", "wb") as picture:
        picture.write(png(draw(seed)))
'''


_PROGRAMS = {
    ".onnx": ("numpy and onnxruntime", _ONNX + _RANDN + _DRAW_ONNX),
    ".keras": ("Keras 3 and numpy", _KERAS + _RANDN + _DRAW_KERAS),
    ".pt2": ("torch", _TORCH),
}
"""Ending -> what the program needs, and its body. All but the last draw random numbers by NumPy."""


def example_source(model: Generator, file: str) -> str:
    """Return the program that draws seeds with an exported ``file`` beside it."""
    needs, body = _PROGRAMS[Path(file).suffix.lower()]
    in_numpy = body is not _TORCH
    latent, labels = model.latent, ""
    if model.label_row is not None:
        row = model.label_row.tolist()
        labels = f', "labels": np.array([{row}], np.float32)' if in_numpy else f", torch.tensor([{row}])"
    if latent.kind == "sphere":
        norm = "np.linalg.norm(z)" if in_numpy else "z.norm()"
        prior = f"z * {math.sqrt(latent.dim)!r} / {norm}"
    elif latent.kind == "uniform":
        erf = "np.vectorize(math.erf)" if in_numpy else "torch.erf"
        prior = f"{erf}(z / 2**0.5) * {latent.std * math.sqrt(3)!r} + {latent.mean!r}"
    elif latent.kind == "truncated":  # the number within 2 standard deviations that has the same rank
        within, scale = math.erf(math.sqrt(2)), latent.std * math.sqrt(2)
        if in_numpy:
            inverse = "statistics.NormalDist().inv_cdf"
            rank = f"(1 + math.erf(n / 2**0.5) * {within!r}) / 2"
            shaped = f"np.vectorize(lambda n: {inverse}({rank}))(z)"
            prior = f"{shaped} * {latent.std!r} + {latent.mean!r}"
        else:
            ranked = f"torch.erfinv(torch.erf(z.double() / 2**0.5) * {within!r})"
            prior = f"({ranked} * {scale!r} + {latent.mean!r}).float()"
    else:
        prior = f"z * {latent.std!r} + {latent.mean!r}"
    values = {"file": file, "dim": latent.dim, "prior": prior, "labels": labels}
    # PyTorch draws long vectors in rows of 16, and short ones number by number in double precision.
    draws = _SHORT if latent.dim < 16 else _LONG
    head = _HEAD.format(
        file=file,
        mark=_MARK,
        program=Path(file).with_suffix(".py"),
        needs=needs,
        maths="import math\n" * ("math." in prior) + "import statistics\n" * ("statistics." in prior),
    )
    return head + body.format(draws=draws, **values) + _TAIL


def is_example(path: Path) -> bool:
    """Whether a program is one of these, which may be replaced."""
    return _MARK in path.read_bytes()[:2000].decode(errors="replace")
