"""A direction of a translator as one ONNX graph or PyTorch program: pictures in, pictures out."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facegan.data.inputs import INPUTS, derive
from facegan.exchange.onnx_out import check_packages, checked, describe, to_onnx
from facegan.exchange.parity import BATCHES, Parity, Run
from facegan.exchange.tracing import traced_module
from facegan.images import resize, to_float, to_uint8
from facegan.layers.picture_norm import PictureBatchNorm, PictureDropout
from facegan.models import ASSETS
from facegan.translator import Translator, key_of
from facegan.version import __version__

_COMPARED = 64
_COMPARED_PIXELS = 64 * 64**2  # of all compared pictures: fewer of them where they are large


@dataclass(frozen=True)
class Way:
    """One direction of a translator: what is exported."""

    model: Translator
    direction: str

    @property
    def network(self) -> nn.Module:
        """The direction's network."""
        found: nn.Module = self.model.network[key_of(self.direction)]
        return found

    @property
    def input(self) -> str:
        """The row of INPUTS of which its inputs are; "" for given ones."""
        return self.model.input if self.model.input in INPUTS else ""


# --- tracing ----------------------------------------------------------------------------------------------


class _PictureNorm(nn.Module):
    """Batch norm of each picture by itself, as translators have it at use."""

    def __init__(self, norm: PictureBatchNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


class _Mask(nn.Module):
    """Dropout with the mask that it has at use, as a constant."""

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.mask


class _Whole(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.network(pictures)
        return made


def _plain(way: Way, example: torch.Tensor) -> nn.Module:
    """Return the network on the CPU, without what a tracer cannot follow."""
    network = copy.deepcopy(way.network).cpu().eval()
    shapes: dict[str, torch.Size] = {}

    def note(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        return lambda module, given, made: shapes.update({name: given[0].shape[1:]})

    dropouts = {name: m for name, m in network.named_modules() if isinstance(m, PictureDropout)}
    handles = [m.register_forward_hook(note(name)) for name, m in dropouts.items()]
    with torch.inference_mode():
        network(example)
    for handle in handles:
        handle.remove()
    for name, module in list(network.named_modules()):
        if isinstance(module, PictureBatchNorm):
            _replace(network, name, _PictureNorm(module))
        elif isinstance(module, PictureDropout):
            with torch.no_grad():
                _replace(network, name, _Mask(module(torch.ones(1, *shapes[name]))))
    return network


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    network.get_submodule(parent).add_module(own, module)


def traced(way: Way) -> torch.export.ExportedProgram:
    """Return a direction as PyTorch's program with a free batch."""
    example = torch.zeros(2, *way.model.image_shape)
    return traced_module(_Whole(_plain(way, example)).requires_grad_(False), {"pictures": example})


# --- files -------------------------------------------------------------------------------------------------


def described(way: Way) -> dict[str, str]:
    """Return what an exported file says of itself: texts, of which lists are JSON."""
    shape = list(way.model.image_shape)
    return {
        "facegan": __version__,
        "family": str(way.model.meta["family"]),
        "model_hash": way.model.hash,
        "licence": way.model.meta.get("licence", "unknown"),
        "direction": way.direction,
        "input": way.model.input,
        "image_shape": json.dumps(shape),
        "picture": _value(shape),
    }


def _value(shape: list[int]) -> str:
    c, h, w = shape
    return f"float N,{c},{h},{w} in [-1, 1]; the picture is clip(round((x + 1) * 127.5), 0, 255)"


def onnx_graph(way: Way, part: str = "all", weights: str = "float32") -> bytes:
    """Return the content of an ``.onnx`` file: ``pictures`` in, ``images`` out."""
    check_packages()
    proto = to_onnx(traced(way), inputs=["pictures"], output="images", weights=weights)
    value = _value(list(way.model.image_shape))
    kind = f" ({way.model.input})" if way.model.input else ""
    describe(
        proto,
        {"pictures": f"inputs{kind}: {value}", "images": f"what it makes of them: {value}"},
        name=f"{way.model.meta['family']}-{way.direction}",
        text="A translator of facegan: pictures -> images. The metadata say more.",
        facts=described(way),
    )
    return checked(proto)


def program(way: Way, part: str, weights: str) -> bytes:
    """Return the content of a ``.pt2`` file."""
    content = io.BytesIO()
    torch.export.save(traced(way), content, extra_files={"metadata.json": json.dumps(described(way))})
    return content.getvalue()


# --- comparing ---------------------------------------------------------------------------------------------


def compared_pictures(way: Way, count: int = 0) -> np.ndarray:
    """Return inputs uint8 ``N,H,W,C`` with which files are compared: of the bundled model's faces.

    Args:
        way: the direction.
        count: how many; 0 is 64, or fewer that are large.
    """
    from facegan.generator import Generator

    c, h, w = way.model.image_shape
    count = count or max(1, min(_COMPARED, _COMPARED_PIXELS // (h * w)))
    faces = Generator.load(ASSETS / "celeba64.safetensors").images(range(count))
    pictures = np.stack([resize(face, (h, w), "bicubic") for face in faces])
    if c == 1:
        pictures = pictures.mean(-1, keepdims=True).round().astype(np.uint8)
    return derive(way.input, pictures) if way.input else pictures


def measure_parity(way: Way, run: Run) -> Parity:
    """Compare a file's pictures with the translator's, in batches of 1, 5 and 32."""
    pictures = compared_pictures(way)
    expected = way.model.translate(pictures, way.direction).astype(np.int16)
    levels, differing, count = 0, 0, 0
    for size in BATCHES:
        # Where there are few pictures, they come more than once in a batch, at other places.
        rows = np.arange(max(len(pictures), size))[: len(pictures) // size * size or size] % len(pictures)
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            made = run({"pictures": to_float(pictures[chosen]).contiguous().numpy()})
            difference = np.abs(to_uint8(torch.from_numpy(made)).astype(np.int16) - expected[chosen])
            levels = max(levels, int(difference.max()))
            differing += int(np.count_nonzero(difference))
            count += difference.size
    return Parity(levels, differing / count, f"{len(pictures)} pictures")
