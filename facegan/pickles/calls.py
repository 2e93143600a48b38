"""What is known to pickles: constructors that make nothing but plain data."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facegan.errors import ModelError
from facegan.pickles.objects import (
    ITEM_BYTES,
    Name,
    NumpyType,
    Storage,
    StoredTensor,
    Stub,
    UnfinishedArray,
)

MAX_OPCODES = 4_000_000
MAX_NESTED = 3  # pickles within pickles
MAX_DIMENSIONS = 16
TENSOR_SHARE = 8  # tensors may hold so many times the bytes of the file, since several may share a storage

_NUMPY_TYPES = {
    "f4": "float32",
    "f8": "float64",
    "f2": "float16",
    "i8": "int64",
    "i4": "int32",
    "i2": "int16",
    "i1": "int8",
    "u1": "uint8",
    "b1": "bool",
    "?": "bool",
}


@dataclass
class Budget:
    """What one file may cost, over all pickles within it."""

    tensor_bytes: int
    opcodes: int = MAX_OPCODES
    nested: int = MAX_NESTED

    def take(self, count: int) -> None:
        self.tensor_bytes -= count
        if self.tensor_bytes < 0:
            raise ModelError("its tensors declare many times the bytes that are in the file")


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise ModelError("a shape or a size is no whole number")
    return value


def _wholes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or len(values) > MAX_DIMENSIONS:
        raise ModelError("a shape is no short list of whole numbers")
    return tuple(_whole(value) for value in values)


def stored_tensor(
    storage: Any, offset: Any, shape: Any, *, strides: Any, budget: Budget, dtype: str = ""
) -> StoredTensor:
    """Return a tensor that lies within its storage; ModelError for one that does not."""
    if not isinstance(storage, Storage):
        raise ModelError("a tensor without a storage")
    if dtype and dtype != storage.dtype:  # of an untyped storage
        if dtype not in ITEM_BYTES:
            raise ModelError(f"a tensor of the type {dtype[:40]}, which cannot be read")
        count = storage.bytes // ITEM_BYTES[dtype]
        storage = Storage(dtype, count, storage.read, storage.big_endian)
    begin, sizes, steps = _whole(offset), _wholes(shape), _wholes(strides)
    if len(sizes) != len(steps):
        raise ModelError("a tensor whose shape and strides differ in length")
    count = math.prod(sizes)
    if count:
        last = begin + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
        if last >= storage.count or count > storage.count:
            raise ModelError(f"a tensor of shape {','.join(map(str, sizes))} is larger than its storage")
    budget.take(count * ITEM_BYTES[storage.dtype])
    return StoredTensor(storage, begin, sizes, steps)


@dataclass
class Context:
    """What constructors may use: the file's budget, and a reader of pickles within pickles."""

    budget: Budget
    nested: Callable[[bytes, Budget], Any] | None = None

    def spend(self, count: int) -> None:
        self.budget.opcodes -= count
        if self.budget.opcodes < 0:
            raise ModelError(f"a pickle of more than {MAX_OPCODES:,} steps")

    def key(self, value: Any) -> Any:
        """Return a key of a table or set: what can be hashed without following it."""
        simple = (str, int, float, bytes, bool, type(None), Name, Stub, StoredTensor)
        if isinstance(value, simple) or (
            isinstance(value, tuple) and len(value) <= 64 and all(isinstance(part, simple) for part in value)
        ):
            return value
        raise ModelError(f"a table with a key of the type {type(value).__name__}")

    def read_nested(self, content: bytes) -> Any:
        if self.nested is None:
            raise ModelError("a pickle within a pickle")
        return self.nested(content, self.budget)

    def array(self, content: Any, kind: Any, shape: Any, *, fortran: bool) -> StoredTensor:
        """Return a NumPy array of plain numbers; ModelError for one of objects, or of another length."""
        if isinstance(content, str):  # written by Python 2
            content = content.encode("latin1")
        if not isinstance(kind, NumpyType) or not isinstance(content, (bytes, bytearray)):
            raise ModelError("an array that is not of plain numbers")
        sizes = _wholes(shape)
        count = math.prod(sizes)
        if count * ITEM_BYTES[kind.dtype] != len(content):
            raise ModelError(f"an array of shape {','.join(map(str, sizes))} has {len(content):,} bytes")
        strides, step = [0] * len(sizes), 1
        for axis in range(len(sizes)) if fortran else reversed(range(len(sizes))):
            strides[axis], step = step, step * max(sizes[axis], 1)
        whole = bytes(content)
        storage = Storage(kind.dtype, count, lambda: whole, kind.big_endian)
        return stored_tensor(storage, 0, sizes, strides=strides, budget=self.budget)


Call = Callable[[Context, tuple[Any, ...]], Any]


def _pairs(context: Context, args: tuple[Any, ...]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    if args and isinstance(args[0], dict):
        return dict(args[0])
    for pair in args[0] if args and isinstance(args[0], (list, tuple)) else ():
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ModelError("a table with an entry that is no pair")
        found[context.key(pair[0])] = pair[1]
    return found


def _listed(context: Context, args: tuple[Any, ...]) -> list[Any]:
    context.spend(len(args[0]) if args and isinstance(args[0], (list, tuple)) else 0)
    return list(args[0]) if args and isinstance(args[0], (list, tuple)) else []


def _encoded(context: Context, args: tuple[Any, ...]) -> Any:
    """``_codecs.encode(text, "latin1")``: how Python 3 writes bytes for old protocols."""
    if len(args) == 2 and isinstance(args[0], str) and args[1] in ("latin1", "latin-1"):
        context.spend(len(args[0]) // 64)
        return args[0].encode("latin1")
    return Stub(Name("_codecs", "encode"), args)


def _tensor(context: Context, args: tuple[Any, ...]) -> StoredTensor:
    storage, offset, shape, strides = args[:4]
    dtype = args[6] if len(args) > 6 and isinstance(args[6], Name) else None  # _rebuild_tensor_v3
    return stored_tensor(
        storage, offset, shape, strides=strides, budget=context.budget, dtype=dtype.name if dtype else ""
    )


def _nested(context: Context, args: tuple[Any, ...]) -> Any:
    """``torch.storage._load_from_bytes``: torch's format within the pickle, read by ourselves."""
    if len(args) != 1 or not isinstance(args[0], (bytes, bytearray)):
        raise ModelError("a storage that is not made of bytes")
    if context.budget.nested < 1:
        raise ModelError("pickles within pickles, more than PyTorch writes")
    context.budget.nested -= 1
    try:
        return context.read_nested(bytes(args[0]))
    finally:
        context.budget.nested += 1


def _numpy_type(context: Context, args: tuple[Any, ...]) -> Any:
    code = args[0] if args and isinstance(args[0], str) else ""
    dtype = _NUMPY_TYPES.get(code.lstrip("<>=|"))
    return NumpyType(dtype, code.startswith(">")) if dtype else Stub(Name("numpy", "dtype"), args)


def _frombuffer(context: Context, args: tuple[Any, ...]) -> StoredTensor:
    """``numpy._core.numeric._frombuffer(buffer, dtype, shape, order)``."""
    content, kind, shape, order = args[:4]
    return context.array(content, kind, shape, fortran=order == "F")


def _scalar(context: Context, args: tuple[Any, ...]) -> Any:
    """``numpy._core.multiarray.scalar(dtype, bytes)``."""
    kind, content = (*args, None, None)[:2]
    if isinstance(content, str):
        content = content.encode("latin1")
    if not isinstance(kind, NumpyType) or not isinstance(content, bytes):
        return Stub(Name("numpy", "scalar"), args)
    if len(content) != ITEM_BYTES[kind.dtype]:
        raise ModelError("a number of another length than its type's")
    code = {
        "float32": "f",
        "float64": "d",
        "float16": "e",
        "int64": "q",
        "int32": "i",
        "int16": "h",
        "int8": "b",
        "uint8": "B",
        "bool": "?",
    }[kind.dtype]
    return struct.unpack((">" if kind.big_endian else "<") + code, content)[0]


CALLS: dict[str, Call] = {
    "collections.OrderedDict": _pairs,
    "builtins.dict": _pairs,
    "builtins.list": _listed,
    "builtins.set": lambda context, args: {context.key(k) for k in _listed(context, args)},
    "builtins.frozenset": lambda context, args: frozenset(context.key(k) for k in _listed(context, args)),
    "builtins.tuple": lambda context, args: tuple(_listed(context, args)),
    "_codecs.encode": _encoded,
    "torch.Size": lambda context, args: _wholes(args[0] if args else ()),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": lambda context, args: args[0],
    "torch._utils._rebuild_parameter_with_state": lambda context, args: args[0],
    "torch.storage._load_from_bytes": _nested,
    "numpy.dtype": _numpy_type,
    "numpy.core.multiarray._reconstruct": lambda context, args: UnfinishedArray(),
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _frombuffer,
}
"""Name -> what stands in for it. A function gets the context and the arguments, and makes plain data
alone."""
