"""Write ONNX graphs from weights in NumPy, without the package ``onnx``: a few of the format's messages.

Names and numbers of fields are those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

OPSET, IR_VERSION = 18, 8
_ELEMENTS = {"float32": 1, "int64": 7}  # TensorProto.DataType
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7  # AttributeProto.AttributeType


class GraphWriter:
    """A graph of the default operators of ONNX in the making; its values are known by the names returned."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._weights: list[list[bytes]] = []
        self._inputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Add a float32 input; a text in its shape names a free size."""
        self._inputs.append(_value(name, shape))
        return name

    def weight(self, values: np.ndarray) -> str:
        """Add a constant: int64 as it is, any other numbers as float32."""
        values = np.ascontiguousarray(values if values.dtype == np.int64 else values.astype(np.float32))
        sizes = b"".join(_number(1, size) for size in values.shape)
        name = self._name()
        kind = _number(2, _ELEMENTS[str(values.dtype)])
        self._weights.append([sizes + kind + _bytes(8, name), *_parts(9, [values.tobytes()])])
        return name

    def node(self, operator: str, *inputs: str, **attributes: float | str | Sequence[int]) -> str:
        """Add a node with one output."""
        return self.split(operator, inputs, 1, **attributes)[0]

    def split(
        self, operator: str, inputs: Sequence[str], outputs: int, **attributes: float | str | Sequence[int]
    ) -> list[str]:
        """Add a node with several outputs."""
        names = [self._name() for _ in range(outputs)]
        fields = [_bytes(1, name) for name in inputs] + [_bytes(2, name) for name in names]
        fields += [_bytes(5, _attribute(key, value)) for key, value in attributes.items()]
        self._nodes.append(b"".join(fields) + _bytes(4, operator))
        return names

    def content(self, outputs: dict[str, tuple[str, Sequence[int | str]]]) -> bytes:
        """Return the bytes of an ``.onnx`` file; ``outputs`` are value and shape by their names."""
        named = [
            _bytes(1, value) + _bytes(2, name) + _bytes(4, "Identity") for name, (value, _) in outputs.items()
        ]
        graph = [_bytes(1, node) for node in [*self._nodes, *named]] + [_bytes(2, "facegan")]
        graph += [part for weight in self._weights for part in _parts(5, weight)]
        graph += [_bytes(11, value) for value in self._inputs]
        graph += [_bytes(12, _value(name, shape)) for name, (_, shape) in outputs.items()]
        operators = _bytes(1, "") + _number(2, OPSET)
        head = _number(1, IR_VERSION) + _bytes(2, "facegan") + _bytes(8, operators)
        return b"".join([head, *_parts(7, graph)])  # joined once: weights are large

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # a negative number takes ten bytes
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _parts(field: int, parts: list[bytes]) -> list[bytes]:
    """Return what :func:`_bytes` does of joined parts, still in parts."""
    return [_varint(field << 3 | 2) + _varint(sum(map(len, parts))), *parts]


def _attribute(name: str, value: float | str | Sequence[int]) -> bytes:
    """Return an AttributeProto."""
    head = _bytes(1, name)
    if isinstance(value, str):
        return head + _bytes(4, value) + _number(20, _STRING)
    if isinstance(value, int):
        return head + _number(3, value) + _number(20, _INT)
    if isinstance(value, float):
        return head + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, _FLOAT)
    return head + b"".join(_number(8, one) for one in value) + _number(20, _INTS)


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    """Return a ValueInfoProto of float32."""
    sizes = (_bytes(2, size) if isinstance(size, str) else _number(1, size) for size in shape)
    tensor = _number(1, _ELEMENTS["float32"]) + _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))
