"""What "same" means, and transposed convolutions of any crops: shared by the readers of Keras and ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.exchange.graph import Graph

if TYPE_CHECKING:
    from torch import Tensor

Quad = tuple[int, int, int, int]


def same_pads(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], *, dilation: Sequence[int] = (1, 1)
) -> Quad:
    """Return (top, bottom, left, right) of TensorFlow's "same", whose odd pixel is after (SAME_UPPER)."""
    found: list[int] = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        found += [total // 2, total - total // 2]
    return found[0], found[1], found[2], found[3]


def conv_transpose(
    graph: Graph,
    x: str,
    weight: Tensor,
    *,
    bias: Tensor | None,
    stride: tuple[int, int],
    crops: Sequence[int],
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> str:
    """Add a transposed convolution; a negative crop adds pixels on that side that the kernel never reaches.

    Args:
        graph: the graph.
        x: its input.
        weight: (in, out / groups, h, w).
        bias: for each channel, or None.
        stride: (height, width).
        crops: (top, bottom, left, right) of the full result.
        dilation: (height, width).
        groups: of channels.
    """
    out = weight.shape[1] * groups
    beyond = any(side < 0 for side in crops)
    own = bias if not beyond else None
    made = graph.add(
        "conv_transpose",
        x,
        weights={"weight": weight, **({} if own is None else {"bias": own})},
        out=out,
        kernel=tuple(weight.shape[2:]),
        stride=stride,
        dilation=dilation,
        groups=groups,
        bias=own is not None,
        crops=tuple(max(side, 0) for side in crops),
    )
    if beyond:
        made = graph.add("pad", made, pads=tuple(max(-side, 0) for side in crops))
        if bias is not None:
            values = bias.reshape(out, 1, 1)
            constant = graph.add("constant", weights={"value": values}, shape=(out, 1, 1))
            made = graph.add("add", made, constant)
    return made
