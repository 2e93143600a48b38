"""What changes while a run goes on, and what is due when: all from counts of images, never from the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facegan.layers.ema import ema_decay, update_ema
from facegan.recipes.config import TrainConfig
from facegan.training.state import TrainState


def cosine(start: float, end: float, images_seen: int, *, length_kimg: float) -> float:
    """Return where half a cosine from ``start`` to ``end`` stands; after ``length_kimg`` it stays at ``end``.

    The burn-in of R3GAN (Huang et al. 2024, appendix D) for learning rate, Adam's beta2, gamma, the
    half-life of the moving average and the probability of augmentation. No length is ``end`` at once.
    """
    length = length_kimg * 1000
    if images_seen >= length:
        return end
    share = max(images_seen, 0) / length
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))


def burn_in(state: TrainState, start: float, end: float) -> float:
    """Return the value between ``start`` and ``end`` along half a cosine over ``burnin_kimg``."""
    return cosine(start, end, state.images_seen, length_kimg=state.config.burnin_kimg)


def set_rates(state: TrainState) -> None:
    """Set the learning rates and Adam's beta2 of this update.

    Warm-up, burn-in and linear cool-down scale the rates; Keras's decay divides them by the number of steps.
    """
    c = state.config
    factor = burn_in(state, c.burnin_lr, 1.0)
    if c.warmup_kimg > 0:
        factor *= min(1.0, (state.images_seen + c.batch) / (c.warmup_kimg * 1000))
    if c.cooldown > 0:
        left = 1.0 - state.images_seen / max(c.kimg * 1000, 1)
        factor *= min(1.0, max(left / c.cooldown, 0.0))
    # Each optimiser counts its own steps: the discriminator may take two for one of the generator.
    for name, steps in state.objective.steps_per_update(c).items():
        settings = state.settings(name)
        for group in state.optimizers[name].param_groups:
            decay = 1.0 + settings.lr_decay * state.updates * steps
            group["lr"] = settings.lr * state.lr_scale * factor / decay
            if c.burnin_beta2:
                group["betas"] = (settings.beta1, burn_in(state, c.burnin_beta2, settings.beta2))


def average_decay(config: TrainConfig, count: int, *, images_seen: int, images_before: int) -> float:
    """Return how much of the moving average stays at an update of ``count`` images.

    Args:
        config: of the run.
        count: images of the update.
        images_seen: after it, by this run.
        images_before: by the run that this one began with.
    """
    halflife, seen = config.ema_halflife_kimg, images_before + images_seen
    if config.burnin_ema and not images_before:  # an average that was begun with is not young
        halflife = cosine(0.0, halflife, images_seen, length_kimg=config.burnin_kimg)
    if config.ema_start_kimg > 0 and seen <= config.ema_start_kimg * 1000:
        return 0.0
    return ema_decay(count, halflife, seen, rampup=config.ema_rampup or None)


def update_averages(state: TrainState, count: int) -> None:
    """Move the averages of networks by an update that has seen ``count`` images."""
    seen = {"images_seen": state.images_seen, "images_before": state.images_before}
    decay = average_decay(state.config, count, **seen)
    for name, of in state.objective.averages.items():
        if name in state.networks:
            update_ema(state.networks[name], state.networks[of], decay)


def metric_kimg(config: TrainConfig) -> float:
    """Return how often the metric is measured, in kimg."""
    return config.metric_kimg or max(config.kimg / 20, config.metric_count * 40 / 1000)


@dataclass(frozen=True)
class Due:
    """What is due after an update that has seen images ``before`` .. ``now - 1``."""

    ends: bool
    statistics: bool
    grid: bool
    metric: bool
    checkpoint: bool


def due(config: TrainConfig, before: int, now: int) -> Due:
    """Return what is due; at the end of the run, everything that the run asks for."""
    total = round(config.kimg * 1000)
    ends = now >= total

    def passed(every: float) -> bool:
        step = max(1, round(every))
        return ends or now // step > before // step

    metric = bool(config.metric) and passed(metric_kimg(config) * 1000)
    return Due(
        ends=ends,
        statistics=passed(max(config.batch, total // 400)),
        grid=metric or passed((config.grid_kimg or config.kimg / 40) * 1000),
        metric=metric,
        checkpoint=passed((config.checkpoint_kimg or config.kimg / 10) * 1000),
    )
