"""Made-up files that are hostile or damaged, for every kind that import reads. Payloads only leave a marker.

MAKERS has a generator of (name, content) for each kind: add those of a new format as a row.
"""

from __future__ import annotations

import builtins
import importlib
import io
import marshal
import operator
import os
import pickle
import subprocess
import tempfile
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

MARKER = "marker-of-executed-code"
Files = Iterator[tuple[str, bytes]]


class Calls:
    """Pickles as a call of ``what`` with ``args``, and sets ``state`` afterwards."""

    def __init__(self, what: Any, *args: Any, state: Any = None) -> None:
        self.what, self.args, self.state = what, args, state

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.what, self.args) if self.state is None else (self.what, self.args, self.state)


PAYLOADS: dict[str, Calls] = {
    "system": Calls(os.system, f"touch {MARKER}"),
    "open": Calls(builtins.open, MARKER, "w"),
    "eval": Calls(builtins.eval, f"open('{MARKER}', 'w')"),
    "exec": Calls(builtins.exec, f"open('{MARKER}', 'w')"),
    "popen": Calls(subprocess.Popen, ["touch", MARKER]),
    "mkdir": Calls(os.mkdir, MARKER),
    "import": Calls(importlib.import_module, "antigravity"),
    "dunder import": Calls(builtins.__import__, "this"),
    "nested loads": Calls(pickle.loads, pickle.dumps(Calls(os.mkdir, MARKER))),
    "marshal": Calls(marshal.loads, marshal.dumps(compile("1", "x", "exec"))),
    "getattr": Calls(getattr, Calls(importlib.import_module, "os"), "getcwd"),
    "methodcaller": Calls(operator.methodcaller, "touch"),
    "torch.load": Calls(torch.load, MARKER),
    "numpy.load": Calls(np.load, MARKER, None, True),
    "state": Calls(types.SimpleNamespace, state={"__class__": "os.system", "__setstate__": MARKER}),
    "bytearray": Calls(bytearray, 1 << 44),
    "range": Calls(list, Calls(range, 1 << 44)),
}


def generator() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.ConvTranspose2d(8, 8, 4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 4, 2, 1),
        nn.Tanh(),
    )


def torch_bytes(content: Any, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def payloads() -> Files:
    """Calls of what does harm elsewhere, in every place of a file."""
    good = dict(generator().state_dict())
    for name, call in PAYLOADS.items():
        for protocol in (0, 2, 4):
            yield f"{name}, protocol {protocol}", pickle.dumps(call, protocol)
        yield f"{name} in a zip", torch_bytes({**good, "x": call})
        yield f"{name} in older torch", torch_bytes({**good, "x": call}, legacy=True)
        yield f"{name} as a weight", torch_bytes({**good, "0.weight": call})
        yield f"{name} as a module", pickle.dumps({"G_ema": call, "netG": [call, good]})
        inner = pickle.dumps({**good, "x": call})
        yield f"{name} behind _load_from_bytes", pickle.dumps(Calls(torch.storage._load_from_bytes, inner))
        older = torch_bytes(call, legacy=True)
        nested = Calls(torch.storage._load_from_bytes, older)
        tensor = Calls(torch._utils._rebuild_tensor_v2, nested, 0, (1,), (1,), False, OrderedDict())
        yield f"{name} as a storage", pickle.dumps({"0.weight": tensor})
        wrapped = Calls(torch._utils._rebuild_parameter, call, True, OrderedDict())
        yield f"{name} as a parameter", pickle.dumps({"0.weight": wrapped})


def code(*parts: bytes | str) -> bytes:
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)


P = b"\x80\x04"
SYSTEM = "cos\nsystem\n"
BIG = (1 << 60).to_bytes(8, "little")
OPCODES: dict[str, bytes] = {
    "nothing": b"\x80",
    "no end": P + b"}",
    "no start": b"\x80\x04.",
    "unknown opcode": P + b"\xff.",
    "protocol 255": b"\x80\xff}.",
    "a huge frame": P + b"\x95" + BIG + b"}.",
    "huge bytes": P + b"\x8e" + BIG + b"abc.",
    "huge text": P + b"\x8d" + BIG + b"abc.",
    "a huge bytearray": b"\x80\x05\x96" + BIG + b"abc.",
    "huge 32-bit bytes": P + b"B\xff\xff\xff\x7fabc.",
    "a negative length": P + b"T\xff\xff\xff\xffabc.",
    "a huge number": P + b"\x8b\xff\xff\xff\x7f1.",
    "a negative number's length": P + b"\x8b\xff\xff\xff\xff1.",
    "many digits": b"L" + b"9" * 500_000 + b"L\n.",
    "a far memo": P + b"}r\xff\xff\xff\xff.",
    "a memo that is not there": P + b"h\x07.",
    "a memo of text": P + b"}p-1\n.",
    "a list in itself": P + b"]\x94h\x00a.",
    "a table in itself": P + b"}\x94\x8c\x01ah\x00s.",
    "a stand-in in itself": P + code(SYSTEM, b")R\x94h\x00b."),
    "deep lists": P + b"]" * 300_000 + b"a" * 299_999 + b".",
    "deep tuples": P + b")" + b"\x85" * 300_000 + b".",
    "a deep key": P + b"})" + b"\x85" * 300_000 + b"Ns.",
    "a deep set": P + b"\x8f(" + b")" + b"\x85" * 300_000 + b"\x90.",
    "laughs": P + b"]\x94" + b"".join(b"(" + (b"h" + bytes([i])) * 2 + b"t\x94" for i in range(99)) + b".",
    "doubling": P + b"]" + b"2" * 5_000_000 + b".",
    "many marks": P + b"(" * 500_000 + b".",
    "a mark too few": P + b"]Ne.",
    "pop": P + b"00000.",
    "an odd table": P + b"}(Nu.",
    "appending to a number": P + b"K\x01(Ne.",
    "items of a number": P + b"K\x01(NNu.",
    "building a number": P + b"K\x01}b.",
    "extensions": P + b"\x82\x01.",
    "buffers": b"\x80\x05\x97.",
    "a persistent name": b"Pabc\n.",
    "a persistent table": P + b"}Q.",
    "INST": code("(S'touch ", MARKER, "'\nios\nsystem\n."),
    "OBJ": code("(", SYSTEM, "S'touch ", MARKER, "'\no."),
    "NEWOBJ": P + code(SYSTEM, "S'touch ", MARKER, "'\n\x85\x81."),
    "NEWOBJ_EX": P + code(SYSTEM, "S'touch ", MARKER, "'\n\x85}") + b"\x92.",
    "STACK_GLOBAL": P + code(b"\x8c\x02os\x8c\x06system\x93", "S'touch ", MARKER, "'\n\x85R."),
    "names of numbers": P + b"K\x01K\x02\x93.",
    "a dotted name": P + b"\x8c\x08builtins\x8c\x10__import__.x.y.z\x93.",
    "a call without arguments": P + code(SYSTEM, "NR."),
    "a call of a number": P + b"K\x01)R.",
    "a call of a call": P + code(SYSTEM, b")R)R)R."),
    "a key that cannot be one": P + b"}]Ns.",
    "a text that is none": P + b"X\x01\x00\x00\x00\xff.",
    "an escape": b"S'\\x4'\n.",
    "NaN keys": P + b"}(" + b"G\x7f\xf8\x00\x00\x00\x00\x00\x00N" * 1000 + b"u.",
    "torch.Size of text": P + code("ctorch\nSize\n", b"\x8c\x01a\x85R."),
    "pairs of one": P + code("ccollections\nOrderedDict\n", b"]]a\x85R."),
    "a tensor of nothing": P + code("ctorch._utils\n_rebuild_tensor_v2\n", b")R."),
    "a parameter of nothing": P + code("ctorch._utils\n_rebuild_parameter\n", b")R."),
    "a type of nothing": P + code("ctorch._tensor\n_rebuild_from_type_v2\n", b"NNNN(tR."),
    "an array of nothing": P + code("cnumpy.core.multiarray\n_reconstruct\n", b")R."),
    "an array of nothing, built": P + code("cnumpy.core.multiarray\n_reconstruct\n", b")R}b."),
    "a number of nothing": P + code("cnumpy.core.multiarray\nscalar\n", b")R."),
}  # fmt: skip


def opcodes() -> Files:
    yield from OPCODES.items()
    stream = torch_bytes(generator().state_dict(), legacy=True)
    for name, content in OPCODES.items():
        if len(content) > 100_000:
            continue
        yield f"{name}, after torch's number", stream[: stream.index(b".") + 1] + content


def arrays() -> Files:
    """NumPy arrays that are not what they declare."""
    good = pickle.dumps({"0.weight": np.arange(60, dtype=np.float32).reshape(3, 20)}, 2)
    yield "a larger array", good.replace(b"K\x03K\x14", b"K\xffK\xff")
    yield "an array of objects", pickle.dumps({"0.weight": np.array([{}, Calls(os.mkdir, MARKER)], object)})
    yield "an array of records", pickle.dumps({"0.weight": np.zeros(3, [("a", "f4"), ("b", "i8")])})
    yield "an array of texts", pickle.dumps({"0.weight": np.array(["a", "b"])})
    yield "an array of dates", pickle.dumps({"0.weight": np.zeros(3, "M8[s]")})


def tensor_pickle(
    offset: Any, shape: Any, strides: Any, count: int = 100, kind: str = "FloatStorage"
) -> bytes:
    """A pickle of a state dict whose weight declares this."""
    reference = ("storage", Calls(getattr, torch, kind), "0", "cpu", count)

    class Writer(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", getattr(torch, kind), "0", "cpu", count) if value is reference else None

    buffer = io.BytesIO()
    tensor = Calls(torch._utils._rebuild_tensor_v2, reference, offset, shape, strides, False, OrderedDict())
    Writer(buffer, 2).dump({"0.weight": tensor})
    return buffer.getvalue()


def archive(members: dict[str, bytes], compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


H = 1 << 61
TENSORS: dict[str, tuple[Any, ...]] = {
    "larger": (0, (11, 10), (10, 1)), "negative size": (0, (-1, 10), (10, 1)),
    "negative step": (0, (2, 2), (-1, 1)),
    "far": (99, (2,), (1,)), "negative place": (-1, (2,), (1,)), "huge": (0, (H, H), (0, 0)),
    "huge, empty": (0, (H, 0, H), (1, 1, 1)), "repeated": (0, (1 << 40,), (0,)), "steps": (0, (2, 2), (H, H)),
    "floats": (0, (2.0, 3.0), (3, 1)), "texts": (0, ("a",), ("b",)), "switches": (0, (True, True), (1, 1)),
    "nothing": (0, None, None), "axes": (0, (1,) * 1000, (1,) * 1000), "other axes": (0, (2, 2), (1,)),
    "a place of text": ("0", (2,), (1,)), "a huge storage": (0, (2,), (1,), 1 << 62),
    "more than there is": (0, (2,), (1,), 101), "negative storage": (0, (2,), (1,), -4),
    "complex": (0, (2,), (1,), 10, "ComplexFloatStorage"), "quantised": (0, (2,), (1,), 10, "QInt8Storage"),
}  # fmt: skip


def tensors() -> Files:
    for name, declared in TENSORS.items():
        content = tensor_pickle(*declared)
        yield f"{name} tensor", archive({"a/data.pkl": content, "a/data/0": b"\0" * 400, "a/version": b"3"})
    good = tensor_pickle(0, (10, 10), (10, 1))
    shared = {str(i): torch.zeros(1) for i in range(3)}
    large = torch.zeros(100_000)
    views = torch_bytes({f"{i}.weight": large.view(1, -1) for i in range(3000)})
    yield "thousands of views", views
    yield "no storage", archive({"a/data.pkl": good})
    yield "a short storage", archive({"a/data.pkl": good, "a/data/0": b"\0" * 399})
    yield "older, cut", torch_bytes(shared, legacy=True)[:-3]
    stream = torch_bytes({"0.weight": torch.zeros(10, 10)}, legacy=True)
    count = (100).to_bytes(8, "little")
    yield "older, another count", stream.replace(count, (1 << 50).to_bytes(8, "little"))
    yield "older, big-endian", stream.replace(b"little_endian\x88", b"little_endian\x89")


def zips() -> Files:
    good = tensor_pickle(0, (10, 10), (10, 1))
    whole = {"a/data.pkl": good, "a/data/0": b"\0" * 400}
    yield "names that climb", archive({**whole, "../../x": b"x", "/etc/x": b"x", "C:\\x": b"x"})
    yield "two pickles", archive({**whole, "b/data.pkl": good})
    yield "a program", archive({**whole, "a/constants.pkl": b"x", "a/code/x.py": b"raise SystemExit"})
    yield "compressed", archive(whole, compressed=True)
    bomb = tensor_pickle(0, (1,), (1,), 1 << 22)
    yield "a bomb", archive({"a/data.pkl": bomb, "a/data/0": b"\0" * (1 << 24)}, compressed=True)
    yield "a bomb of a pickle", archive({"a/data.pkl": b"]" * (1 << 24)}, compressed=True)
    yield "an odd byte order", archive({**whole, "a/byteorder": b"x" * 16})
    yield "a long byte order", archive({**whole, "a/byteorder": b"x" * 17})
    yield "many members", archive({**whole, **{f"a/{i}": b"" for i in range(3000)}})
    made = bytearray(archive(whole))
    directory = made.index(b"PK\x01\x02")
    for name, place, value in (
        ("encrypted", 8, b"\x01\0"), ("another method", 10, b"\x63\0"), ("larger, stored", 24, b"\xff" * 4),
        ("larger, packed", 20, b"\xff" * 4), ("beyond its end", 42, b"\xff\xff\xff\x7f"),
        ("over another member", 42, b"\1\0\0\0"), ("a long name", 28, b"\xff\xff"),
        ("another sum", 16, b"abcd"),
    ):  # fmt: skip
        changed = bytearray(made)
        changed[directory + place : directory + place + len(value)] = value
        yield f"a member that is {name}", bytes(changed)
    yield "a Keras file", archive({"config.json": b"{}", "model.weights.h5": b"x"})
    yield "an empty archive", archive({})


def safetensors() -> Files:
    def header(text: str, body: bytes = b"") -> bytes:
        return len(text.encode()).to_bytes(8, "little") + text.encode() + body

    yield "a long header", (1 << 62).to_bytes(8, "little") + b"{}"
    for name, text in {
        "no JSON": "{a", "a list": "[]", "deep": '{"a":' * 5000, "a huge shape": '{"0.weight":{"dtype":"F32",'
        '"shape":[1099511627776,1099511627776],"data_offsets":[0,4]}}',
        "overlaps": '{"0.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        '"1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        "behind": '{"0.weight":{"dtype":"F32","shape":[1],"data_offsets":[400,404]}}',
        "a type": '{"0.weight":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}',
        "metadata": '{"__metadata__":{"facegan":"[[[["}}',
    }.items():  # fmt: skip
        yield f"safetensors, {name}", header(text, b"\0" * 4)


def chains() -> Files:
    """Weights that would be networks of absurd sizes."""
    up = {f"{i}.weight": torch.zeros(1, 1, 4, 4) for i in range(1, 40)}
    yield "a picture without end", torch_bytes({"0.weight": torch.zeros(8, 1, 4, 4), **up})
    few = dict(list(up.items())[:9])
    yield "a large picture", torch_bytes({"0.weight": torch.zeros(8, 1, 4, 4), **few})
    yield "many layers", torch_bytes({f"{i}.weight": torch.zeros(8, 8) for i in range(6000)})
    yield "no channels", torch_bytes({"0.weight": torch.zeros(0, 4, 4, 4)})
    yield "no kernel", torch_bytes({"0.weight": torch.zeros(4, 4, 0, 0)})
    yield "no features", torch_bytes({"0.weight": torch.zeros(0, 0)})
    yield "infinite", torch_bytes({"0.weight": torch.full((12, 8), torch.inf)})
    yield "whole numbers", torch_bytes({"0.weight": torch.ones(12, 8, dtype=torch.int64)})
    yield "long names", torch_bytes({"x" * 100_000: torch.zeros(3, 8)})
    yield "names of dots", torch_bytes({"." * 1000: torch.zeros(3, 8), "": torch.zeros(2, 2)})
    yield "a spectral norm", torch_bytes({"0.weight_orig": torch.zeros(4, 4), "0.weight_u": torch.zeros(3),
                                          "0.weight_v": torch.zeros(9)})  # fmt: skip


def authors() -> Files:
    """Other authors' files: good, damaged, and with settings that declare other sizes."""
    import biggan_files
    import test_authors as theirs

    writers = {
        "stylegan2": theirs.write_stylegan2, "stylegan3": theirs.write_stylegan3, "r3gan": theirs.write_r3gan,
        "rosinality": theirs.write_rosinality, "stylegan2-pytorch": theirs.write_stylegan2_pytorch,
        "lightweight-gan": theirs.write_lightweight_gan,
        "biggan": biggan_files.write_brock, "biggan-deep": biggan_files.write_ported,
    }  # fmt: skip
    for name, write in writers.items():
        with tempfile.TemporaryDirectory() as place:
            write(Path(place) / "file")
            content = (Path(place) / "file").read_bytes()
        yield f"good {name}", content
        rng = np.random.default_rng(len(name))
        for i in range(4):
            yield f"{name}, cut {i}", content[: len(content) * i // 4]
        for i in range(10):
            yield f"{name}, flipped {i}", flipped(content, rng, len(content) if i % 2 else 4000)
        # Small whole numbers in pickles: sizes, channels, strides.
        numbers = [i for i in range(len(content) - 1) if content[i] == ord("K") and content[i + 1] < 128]
        for i in range(24):
            place_ = numbers[rng.integers(0, len(numbers))]
            other = (b"K\0", b"K\x01", b"J\xff\xff\xff\x7f", b"J\xff\xff\xff\xff", b"M\0\x20")[i % 5]
            yield f"{name}, another number {i}", content[:place_] + other + content[place_ + 2 :]


def flipped(content: bytes, rng: np.random.Generator, within: int) -> bytes:
    """The content with some bits flipped, before the byte ``within``."""
    raw = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(0, min(len(raw), within), rng.integers(1, 8))
    raw[places] ^= 1 << rng.integers(0, 8, len(places)).astype(np.uint8)
    return raw.tobytes()


def damaged() -> Files:
    """Good files, cut short and with bits flipped at places fixed by their number."""
    net, state = generator(), generator().state_dict()
    whole = {
        "zip": torch_bytes({"netG": state}), "older": torch_bytes({"netG": state}, legacy=True),
        "pickle": pickle.dumps({"G_ema": net}), "module": torch_bytes(net),
        "safetensors": save(dict(state)),
    }  # fmt: skip
    for kind, content in whole.items():
        yield f"good {kind}", content
        rng = np.random.default_rng(len(kind))
        for i in range(12):
            yield f"{kind}, cut {i}", content[: len(content) * i // 12]
        for i in range(28):
            yield f"{kind}, flipped {i}", flipped(content, rng, len(content) if i % 2 else 400)
        yield f"{kind}, doubled", content * 2
        yield f"{kind}, shifted", b"\0" + content


def others() -> Files:
    yield "empty", b""
    yield "text", b"hello\n"
    yield "page", b"<!doctype html><title>Sign in</title>"
    yield "pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    yield "zeros", bytes(100_000)
    yield "noise", np.random.default_rng(0).bytes(100_000)
    yield "HDF5", b"\x89HDF\r\n\x1a\n" + bytes(1000)
    yield "tar", bytes(257) + b"ustar" + bytes(1000)


MAKERS: dict[str, Callable[[], Files]] = {
    "payloads": payloads, "opcodes": opcodes, "arrays": arrays, "tensors": tensors, "zips": zips,
    "authors": authors, "safetensors": safetensors, "chains": chains, "damaged": damaged, "others": others,
}  # fmt: skip
