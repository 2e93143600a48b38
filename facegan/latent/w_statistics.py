"""What a generator does with w, found by looking: which layers take it, what they make of it, how w spreads.

Nothing here knows a family: networks are run with hooks on their layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from facegan.generator import Generator
from facegan.sampler import Sampler

Tensor = torch.Tensor
FIRST_SEED = 1_000_000
"""Samples for directions begin here: figures and metrics have the seeds below."""
MAX_UNITS = 16_384


def sample_w(model: Sampler, count: int, seed: int = 0, *, first: int = 0) -> Tensor:
    """Return w ``N,num_ws,w_dim`` of samples, with labels as trained where the network takes some."""
    start = FIRST_SEED * (seed + 1) + first
    seeds = range(start, start + count)
    return torch.from_numpy(model.to_w(model.latents(seeds), labels=model.as_trained().labels_of(seeds)))


@dataclass(frozen=True)
class Spread:
    """How samples of w lie: w = mean + root x for a white x. ``mean`` is ``w_dim``, ``root`` symmetric."""

    mean: Tensor
    root: Tensor
    inverse: Tensor

    @classmethod
    def measure(cls, w: Tensor) -> Spread:
        """Measure ``N,w_dim``. Directions in which samples do not move get no inverse."""
        mean = w.double().mean(0)
        values, vectors = torch.linalg.eigh(torch.cov((w.double() - mean).T).reshape(w.shape[1], -1))
        kept = values > 1e-4 * values[-1].clamp_min(1e-12)
        size = torch.where(kept, values, 0.0).clamp_min(0).sqrt()
        back = torch.where(kept, 1 / size.clamp_min(1e-12), 0.0)
        return cls(mean, (vectors * size) @ vectors.T, (vectors * back) @ vectors.T)

    def white(self, w: Tensor) -> Tensor:
        return (w.double() - self.mean) @ self.inverse

    def typical(self, w: Tensor) -> Tensor:
        """Return w ``...,w_dim`` as far from the mean, in standard deviations, as samples typically are."""
        x = self.white(w)
        rank = torch.linalg.matrix_rank(self.root, hermitian=True)
        x = x * (rank**0.5 / x.norm(dim=-1, keepdim=True).clamp_min(1e-12))
        found: Tensor = (self.mean + x @ self.root).to(w.dtype)
        return found

    def unit(self, direction: Tensor) -> Tensor:
        """Return ``num_ws,w_dim`` in w, as long as one standard deviation of samples along it.

        That is the root mean square over the layers.
        """
        d = direction.double()
        length = d.square().sum().clamp_min(1e-24)
        along = (d @ self.root).square().sum() / length
        return (d * (along * len(d) / length).sqrt()).float()


def spread_of(model: Sampler, seed: int = 0) -> Spread:
    """Measure the spread of 20 samples for each dimension of w, and 10,000 at least."""
    count = max(10_000, 20 * model.w_dim)
    parts = [sample_w(model, min(2048, count - i), seed, first=i)[:, 0] for i in range(0, count, 2048)]
    return Spread.measure(torch.cat(parts))


def is_affine(model: Generator) -> bool:
    """Return whether w is an affine function of z, so that its samples have no shape of their own."""
    z = model.latent.sample(range(16))
    with torch.inference_mode():
        a, b, middle = (model.map(v) for v in (z[:8], z[8:], (z[:8] + z[8:]) / 2))
    return bool(torch.allclose((a + b) / 2, middle, atol=1e-4))


@contextmanager
def _watching(model: Generator, see: Any, modules: list[nn.Module]) -> Iterator[None]:
    handles = [m.register_forward_pre_hook(lambda m, given: see(m, given[0])) for m in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _weighted(model: Generator) -> list[nn.Module]:
    """Return layers that hold a matrix or a kernel themselves."""
    return [m for m in model.network.modules() if any(p.ndim > 1 for p in m.parameters(recurse=False))]


def style_layers(model: Generator) -> list[tuple[int, nn.Module]]:
    """Return every affine layer that takes w, maybe normalised, and which of the ``num_ws`` it takes."""
    w = torch.randn(4, model.num_ws, model.w_dim, generator=torch.Generator().manual_seed(0)).to(model.device)
    found: dict[nn.Module, int] = {}

    def see(module: nn.Module, x: Tensor) -> None:
        if x.ndim == 2 and x.shape == (4, model.w_dim) and module not in found:
            alike = nn.functional.cosine_similarity(x[:, None], w, dim=2).amin(0)
            if float(alike.max()) > 1 - 1e-4 and _affine(module, model):
                found[module] = int(alike.argmax())

    with torch.no_grad(), _watching(model, see, _weighted(model)):
        model.synthesize(w)
    return [(i, module) for module, i in found.items()]


def _affine(module: nn.Module, model: Generator) -> bool:
    """Return whether doubling the input doubles what the layer adds to its answer to 0."""
    x = torch.ones(1, model.w_dim, device=model.device)
    forward = type(module).forward  # without the hooks
    zero, one, two = (forward(module, v) for v in (0 * x, x, 2 * x))
    return bool(one.ndim == 2 and torch.allclose(two - zero, 2 * (one - zero), rtol=1e-3, atol=1e-4))


def style_weights(model: Generator) -> list[tuple[int, Tensor]]:
    """Return the matrix ``out,w_dim`` of every layer that takes w, with which of the ``num_ws`` it takes."""
    eye = torch.eye(model.w_dim, device=model.device)
    with torch.inference_mode():
        return [
            (i, (layer(eye) - layer(torch.zeros_like(eye[:1]))).T.cpu()) for i, layer in style_layers(model)
        ]


def activations(model: Generator, w: Tensor) -> Tensor:
    """Return what the first layer that sees more than an affine function of w is given, ``N,units``.

    Units beyond a number that memory holds are left out at even distances.
    """
    layer = _first_nonlinear(model)
    parts: list[Tensor] = []

    def see(module: nn.Module, x: Tensor) -> None:
        flat = x.flatten(1)
        parts.append(flat[:, :: -(-flat.shape[1] // MAX_UNITS)].float().cpu())

    with torch.inference_mode(), _watching(model, see, [layer]):
        for start in range(0, len(w), 64):
            model.synthesize(w[start : start + 64])
    return torch.cat(parts)


def _first_nonlinear(model: Generator) -> nn.Module:
    """Return the first layer whose input no affine function of the first style layer's input explains."""
    styles = [module for _, module in style_layers(model)]
    others = [m for m in _weighted(model) if m not in styles]
    count = 2 * model.w_dim + 64
    seen: dict[nn.Module, list[Tensor]] = {}

    def see(module: nn.Module, x: Tensor) -> None:
        flat = x.flatten(1)
        step = 1 if module in styles else -(-flat.shape[1] // 64)
        seen.setdefault(module, []).append(flat[:, ::step].double().cpu())

    w = sample_w(model, count)
    with torch.inference_mode(), _watching(model, see, [*styles[:1], *others]):
        for start in range(0, count, 64):
            model.synthesize(w[start : start + 64])
    given = torch.cat(seen.pop(styles[0])) if styles else w[:, 0].double()
    design = torch.cat([given, torch.ones(count, 1, dtype=torch.float64)], 1)
    half = count // 2 + model.w_dim // 2
    for module, parts in seen.items():
        y = torch.cat(parts)
        found = torch.linalg.lstsq(design[:half], y[:half], driver="gelsd").solution
        unexplained = (y[half:] - design[half:] @ found).var(0).sum() / y[half:].var(0).sum()
        if float(unexplained) > 1e-3:
            return module
    return list(seen)[-1]
