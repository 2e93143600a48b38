"""Define the prior over latents, and labels with their frequencies."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from facegan import arguments, rng
from facegan.errors import InputError, ModelError

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
        """Return ``N,dim`` on the CPU, one generator per seed, so that seed N is the same in any batch."""
        draws = [
            torch.randn(self.dim, generator=torch.Generator().manual_seed(seed))
            for seed in arguments.seeds(seeds)
        ]
        return self.shape_normal(torch.stack(draws) if draws else torch.empty(0, self.dim))

    def centre(self) -> torch.Tensor:
        """Return the prior's mean, ``dim``."""
        return torch.full((self.dim,), 0.0 if self.kind == "sphere" else self.mean)


class Conditions:
    """Describe labels as channels of numbers, with the frequencies of their combinations in training."""

    def __init__(self, labels: Sequence[str], rows: dict[str, Any]) -> None:
        self.labels = tuple(labels)
        table = rows.get("rows") or [[0] * len(self.labels)]
        self.rows = torch.tensor(table, dtype=torch.float32).reshape(len(table), len(self.labels))
        counts = rows.get("counts") or [1] * len(table)
        self.share = torch.tensor(counts, dtype=torch.float64) / sum(counts)

    def __repr__(self) -> str:
        return f"<Conditions on {', '.join(self.labels)}: {len(self.rows)} rows>"

    def parse(self, words: Sequence[str]) -> dict[int, float]:
        """Parse ``["smiling=1", "label=7"]`` into channel -> value."""
        plain = {_plain(label): i for i, label in enumerate(self.labels)}
        fixed: dict[int, float] = {}
        if twice := [
            name for name, n in Counter(_plain(w.partition("=")[0]) for w in words).items() if n > 1
        ]:
            raise InputError(f"--labels: {twice[0]} is named twice")
        for word in ("=".join(part.strip() for part in word.split("=")) for word in words):
            name, _, value = word.partition("=")
            if _plain(word) in plain:  # one class among several, or a name alone
                group = [i for key, i in plain.items() if key.partition("=")[0] == _plain(name)]
                fixed |= dict.fromkeys(group, 0.0) | {plain[_plain(word)]: 1.0}
                continue
            if _plain(name) not in plain or value.strip() not in ("0", "1"):
                known = ", ".join(f"{n}" if "=" in n else f"{n}=0/1" for n in self.labels[:20])
                raise InputError(f"--labels: '{word}' is not understood; this model knows {known}, random")
            fixed[plain[_plain(name)]] = float(value)
        return fixed

    def _agreeing(self, fixed: dict[int, float]) -> torch.Tensor:
        """Return the weight of each row: 0 if it contradicts; if all do, all count and are overruled."""
        agrees = torch.ones(len(self.rows), dtype=torch.bool)
        for channel, value in fixed.items():
            agrees &= self.rows[:, channel] == value
        return self.share * agrees if bool(agrees.any()) else self.share

    def row(self, fixed: dict[int, float]) -> torch.Tensor:
        """Return ``L``, the most frequent labels that agree with ``fixed``."""
        row = self.rows[int(self._agreeing(fixed).argmax())].clone()
        for channel, value in fixed.items():
            row[channel] = value
        return row

    def draw(self, seeds: arguments.Seeds, fixed: dict[int, float]) -> torch.Tensor:
        """Draw labels ``N,L`` that agree with ``fixed``, one draw per seed."""
        upto = self._agreeing(fixed).cumsum(0)
        u = [rng.uniform(seed, "labels", 0, count=1)[0, 0] for seed in arguments.seeds(seeds)]
        chosen = torch.searchsorted(upto, torch.tensor(u, dtype=torch.float64) * upto[-1], right=True)
        rows = self.rows[chosen.clamp_max(len(self.rows) - 1)]
        for channel, value in fixed.items():
            rows[:, channel] = value
        return rows


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
