"""Wrap a trained network as a Generator, the only interface that other packages use.

On disk it is one ``.safetensors`` file whose metadata holds one canonical JSON text with the
configuration, where it comes from, how its pictures were aligned, and its licence. Loading
executes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments
from facegan.conditions import Conditions
from facegan.errors import InputError
from facegan.families import get_family
from facegan.images import to_uint8
from facegan.layers.ema import recalibrate_batch_norm
from facegan.layers.network import GeneratorNetwork
from facegan.model_files import Model, read_model, write_model
from facegan.model_header import from_dict
from facegan.prior import Latent
from facegan.sampler import as_rows, needed

_AVERAGED = 1000  # latents of an average of w
NOISE = ("const", "random", "none")
STATISTICS_BATCHES, STATISTICS_BATCH = 16, 64
"""Pictures over which statistics of batch norm are gathered for a truncation."""

Vectorlike = torch.Tensor | np.ndarray | Sequence[Any] | Any
"""Numbers ``N,D`` or ``N,L,D``, or one row of them: a tensor, an array, lists, or what has them as ``z``."""


class Generator(Model):
    """Hold a network in sampling mode with its prior and its metadata.

    ``bundled`` is the name under which it comes with the package, if it does.
    ``meta`` holds at least ``family``, ``config``, ``latent``, ``image_shape`` and ``labels``, and as
    known ``provenance``, ``alignment`` and ``licence``, for a conditional one ``label_rows`` (the training
    pictures' labels and their counts). ``image_shape`` is (C, H, W).
    """

    network: GeneratorNetwork

    def __init__(
        self, network: GeneratorNetwork, meta: dict[str, Any], device: str | torch.device = "cpu"
    ) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.meta = meta
        self.latent = Latent(**meta["latent"])
        self.image_shape: tuple[int, int, int] = tuple(meta["image_shape"])
        self.labels: tuple[str, ...] = tuple(meta.get("labels", ()))
        self.conditions = Conditions(self.labels, meta.get("label_rows", {})) if self.labels else None
        self.label_row: torch.Tensor | None = self.conditions.row({}) if self.conditions else None
        self.varied: dict[int, float] | None = None
        self._averages: dict[tuple[float, ...], torch.Tensor] = {}  # of w, by labels
        self._renewed: dict[float, GeneratorNetwork] = {}  # by truncation
        self.bundled = ""
        self.w_dim, self.num_ws = network.w_dim, network.num_ws
        self.device = torch.device(device)
        self._dtype = next((p.dtype for p in network.parameters()), torch.float32)

    def __repr__(self) -> str:
        c, h, w = self.image_shape
        name = self.bundled or self.meta.get("provenance", {}).get("recipe") or self.meta["family"]
        weights = sum(p.numel() for p in self.network.parameters()) / 1e6
        labels = f", labels {self.spelled() or 'none'}" if self.labels else ""
        return (
            f"<Generator {name}: {w}x{h} {'grey' if c == 1 else 'colour'}, {self.latent.dim} latent "
            f"dimensions, {weights:.2g} million weights{labels}, on {self.device}, hash {self.hash[:12]}>"
        )

    # --- what is given ----------------------------------------------------------------------

    def _vectors(self, z: Vectorlike, only_w: bool = False) -> torch.Tensor:
        """Return latents ``N,dim`` or w ``N,num_ws,w_dim`` (``only_w``: the latter), also for one vector."""
        dim, shape = self.latent.dim, (self.num_ws, self.w_dim)
        need = needed(dim, shape, only_w=only_w)
        found = arguments.tensor(getattr(z, "z", z), "vectors", need).to(self._dtype)
        return as_rows(found, dim, shape, only_w=only_w)

    def _rows(self, labels: Vectorlike) -> torch.Tensor:
        """Return labels ``N,L`` or ``L`` in the order of ``self.labels``."""
        count = len(self.labels)
        if self.label_row is None:
            raise InputError("labels: this model takes none")
        if isinstance(labels, str):
            raise InputError(f"labels: give numbers here, or use model.tell({labels!r})")
        found = arguments.tensor(labels, "labels", f"this model takes {count} numbers, one for each label")
        if found.ndim not in (1, 2) or found.shape[-1] != count:
            raise InputError(
                f"labels of shape {','.join(map(str, found.shape))}: this model takes N,{count} or {count}, "
                f"in the order {', '.join(self.labels[:12])}"
            )
        return found

    # --- images -----------------------------------------------------------------------------

    def map(self, z: Vectorlike, truncation: float = 1.0, labels: Vectorlike | None = None) -> torch.Tensor:
        """Map latents ``N,dim`` to ``N,num_ws,w_dim``; ``truncation`` below 1 moves w towards its average.

        Input of shape ``N,num_ws,w_dim`` is already w and is only truncated (see ``truncates``). Truncation
        keeps the labels, except those within a given w: it moves towards the average of the fixed labels.

        Args:
            z: arrays, lists and tensors work, also a single vector.
            truncation: 1 changes nothing, 0 gives the average.
            labels: ``N,L`` (or ``L`` for all) for a conditional network, in the order of ``self.labels``;
                without them, those of :meth:`tell`, at first the training pictures' most frequent ones.

        Raises:
            InputError: the shape does not fit; the message says which one does.
        """
        truncation, z = arguments.real(truncation, "truncation"), self._vectors(z)
        labels = None if labels is None else self._rows(labels)
        if z.ndim == 3:
            w = z.to(self.device)
        elif self.label_row is None:
            w = self.network.map(z.to(self.device))
        else:
            given = (self.label_row if labels is None else labels).to(self.device, z.dtype)
            if given.ndim == 2 and len(given) not in (1, len(z)):
                raise InputError(f"labels of {len(given)} pictures, but vectors of {len(z)}")
            w = self.network.map(z.to(self.device), given.expand(len(z), -1))
        if truncation == 1.0:
            return w
        average = self.w_average(None if z.ndim == 3 else labels)
        return average + (w - average) * truncation

    def w_average(self, labels: Vectorlike | None = None) -> torch.Tensor:
        """Return the average of w, ``num_ws,w_dim``: the network's own, or the image of the prior's mean.

        A conditional network has one average per row of labels, so that truncation keeps the labels. With
        ``labels`` ``N,L`` the result is ``N,num_ws,w_dim``; without, it is for the labels of :meth:`tell`.
        """
        stored = self.network.average_w
        labels = None if labels is None else self._rows(labels)
        if self.label_row is None:
            return self.map(self.latent.centre()[None])[0] if stored is None else stored
        rows = (self.label_row if labels is None else labels).detach().cpu().float()
        if rows.ndim == 2:
            found, which = rows.unique(dim=0, return_inverse=True)
            return torch.stack([self.w_average(row) for row in found])[which.to(self.device)]
        key = tuple(rows.tolist())
        if key not in self._averages:
            # The stored average is over all labels; average over a few thousand latents for these labels.
            z = self.latent.centre()[None] if stored is None else self.latent.sample(range(_AVERAGED))
            with torch.inference_mode(False), torch.no_grad():
                self._averages[key] = self.map(z, labels=rows).mean(0)
        return self._averages[key].to(self.device)

    @property
    def truncates(self) -> bool:
        """Return whether truncation to values other than 0 changes pictures."""
        return not self.network.ignores_length or bool(self.w_average().any())

    def synthesize(self, w: Vectorlike, noise: str = "const", truncation: float = 1.0) -> torch.Tensor:
        """Turn w ``N,num_ws,w_dim`` into images ``N,C,H,W`` in [-1, 1]; ``noise`` is const, random or none.

        A single w, ``num_ws,w_dim`` or ``w_dim`` (for all layers), is a batch of one. ``truncation`` is that
        with which w was mapped; it matters only to networks that renew their batch norm's statistics.
        """
        arguments.one_of(noise, "noise", NOISE)
        w = self._vectors(w, only_w=True)
        return self.network_at(truncation).synthesize(w.to(self.device), noise=noise)

    def __call__(
        self, z: Vectorlike, truncation: float = 1.0, labels: Vectorlike | None = None
    ) -> torch.Tensor:
        """Turn latents ``N,dim`` or w into images ``N,C,H,W`` in [-1, 1]: map, then synthesize."""
        return self.synthesize(self.map(z, truncation, labels), truncation=truncation)

    def network_at(self, truncation: float) -> GeneratorNetwork:
        """Return the network whose batch norm fits pictures of that truncation: itself, where none differs.

        For a network that ``renews_statistics`` (BigGAN), a copy with the same weights gathers them over
        latents of fixed seeds, with labels as in training, when a truncation is first asked for.
        """
        truncation = arguments.real(truncation, "truncation")
        if truncation == 1.0 or not self.network.renews_statistics:
            return self.network
        if truncation not in self._renewed:
            shared = {id(p): p for p in self.network.parameters()}
            with torch.inference_mode(False):
                network = deepcopy(self.network, shared)
                recalibrate_batch_norm(network, self._typical(truncation), network.synthesize)
            self._renewed[truncation] = network
        return self._renewed[truncation].to(self.device)

    def _typical(self, truncation: float) -> Iterator[torch.Tensor]:
        """Yield batches of w as sampling draws them."""
        for first in range(0, STATISTICS_BATCHES * STATISTICS_BATCH, STATISTICS_BATCH):
            seeds = range(first, first + STATISTICS_BATCH)
            labels = None if self.conditions is None else self.conditions.draw(seeds, {})
            yield self.map(self.latent.sample(seeds), truncation, labels)

    def tell(self, wanted: str | Mapping[str, int]) -> Generator:
        """Return a copy with labels: ``smiling=1,male=0``, ``{"smiling": 1}``, ``label=7``, or ``random``.

        Words will do as well: ``smiling woman``, ``digit 7``. Other labels are those of the most frequent
        training pictures that agree. With ``random`` (also ``random,smiling=1``), each seed has its own
        labels, drawn like those of the training pictures.

        Raises:
            InputError: a label is unknown.
        """
        if isinstance(wanted, Mapping):
            wanted = ",".join(f"{name}={value}" for name, value in wanted.items())
        if not isinstance(wanted, str):
            raise InputError(f"labels must be a text such as 'smiling=1', not {arguments.shown(wanted)}")
        if self.conditions is None:
            raise InputError(f"--labels {wanted}: this model takes none")
        words = [word.strip() for word in wanted.split(",") if word.strip()]
        fixed = self.conditions.parse([word for word in words if word.lower() != "random"])
        other = copy(self)
        other.label_row = self.conditions.row(fixed)
        other.varied = fixed if any(word.lower() == "random" for word in words) else None
        return other

    def spelled(self) -> str:
        """Return the labels that pictures get, in the form that :meth:`tell` reads."""
        if self.conditions is None or self.label_row is None:
            return ""
        return self.conditions.spelled(self.label_row)

    def as_trained(self) -> Generator:
        """Return the network with labels drawn like those of the training pictures, if it takes labels."""
        return self.tell("random") if self.labels else self

    def labels_of(self, seeds: arguments.Seeds) -> torch.Tensor | None:
        """Return labels ``N,L`` for the pictures of ``seeds``, or None for an unconditional network."""
        seeds = arguments.seeds(seeds)
        if self.label_row is None or self.conditions is None:
            return None
        if self.varied is None:
            return self.label_row.expand(len(seeds), -1)
        return self.conditions.draw(seeds, self.varied)

    def stream(
        self, z: Vectorlike | arguments.Seeds, truncation: float = 1.0, batch: int = 64
    ) -> Iterator[np.ndarray]:
        """Yield batches of uint8 ``n,H,W,C`` for latents, w or seeds in order, in constant memory."""
        truncation = arguments.real(truncation, "truncation")
        given = arguments.seeds(z) if arguments.are_seeds(z) else self._vectors(z)
        return self._streamed(given, truncation, arguments.whole(batch, "batch", 1))

    def _streamed(self, z: torch.Tensor | list[int], truncation: float, batch: int) -> Iterator[np.ndarray]:
        for start in range(0, len(z), batch):
            part = z[start : start + batch]
            if isinstance(part, torch.Tensor):
                latents, labels = part, None
            else:
                latents, labels = self.latent.sample(part), self.labels_of(part)
            with torch.inference_mode():
                images = self(latents.float(), truncation, labels)
            yield to_uint8(images)

    def images(self, z: Vectorlike | arguments.Seeds, truncation: float = 1.0, batch: int = 64) -> np.ndarray:
        """Return uint8 ``N,H,W,C`` for latents ``N,dim``, w ``N,num_ws,w_dim``, saved vectors, or seeds.

        Whole numbers in one dimension are seeds; all other arrays, tensors and lists are vectors.
        """
        c, h, w = self.image_shape
        parts = list(self.stream(z, truncation, batch))
        return np.concatenate(parts) if parts else np.empty((0, h, w, c), np.uint8)

    def sample(self, seeds: int | arguments.Seeds, truncation: float = 1.0, batch: int = 64) -> np.ndarray:
        """Return the pictures of ``seeds`` as uint8 ``N,H,W,C``; a number N means seeds 0..N-1."""
        return self.images(arguments.counted_seeds(seeds), truncation, batch)

    # --- in NumPy, as samplers have it ------------------------------------------------------

    def latents(self, seeds: arguments.Seeds) -> np.ndarray:
        """Return float32 ``N,dim``: the latent of each seed."""
        return self.latent.draw(seeds)

    def to_w(self, z: Vectorlike, truncation: float = 1.0, labels: Vectorlike | None = None) -> np.ndarray:
        """Return what :meth:`map` makes of vectors as an array."""
        with torch.inference_mode():
            found: np.ndarray = self.map(z, truncation, labels).cpu().numpy()
        return found

    def drawn(self, z: Vectorlike, truncation: float = 1.0) -> np.ndarray:
        """Return the pictures of vectors as an array, float32 ``N,C,H,W``."""
        with torch.inference_mode():
            found: np.ndarray = self(z, truncation).float().cpu().numpy()
        return found

    # --- files ------------------------------------------------------------------------------

    def save(self, path: str | Path, dtype: torch.dtype = torch.float16) -> str:
        """Write one ``.safetensors`` file, half precision by default; return the hash in it."""
        return write_model(path, self.network, self.meta, dtype=dtype)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Generator:
        """Read a file of :meth:`save`; raise ModelError in one line if it is missing, damaged or foreign."""
        return cls(*read_model(path, build_network), device)

    def parameters_by_layer(self) -> list[tuple[str, tuple[int, ...], int]]:
        """Return (name, shape, count) of every trained tensor."""
        return [(k, tuple(p.shape), p.numel()) for k, p in self.network.named_parameters()]


def build_network(meta: dict[str, Any]) -> GeneratorNetwork:
    """Build the bare generator network that a header describes."""
    family = get_family(meta["family"])
    config = from_dict(family.config, meta["config"])
    return family.build_generator(
        config.generator,
        meta["image_shape"],
        Latent(**meta["latent"]).dim,
        label_dim=len(meta.get("labels", ())),
    )


def describe(
    family: str,
    config: Any,
    latent: Latent,
    *,
    image_shape: Sequence[int],
    labels: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return the ``meta`` of a Generator; ``more`` may contain provenance, alignment, licence."""
    return {
        "family": family,
        "config": asdict(config),
        "latent": asdict(latent),
        "image_shape": list(image_shape),
        "labels": list(labels),
        **more,
    }
