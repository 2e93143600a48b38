"""The spaces in which a vector is sought: z, w, w+, each in coordinates whose typical size is 1.

z has those of the prior's normal draws. w and w+ are centred and scaled by what mapped draws have, so that a
learning rate means the same in every space and family.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from facegan import rng
from facegan.errors import InputError
from facegan.generator import Generator

Tensor = torch.Tensor
DRAWS = 1024  # for the mean and the spread of w


class Space:
    """Coordinates ``N,dim`` of one of the spaces, for one model."""

    def __init__(self, model: Generator, name: str) -> None:
        if name not in ("z", "w", "w+"):
            raise InputError(f"--space {name}: choose z, w or w+")
        self.model, self.name = model, name
        if name == "z":
            self.layers, self.width = 1, model.latent.dim
            return
        self.layers, self.width = (1 if name == "w" else model.num_ws), model.w_dim
        with torch.no_grad():
            z = model.latent.sample(range(DRAWS))
            w = torch.cat([model.map(part)[:, 0] for part in z.split(256)])
        self.mean = w.mean(0)
        self.std = w.std(0).clamp_min(1e-3 * float(w.std()) + 1e-8)

    @property
    def dim(self) -> int:
        return self.layers * self.width

    def vectors(self, u: Tensor) -> Tensor:
        """Return what is saved of coordinates: z ``N,dim``, or w ``N,num_ws,w_dim``; differentiable."""
        if self.name == "z":
            return self.model.latent.shape_normal(u)
        w = u.reshape(len(u), self.layers, self.width) * self.std + self.mean
        return w.expand(-1, self.model.num_ws, -1)

    def w(self, u: Tensor) -> Tensor:
        """Return w ``N,num_ws,w_dim`` of coordinates, for ``synthesize``; differentiable."""
        found = self.vectors(u)
        return self.model.map(found) if self.name == "z" else found

    def coordinates(self, vectors: Tensor) -> Tensor:
        """Return the inverse of :meth:`vectors`; z given in a space of w is mapped first."""
        device = self.model.device
        if self.name == "z":
            return self.model.latent.normal_of(vectors.to(device))
        w = self.model.map(vectors) if vectors.ndim == 2 else vectors.to(device)
        u = (w - self.mean) / self.std
        return u[:, :1].flatten(1) if self.name == "w" else u.flatten(1)

    def norm_penalty(self, u: Tensor) -> Tensor:
        """Return ``N``: | ||u|| - sqrt(dim) | of each layer, averaged (for z, as the tutorial has it)."""
        norms = u.reshape(len(u), -1, self.width).norm(dim=2)
        found: Tensor = (norms - math.sqrt(self.width)).abs().mean(1)
        return found

    def random(self, seeds: Sequence[int]) -> Tensor:
        """Return ``len(seeds),dim``: the coordinates of the seeds' faces."""
        return self.coordinates(self.model.latent.sample(seeds)).clone()

    def draw(self, seed: int, purpose: str, count: int) -> Tensor:
        """Draw ``count,dim`` ~ N(0, 1)."""
        found = rng.normal(seed, purpose, 0, count=count, per_item=self.dim)
        return torch.from_numpy(found).to(self.model.device)


def default_space(model: Generator) -> str:
    """Return w where the network maps, z where w is z."""
    return "z" if model.num_ws == 1 and model.w_dim == model.latent.dim else "w"
