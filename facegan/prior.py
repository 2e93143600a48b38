"""Define the prior over latents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facegan import arguments
from facegan.errors import ModelError
from facegan.torch_normals import normals

if TYPE_CHECKING:
    import torch

KINDS = ("normal", "uniform", "sphere", "truncated")
THRESHOLD = 2.0
"""How many standard deviations from the mean truncated numbers lie at most."""
_WITHIN = math.erf(THRESHOLD / math.sqrt(2))  # the share of normal numbers that lie there


@dataclass(frozen=True)
class Latent:
    """Define the prior of z: ``normal`` or ``uniform`` with mean and std, or ``sphere`` of radius sqrt(dim).

    Uniform numbers lie within sqrt(3) std of the mean: those from -1 to 1 have a std of 1 / sqrt(3).
    ``truncated`` numbers are normal ones, but none is further than 2 ``std`` from the mean: they are
    distributed like normal draws of which those beyond are drawn again (Brock et al. 2019, section 3.1). A
    monotonic function makes one of each normal draw, so that nothing depends on how many are thrown away.
    """

    kind: str = "normal"
    dim: int = 100
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(f"latent prior '{self.kind}' is unknown (known: {', '.join(KINDS)})")

    def shape_normal(self, n: torch.Tensor) -> torch.Tensor:
        """Turn standard normal draws ``..., dim`` into draws from this prior."""
        import torch

        if self.kind == "sphere":
            return n * (math.sqrt(self.dim) / n.norm(dim=-1, keepdim=True).clamp_min(1e-12))
        if (
            self.kind == "uniform"
        ):  # the normal distribution's own function makes uniform numbers of its draws
            return self.mean + self.std * math.sqrt(3) * torch.erf(n / math.sqrt(2))
        if self.kind == "truncated":  # the quantile of the same rank
            # In double precision: near 1, erf is too coarse to be inverted.
            rank = torch.erf(n.double() / math.sqrt(2)) * _WITHIN
            return (self.mean + self.std * math.sqrt(2) * torch.erfinv(rank)).to(n.dtype)
        return n * self.std + self.mean

    def normal_of(self, z: torch.Tensor) -> torch.Tensor:
        """Return the standard normal draws that :meth:`shape_normal` turns into z."""
        import torch

        if self.kind == "sphere":
            return z
        u = (z - self.mean) / self.std
        if self.kind == "uniform":
            return math.sqrt(2) * torch.erfinv((u / math.sqrt(3)).clamp(-1 + 1e-6, 1 - 1e-6))
        if self.kind == "truncated":
            rank = torch.erf(u.double() / math.sqrt(2)) / _WITHIN
            return (math.sqrt(2) * torch.erfinv(rank.clamp(-1 + 1e-9, 1 - 1e-9))).to(z.dtype)
        return u

    def sample(self, seeds: arguments.Seeds) -> torch.Tensor:
        """Return ``N,dim`` on the CPU, drawn for each seed by itself: seed N is the same in any batch."""
        import torch

        return self.shape_normal(torch.from_numpy(normals(arguments.seeds(seeds), self.dim)))

    def draw(self, seeds: arguments.Seeds) -> np.ndarray:
        """Return what :meth:`sample` does as an array, without PyTorch for a ``normal`` prior."""
        if self.kind != "normal":
            return self.sample(seeds).numpy()
        drawn = normals(arguments.seeds(seeds), self.dim)
        return drawn * np.float32(self.std) + np.float32(self.mean)

    def centre(self) -> torch.Tensor:
        """Return the prior's mean, ``dim``."""
        import torch

        return torch.full((self.dim,), 0.0 if self.kind == "sphere" else self.mean)
