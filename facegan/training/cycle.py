"""CycleGAN (Zhu et al. 2017): one update of two generators and two discriminators, from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F

from facegan import distributed, rng
from facegan.errors import ConfigError
from facegan.layers.network import Network
from facegan.losses.adversarial import LOSSES
from facegan.metrics.pair_table import PAIR_METRICS
from facegan.recipes.config import TrainConfig
from facegan.training.batches import slices
from facegan.training.patches import (
    TranslationObjective,
    discriminator_loss,
    family_of,
    generator_loss,
    judge,
    translate,
)
from facegan.training.picture_galleries import DomainGallery, DomainMetric, held_out, spaced
from facegan.training.picture_samplers import DomainSampler
from facegan.training.pool import seen_by_discriminator
from facegan.training.sampler import ImageSampler
from facegan.training.schedules import set_rates, update_averages
from facegan.training.state import Examples, Slice, Sources, Statistics, TrainState, without_gradients

LossAndStatistics = tuple[torch.Tensor, Statistics]
GENERATORS, DISCRIMINATORS = ("generator_ab", "generator_ba"), ("discriminator_a", "discriminator_b")


class Cycle(TranslationObjective):
    """Generators in both directions between two domains, each undone by the other."""

    averages: ClassVar = {"ema_ab": "generator_ab", "ema_ba": "generator_ba"}
    directions: ClassVar = {"a-to-b": ("generator_ab", "ema_ab"), "b-to-a": ("generator_ba", "ema_ba")}

    # --- what there is to train ---------------------------------------------------------------

    def check(self, config: TrainConfig) -> None:
        super().check(config)
        if config.metric in PAIR_METRICS:
            raise ConfigError(f"--metric {config.metric}: it needs pairs; two domains have kid and fid")
        if config.input:
            raise ConfigError(f"--input {config.input}: this recipe trains on two datasets, A and --to B")

    def check_sources(self, config: TrainConfig, sources: Sources) -> None:
        a, b = sources.data, sources.to
        if b is None:
            raise ConfigError(
                f"{config.recipe or 'this recipe'} trains on two datasets: facegan train {a.path} --to B"
            )
        if (a.size, a.channels) != (b.size, b.channels):
            kinds = [f"{d.size[1]}x{d.size[0]} {'grey' if d.channels == 1 else 'colour'}" for d in (a, b)]
            raise ConfigError(
                f"--to {b.path}: its pictures are {kinds[1]}, those of {a.path} {kinds[0]}; prepare both so"
            )
        if b.counts.get("train", 0) < 2:
            raise ConfigError(f"--to {b.path}: it has fewer than 2 training pictures")
        if a.content_hash == b.content_hash:
            raise ConfigError(f"--to {b.path}: both domains are the same dataset")

    def beside(self, config: TrainConfig, sources: Sources) -> np.ndarray:
        assert sources.to is not None
        return sources.to.images("train")

    def sampler(
        self, images: np.ndarray, config: TrainConfig, device: torch.device, **more: np.ndarray | None
    ) -> DomainSampler:
        beside = more.get("beside")
        assert beside is not None
        return DomainSampler(images, config, device, beside=beside)

    def build(self, config: TrainConfig, image_shape: Sequence[int], label_dim: int) -> Mapping[str, Network]:
        family, model = family_of(config), config.model
        makers = {name: family.build_translator(model.generator, image_shape) for name in GENERATORS}
        judges = {
            name: family.build_discriminator(model.discriminator, image_shape) for name in DISCRIMINATORS
        }
        return {**makers, **judges}

    # --- how it is trained --------------------------------------------------------------------

    def steps_per_update(self, config: TrainConfig) -> Mapping[str, int]:
        return dict.fromkeys((*GENERATORS, *DISCRIMINATORS), 1)

    def update(self, state: TrainState, sampler: ImageSampler) -> None:
        _update(state, cast(DomainSampler, sampler))

    # --- what it makes ------------------------------------------------------------------------

    def gallery(
        self, state: TrainState, sampler: ImageSampler, sources: Sources, **more: Any
    ) -> DomainGallery:
        assert sources.to is not None
        shown = [
            data.images(held_out(data))[spaced(data.counts[held_out(data)], state.config.grid_count)]
            for data in (sources.data, sources.to)
        ]
        return DomainGallery(*shown, quality=more.get("quality"))

    def metric(self, config: TrainConfig, sources: Sources, device: torch.device) -> DomainMetric:
        assert sources.to is not None
        return DomainMetric(sources.data, sources.to, config, device=device)

    def examples(self, state: TrainState, image_shape: Sequence[int], count: int) -> Examples:
        picture = torch.zeros(count, *image_shape, device=state.device, dtype=state.dtype)
        return {
            "generator": (state.networks[GENERATORS[0]], (picture,)),
            "discriminator": (state.networks[DISCRIMINATORS[0]], (picture,)),
        }


OBJECTIVE = Cycle()


def _update(state: TrainState, sampler: DomainSampler) -> None:
    c = state.config
    start, parts = state.images_seen, slices(state, c.batch)

    # --- Schedules ------------------------------------------------------------------------------
    set_rates(state)
    torch.manual_seed(rng.torch_seed(c.seed, "step", state.updates))

    # --- Generators, both from one loss ---------------------------------------------------------
    real = {
        part: (
            sampler(start, c.batch, part).to(state.dtype),
            sampler.other(start, c.batch, part).to(state.dtype),
        )
        for part in parts
    }
    made: dict[Slice, tuple[torch.Tensor, torch.Tensor]] = {}

    def g_loss(part: Slice) -> LossAndStatistics:
        total, statistics, made[part] = generators_loss(state, *real[part])
        return total, statistics

    with without_gradients(*(state.networks[name] for name in DISCRIMINATORS)):
        state.step(GENERATORS, g_loss, parts)

    # --- Earlier results, of which the discriminators see some ----------------------------------
    shown = [
        _from_pool(state, name, torch.cat([made[part][i] for part in parts]), first=start)
        for i, name in enumerate("ab")
    ]
    low = parts[0][0]

    # --- Discriminators, each from a loss of its own --------------------------------------------
    def d_loss(part: Slice) -> LossAndStatistics:
        own = slice(part[0] - low, part[1] - low)
        total, statistics = torch.zeros((), device=state.device, dtype=state.dtype), Statistics()
        for i, name in enumerate(DISCRIMINATORS):
            verdict = judge(state, name, real[part][i], iterate=part == parts[0])
            fake = judge(state, name, shown[i][own])
            loss, values = discriminator_loss(state, name, verdict, fake=fake)
            total = total + loss
            for key, value in values.items():  # means over both
                statistics[key] = statistics.get(key, 0.0) + value.mean() / 2
        return total, statistics

    state.step(DISCRIMINATORS, d_loss, parts)
    state.images_seen += c.batch

    # --- Moving averages ------------------------------------------------------------------------
    update_averages(state, c.batch)
    state.updates += 1


def _from_pool(state: TrainState, domain: str, fresh: torch.Tensor, *, first: int) -> torch.Tensor:
    """Return what the discriminator of a domain sees of this process's new results.

    All processes put the results of all of them into the pool, in the order of their index.
    """
    c, key = state.config, f"pool_{domain}"
    if not c.translation.pool:
        return fresh
    everything = distributed.gather(fresh)
    pool = state.extra.get(key, everything[:0])
    seen, state.extra[key] = seen_by_discriminator(
        pool, everything, c.translation.pool, seed=c.seed, purpose=domain, first=first
    )
    mine = len(fresh) * distributed.rank() if distributed.world() > 1 else 0
    return seen[mine : mine + len(fresh)]


def generators_loss(
    state: TrainState, a: torch.Tensor, b: torch.Tensor
) -> tuple[torch.Tensor, Statistics, tuple[torch.Tensor, torch.Tensor]]:
    """Return the loss of both generators (equation 3 and section 5.2), statistics, and the results.

    The results are those that belong to the domains a and b, without gradients.
    """
    weights = state.config.translation
    identity = weights.cycle_weight * weights.identity_weight
    # One pass makes the results and, where that is asked for, what becomes of the target domain's pictures.
    fake_b, same_b = _both(state, GENERATORS[0], a, others=b if identity else None)
    fake_a, same_a = _both(state, GENERATORS[1], b, others=a if identity else None)
    there_and_back = translate(state, GENERATORS[1], fake_b), translate(state, GENERATORS[0], fake_a)
    statistics: Statistics = {
        "loss_adversarial": _adversarial(state, "discriminator_a", fake_a, real=a)
        + _adversarial(state, "discriminator_b", fake_b, real=b),
        "loss_cycle": F.l1_loss(there_and_back[0], a) + F.l1_loss(there_and_back[1], b),
    }
    total = weights.adversarial_weight * statistics["loss_adversarial"]
    total = total + weights.cycle_weight * statistics["loss_cycle"]
    if same_a is not None and same_b is not None:
        statistics["loss_identity"] = F.l1_loss(same_a, a) + F.l1_loss(same_b, b)
        total = total + identity * statistics["loss_identity"]
    return total, {**statistics, "loss_g": total}, (fake_a.detach(), fake_b.detach())


def _both(
    state: TrainState, name: str, images: torch.Tensor, *, others: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return what a generator makes of two batches, in one pass; None of the second if there is none."""
    if others is None:
        return translate(state, name, images), None
    made = translate(state, name, torch.cat([images, others]))
    return made[: len(images)], made[len(images) :]


def _adversarial(state: TrainState, name: str, fake: torch.Tensor, *, real: torch.Tensor) -> torch.Tensor:
    """Return the adversarial loss of results that should belong to a domain."""
    verdict = None
    if LOSSES[state.config.loss].needs_real:
        with torch.no_grad():
            verdict = judge(state, name, real, learns="g")
    return generator_loss(state, name, judge(state, name, fake, learns="g"), real=verdict)
