"""A generator as a graph that draws without PyTorch, and the weights that such a graph is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SamplingGraph:
    """The synthesis of a generator without a mapping network: its w is z, the same in all layers.

    ``content`` is an ONNX graph from ``w`` ``N,num_ws,w_dim`` to ``images`` ``N,C,H,W``, both float32, in
    which a picture does not depend on the rest of its batch. ``ignores_length`` is that of the network.
    """

    content: bytes
    num_ws: int
    w_dim: int
    ignores_length: bool


class Weights:
    """The arrays of a model file, taken one by one; all have to be taken, in the shapes that are expected."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._left = dict(arrays)

    def take(self, name: str, *shape: int) -> np.ndarray:
        """Return an array in float32; raise ValueError if there is none of that shape."""
        found = self._left.pop(name, None)
        if found is None or found.shape != shape:
            raise ValueError("other names or shapes")
        return found.astype(np.float32)

    def batch_norm(self, name: str, width: int, *, affine: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return scale and shift of each channel, which a batch norm is in sampling."""
        taken = (self.take(f"{name}.running_{what}", width) for what in ("mean", "var"))
        mean, variance = (values.astype(np.float64) for values in taken)
        self.take(f"{name}.num_batches_tracked")
        scale = 1 / np.sqrt(variance + 1e-5)
        scale = scale * self.take(f"{name}.weight", width) if affine else scale
        shift = -mean * scale
        shift = shift + self.take(f"{name}.bias", width) if affine else shift
        return scale.astype(np.float32), shift.astype(np.float32)

    def check_all_taken(self) -> None:
        """Raise ValueError if arrays are left."""
        if self._left:
            raise ValueError("other names or shapes")
