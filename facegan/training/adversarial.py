"""Adversarial training from noise: one update of a discriminator and a generator, from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from facegan import rng
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.generator import Generator, describe
from facegan.layers.ema import batch_norms
from facegan.layers.network import GeneratorNetwork, Network
from facegan.layers.spectral import iterate
from facegan.losses.adversarial import LOSSES
from facegan.losses.penalties import (
    gradient_penalty,
    interpolation_penalty,
    orthogonal_penalty,
    path_length_mean,
    path_length_penalty,
    path_lengths,
)
from facegan.metrics.pair_table import PAIR_METRICS
from facegan.metrics.random_features import QuickQuality
from facegan.metrics.validation import ValidationMetric
from facegan.prior import Latent
from facegan.recipes.config import TrainConfig
from facegan.training import snapshot
from facegan.training.batches import (
    Batch,
    Judged,
    Pair,
    adapt,
    beside,
    draw_latents,
    next_fakes,
    path_noise,
    slices,
)
from facegan.training.initialization import initialise
from facegan.training.sampler import ImageSampler
from facegan.training.samples import Samples, validation_metric
from facegan.training.schedules import burn_in, set_rates, update_averages
from facegan.training.state import (
    Examples,
    Given,
    Objective,
    Slice,
    Sources,
    Statistics,
    TrainState,
    without_gradients,
)

LossAndStatistics = tuple[torch.Tensor, Statistics]
HEADS = LOSSES["hinge"]  # of the discriminator's heads on a frozen network
NO_INPUT = "{} makes pictures from noise; recipes such as pix2pix-64 make them from an input"


class Adversarial(Objective):
    """A generator of images from noise against a discriminator (Goodfellow et al. 2014)."""

    averages: ClassVar = {"ema": "generator"}

    def check(self, config: TrainConfig) -> None:
        if config.input:
            raise ConfigError(f"--input {config.input}: {NO_INPUT.format(config.recipe or 'this recipe')}")
        if config.metric in PAIR_METRICS:
            raise ConfigError(f"--metric {config.metric}: {NO_INPUT.format(config.recipe or 'this recipe')}")

    def initialise(self, state: TrainState, given: Given, image_shape: Sequence[int]) -> str:
        return initialise(state, given, image_shape)

    def bounded(self, config: TrainConfig) -> bool:
        return LOSSES[config.loss].bounded

    def build(self, config: TrainConfig, image_shape: Sequence[int], label_dim: int) -> Mapping[str, Network]:
        family, model = get_family(config.family), config.model
        generator = family.build_generator(
            model.generator, image_shape, config.latent.dim, label_dim=label_dim
        )
        discriminator = family.build_discriminator(model.discriminator, image_shape, label_dim)
        if config.accumulate > 1:
            # Fakes that serve both networks are drawn once in one piece, in several once for each network.
            again = (config.d_updates + 1) / config.d_updates if config.reuse_fakes else 1
            generator.pieces = config.accumulate * again
        return {"generator": generator, "discriminator": discriminator}

    def steps_per_update(self, config: TrainConfig) -> Mapping[str, int]:
        return {"generator": 1, "discriminator": config.d_updates * (2 if config.d_split else 1)}

    def update(self, state: TrainState, sampler: ImageSampler) -> None:
        try:
            _update(state, sampler)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            c = state.config
            pieces = f" in {c.accumulate} pieces (--accumulate)" if c.accumulate > 1 else ""
            raise ConfigError(
                f"--batch {c.batch}{pieces}: the batch norm of these networks needs 2 pictures at a time"
            ) from None

    def header(self, config: TrainConfig, image_shape: Sequence[int], **more: Any) -> dict[str, Any]:
        c = config.latent
        latent = Latent(c.kind, c.dim, c.mean, c.std)
        return describe(config.family, config.model, latent, image_shape=image_shape, **more)

    def model(self, state: TrainState, metadata: dict[str, Any]) -> Generator:
        return snapshot.sampling_generator(state, metadata)

    def gallery(self, state: TrainState, sampler: ImageSampler, sources: Sources, **more: Any) -> Samples:
        quality = more.get("quality")
        if quality is None and state.config.quality_count:
            quality = QuickQuality(sources.data, state.config.quality_count)
        return Samples(state, sampler, more["run"], quality=quality)

    def metric(self, config: TrainConfig, sources: Sources, device: torch.device) -> ValidationMetric:
        return validation_metric(sources.data, config, device)

    def renews_statistics(self, state: TrainState) -> bool:
        return state.ema is not None and bool(batch_norms(state.ema))

    def examples(self, state: TrainState, image_shape: Sequence[int], count: int) -> Examples:
        z = torch.randn(count, state.config.latent.dim, generator=torch.Generator().manual_seed(0))
        labels = torch.zeros((count, state.label_dim), device=state.device, dtype=state.dtype)
        some = (labels,) if state.label_dim else ()
        pictures = torch.zeros(count, *image_shape, device=state.device, dtype=state.dtype)
        return {
            "generator": (state.generator, (z.to(state.device, state.dtype), *some)),
            "discriminator": (state.discriminator, (pictures, *some)),
        }


OBJECTIVE = Adversarial()


def _update(state: TrainState, sampler: ImageSampler) -> None:
    c = state.config
    family = get_family(c.family)

    # --- Schedules ------------------------------------------------------------------------------
    set_rates(state)
    if family.begin_update(c.model, state.generator, state.discriminator, images_seen=state.images_seen):
        state.forget_moments()
    # Dropout and the like draw from torch's own generator: set by count, so that a resumed run agrees.
    torch.manual_seed(rng.torch_seed(c.seed, "step", state.updates))

    # --- Discriminator --------------------------------------------------------------------------
    pair = Pair(state, sampler, Batch(0, 0), Batch(0, 0))
    for i in range(c.d_updates):
        pair = Pair(state, sampler, Batch(state.images_seen, c.batch), next_fakes(state, c.batch))
        if c.accumulate == 1 and not c.frozen_fakes:
            # The last batch of an update serves the generator as well: nothing is computed twice.
            keep = c.reuse_fakes and i == c.d_updates - 1
            pair.precomputed_fakes = pair.generate(slices(state, c.batch)[0], grad=keep)
        update_discriminator(pair)
        state.images_seen += c.batch

    # --- Generator ------------------------------------------------------------------------------
    if c.reuse_fakes:
        pair = Pair(state, sampler, pair.real, pair.fake, pair.precomputed_fakes)
    else:
        pair = Pair(state, sampler, pair.real, next_fakes(state, c.g_batch or c.batch))
    update_generator(pair)

    # --- Moving average -------------------------------------------------------------------------
    update_averages(state, c.batch * c.d_updates)
    state.updates += 1


def update_discriminator(pair: Pair) -> None:
    """Take one step of the discriminator's optimiser, or two with ``d_split``."""
    state, c = pair.state, pair.state.config
    if c.d_split:
        state.step("discriminator", lambda part: one_sided_loss(pair, part, "real"), slices(state, c.batch))
        state.step("discriminator", lambda part: one_sided_loss(pair, part, "fake"), slices(state, c.batch))
        state.sums["loss_d"] = (state.sums["loss_real"] + state.sums["loss_fake"]) / 2
        state.counts["loss_d"] = state.counts["loss_real"]
    else:
        state.step("discriminator", lambda part: discriminator_loss(pair, part), slices(state, c.batch))
    iterate(state.discriminator)


def update_generator(pair: Pair) -> None:
    """Take one step of the generator's optimiser."""
    with without_gradients(pair.state.discriminator):
        parts = slices(pair.state, pair.fake.count)
        pair.state.step("generator", lambda part: generator_loss(pair, part), parts)
    iterate(pair.state.generator)


# --- losses -----------------------------------------------------------------------------------------


def discriminator_loss(pair: Pair, part: Slice) -> LossAndStatistics:
    """Return the loss of both batches, with the penalties that are due at this update."""
    state, c, loss = pair.state, pair.state.config, pair.loss
    # Regularised lazily, with the weight raised as much (Karras et al. 2020, section 3.1); in the loss's own
    # step of Adam, so that its rate and moments stay as they are set (appendix B scales those).
    penalised = (c.r1_gamma > 0 or c.r2_gamma > 0) and state.updates % c.r1_every == 0
    real = pair.judge_reals(part, grad=penalised and c.r1_gamma > 0)
    fake = pair.judge_fakes(part, grad=penalised and c.r2_gamma > 0)
    x, y = real.logits, fake.logits
    adapt(state, x - y if loss.needs_real or not loss.bounded else x - loss.boundary)
    total = loss.d(x, y)
    statistics = {**real.statistics(loss), **fake.statistics(loss), "loss_d": total}
    if state.discriminator.projected is not None:
        total = total + (_heads_loss(state, real, statistics) + _heads_loss(state, fake, statistics))
    if loss.d_real is not None and loss.d_fake is not None:
        with torch.no_grad():
            statistics |= {"loss_real": loss.d_real(x), "loss_fake": loss.d_fake(y)}
    if c.label_noise:
        total = total + loss.d_scale * (_label_noise(pair, part, real) + _label_noise(pair, part, fake))
    for name, gamma, judged in (("r1", c.r1_gamma, real), ("r2", c.r2_gamma, fake)):
        if penalised and gamma > 0:
            statistics[name] = gradient_penalty(judged.logits, judged.images)
            total = total + statistics[name] * (gamma * burn_in(state, c.burnin_gamma, 1.0) * c.r1_every)
    if c.drift:
        total = total + c.drift * x.square().mean()
    if c.gp_weight:
        statistics["gp"] = _interpolated(pair, part, real.images, fake=fake.images)
        total = total + c.gp_weight * statistics["gp"]
    return total, statistics


def one_sided_loss(pair: Pair, part: Slice, kind: str) -> LossAndStatistics:
    """Return the discriminator's loss on real or on fake images alone."""
    state, loss = pair.state, pair.loss
    judged = pair.judge_reals(part) if kind == "real" else pair.judge_fakes(part)
    term = loss.d_real if kind == "real" else loss.d_fake
    assert term is not None
    total = term(judged.logits)
    statistics = {**judged.statistics(loss), f"loss_{kind}": total}
    if state.discriminator.projected is not None:
        total = total + _heads_loss(state, judged, statistics)
    if state.config.label_noise:
        total = total + _label_noise(pair, part, judged)
    return total, statistics


def generator_loss(pair: Pair, part: Slice) -> LossAndStatistics:
    """Return the generator's loss, with the path length penalty if that is due at this update."""
    state, loss = pair.state, pair.loss
    fakes = pair.precomputed_fakes
    images = pair.generate(part, grad=True) if fakes is None else fakes
    judged = pair.discriminate(images, pair.fake_labels(part), "g", first=pair.fake.start + part[0])
    reals = None
    if loss.needs_real:
        first = pair.real.start + part[0]
        reals = pair.discriminate(pair.reals(part), pair.real_labels(part), "g-real", first=first).logits
    total = loss.g(judged.logits, reals)
    statistics = {"loss_g": total}
    if state.discriminator.projected is not None:
        total = total + _heads_loss(state, judged, statistics)
    if state.config.orthogonal:
        statistics["orthogonal"] = orthogonal_penalty(_filters(state.generator))
        total = total + state.config.orthogonal * statistics["orthogonal"]
    settings = get_family(state.config.family).path_length(state.config.model)
    if settings is not None and state.updates % settings.every == 0:
        lengths, mean = _path_lengths(pair, part, settings.decay)
        statistics["path_length"] = lengths
        total = total + path_length_penalty(lengths, mean) * (settings.weight * settings.every)
    return total, statistics


def _filters(generator: GeneratorNetwork) -> Iterator[torch.Tensor]:
    """Return the weights ``filters,...`` of the generator's layers, without embeddings of labels."""
    for name, p in generator.named_parameters():
        if name.endswith("weight") and p.ndim > 1 and name not in generator.embeddings:
            yield p


def _heads_loss(state: TrainState, judged: Judged, statistics: Statistics) -> torch.Tensor:
    """Return the weighted hinge loss of the heads on a frozen network."""
    assert judged.projected is not None
    if judged.kind == "g":
        value = HEADS.g(judged.projected, None)
    else:
        term = HEADS.d_real if judged.kind == "real" else HEADS.d_fake
        assert term is not None
        value = statistics[f"loss_projected_{judged.kind}"] = term(judged.projected)
    return value * state.discriminator.projected_weight


def _label_noise(pair: Pair, part: Slice, judged: Judged) -> torch.Tensor:
    """Return what label_noise x U(0, 1) on each label adds to the binary cross entropy.

    BCE(x, t) = softplus(x) - t x on logits, so that t + u adds -u x; where labels are flipped, -x takes the
    place of x.
    """
    c, (low, high) = pair.state.config, part
    start = pair.real.start if judged.kind == "real" else pair.fake.start
    u = rng.uniform(c.seed, f"label-noise-{judged.kind}", start + low, count=high - low)[:, 0]
    sign = 1.0 if c.flip_labels else -1.0
    return sign * c.label_noise * (beside(judged.logits, u) * judged.logits).mean()


def _interpolated(pair: Pair, part: Slice, real: torch.Tensor, *, fake: torch.Tensor) -> torch.Tensor:
    """WGAN-GP's penalty between each real image and a generated one (Gulrajani et al. 2017)."""
    first, count = pair.real.start + part[0], part[1] - part[0]
    u = beside(real, rng.uniform(pair.state.config.seed, "gp", first, count=count)[:, 0])
    labels = pair.real_labels(part)

    def logits(images: torch.Tensor) -> torch.Tensor:
        return pair.discriminate(images, labels, "gp", first=first).logits

    return interpolation_penalty(logits, real.detach(), fake.detach().to(real), u=u)


def _path_lengths(pair: Pair, part: Slice, decay: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Path lengths of half of the batch, and their running mean (Karras et al. 2020, equation 4)."""
    state, c, (low, high) = pair.state, pair.state.config, part
    # Every second image: the same ones, however the batch is shared, where shares are even.
    z = draw_latents(state, pair.fake, part, purpose="latent-path")[::2]
    labels = pair.fake_labels(part)
    with state.autocast():
        w = state.generator.map(z, None if labels is None else labels[::2])
        images = state.generator.synthesize(w, noise="random").to(state.dtype)
    y = path_noise(c.seed, range(pair.fake.start + low, pair.fake.start + high, 2), images)
    lengths = path_lengths(images, w, y / math.sqrt(images[0, 0].numel()))
    before = state.path_mean
    if not isinstance(before, torch.Tensor):
        before = torch.full((), before, dtype=lengths.dtype, device=lengths.device)
    # The slices of a batch move the mean as one update does.
    mean = path_length_mean(before, lengths, 1 - (1 - decay) ** (1 / c.accumulate))
    state.path_mean = mean.detach()  # read when it is saved: until then nothing waits for the device
    return lengths, mean
