"""An encoder: from a picture to a first guess of its vector, for one model, in one small file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from facegan.attributes.networks import fit
from facegan.deltas import base_hashes
from facegan.errors import ModelError
from facegan.files import derived
from facegan.generator import Generator
from facegan.hub import is_hub_name, parse_hub_name
from facegan.inversion.space import Space
from facegan.models import resolve, split_delta
from facegan.tensor_files import half, read_tensors, write_tensors

FORMAT = 1
LARGEST = 64  # px; larger pictures are brought to this size
MAX_HEAD_WEIGHTS = 500_000  # of the last layer


class _Block(nn.Module):
    """x + branch(x), a branch of two convolutions that begins as zero (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(y)))


class EncoderNet(nn.Module):
    """Pictures ``N,C,H,W`` in [-1, 1] to coordinates ``N,outputs``: strided convolutions down to 4 px."""

    def __init__(self, shape: tuple[int, int, int], outputs: int, width: int) -> None:
        super().__init__()
        widths = [width, width * 2, width * 4, width * 6]
        layers: list[nn.Module] = []
        for cin, cout in zip([shape[0], *widths], widths, strict=False):
            layers += [nn.Conv2d(cin, cout, 4, 2, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]
            layers += [_Block(cout)] if cout >= widths[2] else []
        narrow = max(8, min(widths[-1], MAX_HEAD_WEIGHTS // (16 * outputs)))
        layers += [nn.Conv2d(widths[-1], narrow, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(16 * narrow, outputs)
        nn.init.normal_(self.head.weight, std=1e-2)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.head(self.body(x).float()))


@dataclass
class Encoder:
    """A guess of the vectors of the model whose hash it names, in ``space`` (z or w).

    ``metric`` tells how much pictures change along that (see ``curvature.py``; empty where it was not
    measured). Of one that was just trained, ``errors`` are those of its guess, and ``file`` is where it lies.
    """

    network: EncoderNet
    model_hash: str
    space: str
    shape: tuple[int, int, int]
    outputs: int
    width: int
    metric: torch.Tensor = field(default_factory=lambda: torch.empty(0, 0))
    metadata: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    file: Path | None = None

    @classmethod
    def fresh(cls, model: Generator, space: str, width: int) -> Encoder:
        c, h, w = model.image_shape
        scale = min(1.0, LARGEST / max(h, w))
        shape = (c, max(16, round(h * scale)), max(16, round(w * scale)))
        outputs = Space(model, space).dim
        network = EncoderNet(shape, outputs, width).to(memory_format=torch.channels_last)
        return cls(network, model.hash, space, shape, outputs, width)

    def coordinates(self, images: torch.Tensor) -> torch.Tensor:
        """Return coordinates of its space, of pictures ``N,C,H,W`` in [-1, 1]; differentiable."""
        return cast(torch.Tensor, self.network(fit(images, self.shape)))

    @torch.no_grad()
    def guess(self, model: Generator, images: torch.Tensor) -> torch.Tensor:
        """Return the vectors of pictures: z ``N,dim`` or w ``N,num_ws,w_dim``."""
        self.network.to(model.device).eval()
        return Space(model, self.space).vectors(self.coordinates(images))

    def check(self, model: Generator, name: str) -> Encoder:
        """Return itself; ModelError where it was made for another model (or for one without this delta)."""
        if self.model_hash not in base_hashes(model) and self.model_hash not in model.hashes:
            raise ModelError(
                f"{name}: an encoder of another model (hash {self.model_hash[:12]}, not {model.hash[:12]}); "
                "make one with 'facegan train-encoder', or go without: --encoder none"
            )
        return self

    def digest(self) -> str:
        """Return twelve digits that identify its weights."""
        found = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            found.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:12]

    def save(self, path: str | Path) -> None:
        """Write one ``.safetensors`` file in half precision."""
        head = {
            "format": FORMAT,
            "model": self.model_hash,
            "space": self.space,
            "shape": self.shape,
            "outputs": self.outputs,
            "width": self.width,
            "papers": self.metadata,
        }
        tensors = half({**self.network.state_dict(), "metric": self.metric})
        write_tensors(path, "facegan-encoder", head, tensors=tensors)

    @classmethod
    def load(cls, path: str | Path) -> Encoder:
        """Return what :meth:`save` wrote; ModelError in one line otherwise."""
        with read_tensors(path, "facegan-encoder", FORMAT, what="encoder") as (head, tensors):
            c, h, w = (int(v) for v in head["shape"])
            outputs, width = int(head["outputs"]), int(head["width"])
            if max(c, h, w, width) > 1024 or not 0 < outputs <= 1_000_000 or head["space"] not in ("z", "w"):
                raise ValueError("sizes out of range")
            metric = tensors.pop("metric").float()
            if metric.numel() and metric.shape != (outputs, outputs):
                raise ValueError("the metric's shape")
            network = EncoderNet((c, h, w), outputs, width).to(memory_format=torch.channels_last)
            network.load_state_dict(
                {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
            )
            network.eval().requires_grad_(False)
            metadata = dict(head["papers"])
            return cls(
                network, str(head["model"]), str(head["space"]), (c, h, w), outputs, width, metric, metadata
            )


def beside(reference: str | Path) -> Path:
    """Return where the encoder of a model lies: ``MODEL-encoder.safetensors`` beside the model's file.

    That of a model on the Hub lies in the current folder, since the Hub's cache belongs to other programs.
    """
    text = split_delta(reference)[0]
    file = Path(f"{parse_hub_name(text).name}.safetensors") if is_hub_name(text) else resolve(reference)
    return derived(file, "-encoder.safetensors")


def find_encoder(model: Generator, reference: str | Path, wanted: str = "auto") -> Encoder | None:
    """Return the encoder: ``auto`` is the one beside the model's file, if any; ``none``; or a file's."""
    if wanted == "none":
        return None
    path = beside(reference) if wanted == "auto" else Path(wanted)
    if wanted == "auto" and not path.is_file():
        return None
    return Encoder.load(path).check(model, str(path))
