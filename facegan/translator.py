"""Wrap trained networks that turn pictures into pictures as a Translator.

On disk it is one ``.safetensors`` file like a generator's, whose header has ``"kind": "translator"``. Loading
executes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facegan import arguments
from facegan.errors import InputError, ModelError
from facegan.families import get_family
from facegan.families.translator import TranslatorFamily
from facegan.images import to_float, to_uint8
from facegan.model_files import Model, cast, read_model, write_model
from facegan.model_header import TRANSLATOR, from_dict

_TOGETHER = 8 * 64**2  # pixels that go through the network at a time


class Translator(Model):
    """Hold the networks of all directions in sampling mode, with their metadata.

    ``meta`` holds at least ``kind``, ``family``, ``config``, ``image_shape``, ``directions`` and ``input``,
    and as known ``provenance``, ``alignment`` and ``licence``. ``directions`` names what it can do:
    ``forward`` (from input to target), or ``a-to-b`` and ``b-to-a``. ``input`` is the derivation by which its
    inputs were made of pictures (a row of ``facegan.data.inputs.INPUTS``), "" for given pairs and for
    domains. ``bundled`` is the name under which it comes with the package, if it does.

    What it makes of a picture does not depend on the others of a batch: pictures go through the network in
    groups of one size, which depends on the model's size alone. Nor does it depend on saving: the weights are
    rounded at once to the half precision of files.
    """

    network: nn.ModuleDict

    def __init__(
        self, networks: nn.ModuleDict, meta: dict[str, Any], device: str | torch.device = "cpu"
    ) -> None:
        self.network = networks.eval().requires_grad_(False).to(device)
        self.meta = meta
        self.image_shape: tuple[int, int, int] = tuple(meta["image_shape"])
        self.directions: tuple[str, ...] = tuple(meta["directions"])
        self.input = str(meta.get("input", ""))
        self.bundled = ""
        self.device = torch.device(device)
        self._dtype = next((p.dtype for p in networks.parameters()), torch.float32)
        for value in self.network.state_dict().values():
            value.copy_(cast(value, torch.float16))

    def __repr__(self) -> str:
        c, h, w = self.image_shape
        name = self.bundled or self.meta.get("provenance", {}).get("recipe") or self.meta["family"]
        weights = sum(p.numel() for p in self.network.parameters()) / 1e6
        takes = f" of {self.input}" if self.input else ""
        return (
            f"<Translator {name}: {' and '.join(self.directions)}{takes}, {w}x{h} "
            f"{'grey' if c == 1 else 'colour'}, {weights:.2g} million weights, on {self.device}, "
            f"hash {self.hash[:12]}>"
        )

    # --- pictures ---------------------------------------------------------------------------

    def direction(self, name: str = "") -> str:
        """Return the direction of that name; "" is the first one. InputError lists those that there are."""
        if not name:
            return self.directions[0]
        if name not in self.directions:
            raise InputError(
                f"--direction {name}: this translator has {' and '.join(self.directions)}; choose one"
            )
        return name

    def __call__(self, x: torch.Tensor, direction: str = "") -> torch.Tensor:
        """Turn pictures ``N,C,H,W`` in [-1, 1] into pictures around [-1, 1]; it is differentiable."""
        network = self.network[key_of(self.direction(direction))]
        result: torch.Tensor = network(x.to(self.device, self._dtype))
        return result

    def stream(self, images: np.ndarray, direction: str = "") -> Iterator[np.ndarray]:
        """Yield the pictures of :meth:`translate` in order, uint8 ``n,H,W,C``, in constant memory."""
        images, direction = self._pictures(images), self.direction(direction)
        _, height, width = self.image_shape
        size = max(1, _TOGETHER // (height * width))
        for start in range(0, len(images), size):
            part = images[start : start + size]
            # Always as many: other sizes of a batch would take other kernels, which round otherwise.
            rows = np.arange(size) % len(part)
            with torch.inference_mode():
                yield to_uint8(self(to_float(part[rows], self.device), direction)[: len(part)])

    def translate(self, images: np.ndarray, direction: str = "") -> np.ndarray:
        """Translate pictures of the model's size.

        Args:
            images: uint8 ``N,H,W,C`` or one picture ``H,W,C``; where ``input`` names a derivation, these are
                inputs already (such as sketches).
            direction: one of ``directions``; "" is the first.

        Returns:
            uint8 ``N,H,W,C``.

        Raises:
            InputError: The pictures have another shape or type, or there is no such direction.
        """
        images = self._pictures(images)
        parts = list(self.stream(images, direction))
        return np.concatenate(parts) if parts else np.empty_like(images)

    def _pictures(self, images: Any) -> np.ndarray:
        c, h, w = self.image_shape
        need = f"this translator takes uint8 pictures N,{h},{w},{c}"
        if not isinstance(images, np.ndarray):
            try:
                images = np.asarray(images)
            except (TypeError, ValueError, RuntimeError):
                raise InputError(f"{need}, not {arguments.shown(images)}") from None
        if images.dtype != np.uint8:
            raise InputError(f"{need}, not numbers of the type {images.dtype}")
        if images.shape == (h, w, c):
            images = images[None]
        if images.ndim != 4 or images.shape[1:] != (h, w, c):
            raise InputError(f"{need}, not {','.join(map(str, images.shape))}")
        return images

    # --- files ------------------------------------------------------------------------------

    def save(self, path: str | Path) -> str:
        """Write one ``.safetensors`` file in half precision; return the hash in it."""
        return write_model(path, self.network, self.meta, dtype=torch.float16)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Translator:
        """Read a file of :meth:`save`; raise ModelError in one line if it is missing, damaged or foreign."""
        return cls(*read_model(path, build_networks, TRANSLATOR), device)

    def parameters_by_layer(self) -> list[tuple[str, tuple[int, ...], int]]:
        """Return (name, shape, count) of every trained tensor."""
        return [(k, tuple(p.shape), p.numel()) for k, p in self.network.named_parameters()]


def build_networks(meta: dict[str, Any]) -> nn.ModuleDict:
    """Build the bare networks that a header describes, one for each direction."""
    family = get_family(meta["family"])
    if not isinstance(family, TranslatorFamily) or tuple(meta["directions"]) != family.directions:
        raise ModelError(f"the family {meta['family']} has no such directions")
    config = from_dict(family.config, meta["config"])
    return nn.ModuleDict(
        {
            key_of(name): family.build_translator(config.generator, meta["image_shape"])
            for name in family.directions
        }
    )


def key_of(direction: str) -> str:
    """Return the name of a direction's network in a Translator's ``network``."""
    return f"generator-{direction}"  # 'forward' alone would hide a method of torch's modules


def describe_translator(
    family: str, config: Any, *, image_shape: Sequence[int], input: str = "", **more: Any
) -> dict[str, Any]:
    """Return the ``meta`` of a Translator; ``more`` may contain provenance, alignment, licence."""
    found = get_family(family)
    assert isinstance(found, TranslatorFamily)
    return {
        "kind": TRANSLATOR,
        "family": family,
        "config": asdict(config),
        "image_shape": list(image_shape),
        "directions": list(found.directions),
        "input": input,
        **more,
    }
