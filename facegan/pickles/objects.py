"""What pickles hold, inert: names, stand-ins for objects, and tensors that are still in the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facegan.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

# name -> bytes of one number; what is stored in other types cannot be read
ITEM_BYTES = {
    "float32": 4,
    "float64": 8,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
_STORAGE_TYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}


@dataclass(frozen=True)
class Name:
    """What a pickle refers to by module and name; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
class Stub:
    """An object that a pickle would make by calling something: what it is, and all that it was given.

    Attributes:
        of: what would have been called, mostly a :class:`Name`.
        args: the arguments.
        state: what it would be set to afterwards (``__setstate__``, ``__dict__``), or None.
        items: what would be appended to it.
        pairs: what would be set by key.
    """

    of: Any
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: dict[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The full name of the class or function, or ""."""
        return str(self.of) if isinstance(self.of, Name) else ""

    def __repr__(self) -> str:
        return f"<Stub of {self.name or 'something'}>"


@dataclass(eq=False, repr=False)
class Storage:
    """Numbers of one type in a row. ``read`` returns their bytes, and may be filled in later."""

    dtype: str
    count: int
    read: Callable[[], bytes | memoryview] | None = None
    big_endian: bool = False

    @property
    def bytes(self) -> int:
        return self.count * ITEM_BYTES[self.dtype]


@dataclass(eq=False, repr=False)
class StoredTensor:
    """A tensor or an array that is still in the file. ``read()`` makes a tensor of it."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> str:
        return self.storage.dtype

    def read(self) -> Tensor:
        """Return the tensor, in memory of its own.

        Raises:
            ModelError: the file does not hold as many bytes as it declares.
        """
        import numpy as np
        import torch

        if not math.prod(self.shape):
            return torch.zeros(self.shape, dtype=getattr(torch, self.dtype))
        content = self.storage.read() if self.storage.read else b""
        if len(content) < self.storage.bytes:
            raise ModelError(f"a tensor of {self.storage.bytes:,} bytes has {len(content):,} in the file")
        raw = np.frombuffer(content, np.uint8, self.storage.bytes)
        size = ITEM_BYTES[self.dtype]
        if self.storage.big_endian and size > 1:
            raw = raw.reshape(-1, size)[:, ::-1]
        whole = torch.from_numpy(np.array(raw).reshape(-1)).view(getattr(torch, self.dtype))
        return whole.as_strided(self.shape, self.strides, self.offset).clone(
            memory_format=torch.contiguous_format
        )


@dataclass(eq=False, repr=False)
class NumpyType:
    """numpy.dtype of a plain number."""

    dtype: str
    big_endian: bool = False


@dataclass(eq=False, repr=False)
class UnfinishedArray:
    """A NumPy array before its state is known; afterwards :class:`StoredTensor` stands in ``stored``."""

    stored: StoredTensor | None = None


def storage_type(name: Any) -> str:
    """Return the type of a storage that torch's pickles name; ModelError for one that cannot be read."""
    if isinstance(name, Name) and name.name in _STORAGE_TYPES:
        return _STORAGE_TYPES[name.name]
    raise ModelError(f"a storage of the type {str(name)[:60]}, which cannot be read")


def as_table(value: Any) -> Mapping[Any, Any] | None:
    """Return a dict, or the entries of an object that behaves like one; None for all else."""
    if isinstance(value, dict):
        return value
    return value.pairs if isinstance(value, Stub) and value.pairs else None
