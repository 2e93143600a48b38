"""Model files: networks in half precision, with a header that describes them and a hash of both.

The header is one canonical JSON text. Its ``kind`` is ``translator`` in files of :mod:`facegan.translator`;
those of :mod:`facegan.generator` have none. Beside it stands the model's own hash (``IDENTITY``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from facegan.devices import check_device
from facegan.errors import ModelError
from facegan.layers.unfilled import Unfilled
from facegan.model_hash import Part, Parts, checked_hash, content_hash, former_hash, model_hash
from facegan.model_header import FORMAT, IDENTITY, KEY, OTHER_HASH, WRONG_KIND, without_hash
from facegan.tensor_files import MAX_HALF, read_tensors, write_tensors

Tensors = Mapping[str, torch.Tensor]


def cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a copy in main memory; floats become ``dtype``."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.clamp(-MAX_HALF, MAX_HALF).to(dtype) if dtype == torch.float16 else tensor.to(dtype)
    return tensor.contiguous()


def halves(tensors: Tensors) -> Parts:
    """Return a function that yields all tensors in half precision, as hashes take them."""

    def parts() -> Iterator[Part]:
        for name, tensor in sorted(tensors.items()):
            half = cast(tensor, torch.float16)
            yield name, tuple(half.shape), str(half.dtype), half.numpy().tobytes()

    return parts


def write_model(path: str | Path, network: nn.Module, meta: dict[str, Any], *, dtype: torch.dtype) -> str:
    """Write one ``.safetensors`` file; return the model's hash."""
    tensors = {k: cast(v, dtype) for k, v in sorted(network.state_dict().items())}
    parts = halves(tensors)
    head = {**meta, "format": FORMAT, "hash": content_hash(meta, parts)}
    digest = model_hash(meta, parts)
    write_tensors(path, KEY, head, tensors=tensors, beside={IDENTITY: digest})
    return digest


M = TypeVar("M", bound="Model")


class Model:
    """What generators and translators have in common: a network with metadata, on a device."""

    network: nn.Module
    meta: dict[str, Any]
    device: torch.device

    def to(self: M, device: str | torch.device) -> M:
        """Move the network to a device: cpu, cuda or mps."""
        check_device(device)
        self.network.to(device)
        self.device = torch.device(device)
        return self

    @property
    def hash(self) -> str:
        """Return the SHA-256 of configuration and half-precision tensors, which equal models share.

        Where a model came from does not count: command, folder, data set, version, crop, licence.
        """
        return model_hash(self.meta, halves(self.network.state_dict()))

    @property
    def hashes(self) -> tuple[str, str]:
        """Return ``hash`` and the one by which earlier versions named the model: what names either is its."""
        return self.hash, former_hash(self.meta, halves(self.network.state_dict()))


Build = Callable[[dict[str, Any]], nn.Module]


def read_model(path: str | Path, build: Build, kind: str = "") -> tuple[Any, dict[str, Any]]:
    """Return the network that ``build`` makes of the header, with its weights, and the metadata.

    Raises:
        ModelError: The file is missing, damaged, foreign, or not of that ``kind``.
    """
    what = f"facegan {kind or 'model'}"
    with read_tensors(path, KEY, FORMAT, what=what, absent="model file") as (meta, tensors):
        if meta.get("kind", "") != kind:
            raise ModelError(WRONG_KIND[kind])
        if not checked_hash(meta, halves(tensors)):
            raise ModelError(OTHER_HASH)
        with Unfilled():
            # First without memory: a header could describe a network larger than the machine.
            with torch.device("meta"):
                planned = {k: v.shape for k, v in build(meta).state_dict().items()}
            if planned != {k: v.shape for k, v in tensors.items()}:
                raise ValueError("other names or shapes")
            network = build(meta)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
        return network, without_hash(meta)
    raise AssertionError  # the block above returns or raises
