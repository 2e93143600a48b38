"""The batches of an update: what is drawn by each image's global index, and what the discriminator sees.

A batch can be cut into slices (``accumulate``) and shared between processes. Whatever is drawn belongs to an
image's global index, so that the cut changes nothing but the order of summation. Only what looks over a
batch (batch norm, minibatch deviation, running means) sees one slice at a time, and a network's own noise and
dropout are drawn for one. Half of a batch is every second image of a slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from facegan import distributed, rng
from facegan.augment.table import AUGMENTS
from facegan.devices import send
from facegan.families import get_family
from facegan.layers.network import Mix
from facegan.losses.adversarial import LOSSES, Loss
from facegan.prior import Latent
from facegan.training.sampler import ImageSampler
from facegan.training.schedules import burn_in
from facegan.training.state import Slice, Statistics, TrainState


@dataclass(frozen=True)
class Batch:
    """Images ``start .. start + count - 1`` of the run, real or generated, by their global index."""

    start: int
    count: int


def slices(state: TrainState, count: int) -> list[Slice]:
    """Return this process's share of a batch of ``count``, cut into ``accumulate`` slices."""
    pieces = state.config.accumulate
    size = count // (distributed.world() * pieces)
    first = distributed.rank() * pieces if distributed.world() > 1 else 0
    return [((first + i) * size, (first + i + 1) * size) for i in range(pieces)]


def draw_latents(
    state: TrainState, batch: Batch, part: Slice | None = None, *, purpose: str = "latent"
) -> torch.Tensor:
    """Return training latents ``N,dim`` of a slice of a batch of generated images."""
    c = state.config.latent
    low, high = part or (0, batch.count)
    normal = torch.from_numpy(
        rng.normal(state.config.seed, purpose, batch.start + low, count=high - low, per_item=c.dim)
    )
    mean = c.mean if c.train_mean is None else c.train_mean
    std = c.std if c.train_std is None else c.train_std
    prior = Latent("normal" if c.kind == "truncated" else c.kind, c.dim, mean, std)
    return send(prior.shape_normal(normal).to(state.dtype), state.device)


def next_fakes(state: TrainState, count: int) -> Batch:
    """Return the next ``count`` generated images; drawing them counts."""
    batch = Batch(state.fakes_drawn, count)
    state.fakes_drawn += count
    return batch


# --- real and generated images --------------------------------------------------------------------------


class Judged(NamedTuple):
    """What the discriminator makes of images ``N,C,H,W``."""

    kind: str
    """real, fake (in its own update), g and g-real (in the generator's), or gp."""
    images: torch.Tensor
    logits: torch.Tensor
    """``N``, above the loss's boundary for real; the opposite of a network that learns 1 for generated."""
    projected: torch.Tensor | None
    """Logits ``N,K`` of the heads on a frozen network."""

    def statistics(self, loss: Loss) -> Statistics:
        """Return the mean logit, and how often the discriminator is right."""
        x, real = self.logits, self.kind == "real"
        right = x > loss.boundary if real else x < loss.boundary
        return {f"score_{self.kind}": x, f"accuracy_{self.kind}": right.float()}


@dataclass
class Pair:
    """The real and the generated batch of one network's update."""

    state: TrainState
    sampler: ImageSampler
    real: Batch
    fake: Batch
    precomputed_fakes: torch.Tensor | None = None
    """The generated images, where they are there already."""
    iterated: bool = False
    """Whether the heads' spectral norms have taken their one power iteration of this update."""

    @property
    def loss(self) -> Loss:
        return LOSSES[self.state.config.loss]

    def reals(self, part: Slice) -> torch.Tensor:
        """Return real images as the discriminator takes them at this stage of training."""
        images = self.sampler(self.real.start, self.real.count, part).to(self.state.dtype)
        return self.state.discriminator.prepare_real(images)

    def real_labels(self, part: Slice) -> torch.Tensor | None:
        """Return the labels ``N,L`` of the real images; None without labels."""
        if not self.state.label_dim:
            return None
        return self.sampler.labels(self.real.start, self.real.count, part).to(self.state.dtype)

    def fake_labels(self, part: Slice) -> torch.Tensor | None:
        """Return labels drawn from the data; a loss over pairs compares images with the same labels."""
        if not self.state.label_dim:
            return None
        if self.loss.needs_real:
            return self.real_labels(part)
        return self.sampler.drawn_labels(self.fake.start, part).to(self.state.dtype)

    def generate(self, part: Slice, grad: bool) -> torch.Tensor:
        """Return generated images, which hang on the generator's graph if ``grad``."""
        state = self.state
        z, labels = draw_latents(state, self.fake, part), self.fake_labels(part)
        with torch.set_grad_enabled(grad), state.autocast():
            if grad or not state.config.frozen_fakes:
                fakes: torch.Tensor = state.generator(z, labels, self._mixed(part))
            else:
                state.generator.eval()
                fakes = state.generator(z, labels)
                state.generator.train()
            return fakes

    def _mixed(self, part: Slice) -> Mix | None:
        """Return second latents if the generator mixes styles."""
        state, (low, high) = self.state, part
        if not get_family(state.config.family).style_mixing(state.config.model):
            return None
        u = rng.uniform(
            state.config.seed, "style-mixing", self.fake.start + low, count=high - low, per_item=2
        )
        z = draw_latents(state, self.fake, part, purpose="latent-mixing")
        return z, beside(z, u)

    def judge_reals(self, part: Slice, grad: bool = False) -> Judged:
        """Return the verdict on real images, which take gradients if ``grad``."""
        images = self.reals(part).requires_grad_(grad)
        return self.discriminate(images, self.real_labels(part), "real", first=self.real.start + part[0])

    def judge_fakes(self, part: Slice, grad: bool = False) -> Judged:
        """Return the verdict on generated images, cut off from the generator."""
        fakes = self.precomputed_fakes
        images = self.generate(part, grad=False) if fakes is None else fakes
        images = images.detach().requires_grad_(grad)
        return self.discriminate(images, self.fake_labels(part), "fake", first=self.fake.start + part[0])

    def discriminate(
        self, images: torch.Tensor, labels: torch.Tensor | None, kind: str, *, first: int
    ) -> Judged:
        """Return the verdict on augmented images.

        ``first`` is the global index of the first image among those of its ``kind``.
        """
        state = self.state
        heads, projected = state.discriminator.projected, None
        seen = augmented(state, images, kind, first=first)
        with state.autocast():
            logits = state.discriminator(seen, labels).to(state.dtype)
            if heads is not None and kind in ("real", "fake", "g"):
                # Spectral norms take one power iteration an update, into however many slices it is cut.
                heads.train(not self.iterated)
                self.iterated = True
                # Only the generator learns through the frozen network.
                projected = heads(seen if kind == "g" else seen.detach(), labels).to(state.dtype)
        return Judged(kind, images, -logits if state.config.flip_labels else logits, projected)


def beside(x: torch.Tensor, draws: np.ndarray) -> torch.Tensor:
    """Return numbers where ``x`` lies, in its type."""
    return send(torch.from_numpy(draws).to(x.dtype), x.device)


def path_noise(seed: int, indices: range, like: torch.Tensor) -> torch.Tensor:
    """Return N(0, 1) of the shape of ``like`` (``N,C,H,W``), drawn where it lies by each image's index."""
    generator = torch.Generator(like.device)
    draws = torch.empty_like(like, memory_format=torch.contiguous_format)
    for row, index in zip(draws, indices, strict=True):
        row.normal_(generator=generator.manual_seed(rng.torch_seed(seed, "path", index)))
    return draws


# --- augmentation (Karras et al. 2020b, ADA) --------------------------------------------------------------


def strength(state: TrainState) -> float:
    """Return the probability p of the augmentations at this update."""
    c = state.config
    if not c.augment:
        return 0.0
    return state.augment.p if c.augment_target else burn_in(state, 0.0, c.augment_p)


def augmented(state: TrainState, images: torch.Tensor, kind: str, *, first: int) -> torch.Tensor:
    """Return images as the discriminator sees them; draws belong to each one's index among its kind."""
    p = strength(state)
    if p == 0.0:
        return images
    seed, count = state.config.seed, len(images)

    def draw(purpose: str, k: int) -> torch.Tensor:
        u = rng.uniform(seed, f"augment-{kind}-{purpose}", first, count=count, per_item=k)
        # Never in half precision, which would change the tails of the draws.
        return torch.from_numpy(u).to(torch.promote_types(images.dtype, torch.float32))

    return AUGMENTS[state.config.augment](images, p, draw)


def adapt(state: TrainState, margin: torch.Tensor) -> None:
    """Record how often real images are recognised (``margin`` ``N`` above 0), and adapt p to it."""
    c = state.config
    if not c.augment or not c.augment_target:
        return
    signs = distributed.mean(margin.detach().sign().float().mean())
    state.augment.observe(signs, c.batch // c.accumulate)
    if state.augment.fresh:
        for name, value in (("augment_r", state.augment.heuristic), ("augment_p", state.augment.p)):
            state.record(name, torch.full((), float(value or 0.0), device=state.device))
