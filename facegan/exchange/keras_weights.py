"""Where files of Keras keep the weights of a layer: by names, or by counted classes (since 2.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from facegan.errors import ModelError
from facegan.exchange.hdf5 import Group
from facegan.exchange.keras_config import Layer

if TYPE_CHECKING:
    from torch import Tensor


class Store(Protocol):
    """The weights of a file; ``order`` lists those that the layer has, as Keras counts them."""

    def tensor(
        self, layer: Layer, role: str, order: tuple[str, ...], *, shape: tuple[int, ...]
    ) -> Tensor: ...


class NamedStore:
    """``.h5``: a group for each outer layer, in which datasets end in LAYER/ROLE or LAYER/ROLE:0."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.found: dict[str, list[str]] = {}

    def tensor(self, layer: Layer, role: str, order: tuple[str, ...], *, shape: tuple[int, ...]) -> Tensor:
        group = self.group.group(layer.path[0])
        if group is None:
            raise ModelError(f"it has no weights of the layer '{layer.path[0]}'")
        names = self.found.setdefault(layer.path[0], group.datasets())
        parts = {name: (*name.removesuffix(":0").split("/"),) for name in names}
        fitting = [name for name in names if parts[name][-1] == role]
        if not fitting and role == "depthwise_kernel":  # Keras 3 calls it so in some versions
            fitting = [name for name in names if parts[name][-1] == "kernel"]
        if len(layer.path) > 1 or len(fitting) > 1:
            fitting = [name for name in fitting if layer.name in parts[name][-2:-1]]
        if len(fitting) > 1:  # two inner models that have layers of one name
            fitting = [name for name in fitting if parts[name][-3:-1] == layer.path[-2:]]
        if len(fitting) != 1:
            raise ModelError(
                f"the weights '{role}' of the layer '{'/'.join(layer.path)}' are not in the file"
            )
        return group.numbers(fitting[0], shape)


class CountedStore:
    """``.keras`` and ``.weights.h5``: ``layers/dense_1/vars/0``, counted in the configuration's order."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def tensor(self, layer: Layer, role: str, order: tuple[str, ...], *, shape: tuple[int, ...]) -> Tensor:
        return self.group.numbers(f"{layer.stored}/vars/{order.index(role)}", shape)


def store_of(root: Group) -> Store:
    """Return the weights of an opened file."""
    named = root.group("model_weights")
    if named is None and (root.has("layer_names") or root.has("layer_names0")):
        named = root
    return CountedStore(root) if named is None else NamedStore(named)
