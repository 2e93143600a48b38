"""pix2pix (Isola et al. 2017): one update of a generator and a discriminator on pairs, from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch

from facegan import rng
from facegan.data.dataset import Dataset
from facegan.data.inputs import check_size, derive
from facegan.errors import ConfigError, InputError
from facegan.layers.network import Network
from facegan.losses.adversarial import LOSSES
from facegan.metrics.pair_table import PAIR_METRICS
from facegan.recipes.config import TrainConfig
from facegan.training.batches import slices
from facegan.training.patches import (
    Perceptual,
    TranslationObjective,
    discriminator_loss,
    family_of,
    generator_loss,
    judge,
    phase,
    translate,
)
from facegan.training.picture_galleries import PairGallery, PairMetricOf, held_out, spaced
from facegan.training.picture_samplers import PairSampler
from facegan.training.sampler import ImageSampler
from facegan.training.schedules import set_rates, update_averages
from facegan.training.state import Examples, Slice, Sources, Statistics, TrainState, without_gradients

LossAndStatistics = tuple[torch.Tensor, Statistics]


class Paired(TranslationObjective):
    """A generator that makes targets of inputs, judged beside its input."""

    averages: ClassVar = {"ema": "generator"}
    directions: ClassVar = {"forward": ("generator", "ema")}

    # --- what there is to train ---------------------------------------------------------------

    def check(self, config: TrainConfig) -> None:
        super().check(config)
        if config.metric and config.metric not in PAIR_METRICS:
            raise ConfigError(f"--metric {config.metric}: pairs are measured by {', '.join(PAIR_METRICS)}")
        if config.metric == "perceptual" and config.metric_features != "faces":
            raise ConfigError("--metric perceptual: it compares by --metric-features faces")

    def check_sources(self, config: TrainConfig, sources: Sources) -> None:
        super().check_sources(config, sources)
        data = sources.data
        if data.has_inputs:
            if config.input not in ("", "given"):
                raise ConfigError(
                    f"--input {config.input}: {data.path} has inputs of its own; leave --input out"
                )
            return
        if config.input in ("", "given"):
            raise ConfigError(
                f"{data.path}: it has no inputs; give --input, such as --input edges, or prepare pairs with "
                "'facegan prepare --pairs'"
            )
        try:
            check_size(config.input, data.size)
        except InputError as error:
            raise ConfigError(f"--input {error}" if "--input" not in str(error) else str(error)) from None

    def beside(self, config: TrainConfig, sources: Sources) -> np.ndarray | None:
        return inputs_of(sources.data, config, "train") if sources.data.has_inputs else None

    def sampler(
        self, images: np.ndarray, config: TrainConfig, device: torch.device, **more: np.ndarray | None
    ) -> PairSampler:
        derived = config.input not in ("", "given")
        return PairSampler(images, config, device, beside=None if derived else more.get("beside"))

    def build(self, config: TrainConfig, image_shape: Sequence[int], label_dim: int) -> Mapping[str, Network]:
        family, model = family_of(config), config.model
        return {
            "generator": family.build_translator(model.generator, image_shape),
            "discriminator": family.build_discriminator(model.discriminator, image_shape),
        }

    # --- how it is trained --------------------------------------------------------------------

    def steps_per_update(self, config: TrainConfig) -> Mapping[str, int]:
        return {"generator": 1, "discriminator": 1}

    def update(self, state: TrainState, sampler: ImageSampler) -> None:
        _update(state, cast(PairSampler, sampler))

    # --- what it makes ------------------------------------------------------------------------

    def gallery(self, state: TrainState, sampler: ImageSampler, sources: Sources, **more: Any) -> PairGallery:
        inputs, targets = _some_pairs(sources.data, state.config, state.config.grid_count)
        return PairGallery(inputs, targets, quality=more.get("quality"))

    def metric(self, config: TrainConfig, sources: Sources, device: torch.device) -> PairMetricOf:
        inputs, targets = _some_pairs(sources.data, config, config.metric_count)
        return PairMetricOf(inputs, targets, config, split=held_out(sources.data), device=device)

    def examples(self, state: TrainState, image_shape: Sequence[int], count: int) -> Examples:
        picture = torch.zeros(count, *image_shape, device=state.device, dtype=state.dtype)
        return {
            "generator": (state.networks["generator"], (picture,)),
            "discriminator": (state.networks["discriminator"], (torch.cat([picture, picture], 1),)),
        }


OBJECTIVE = Paired()


def inputs_of(
    data: Dataset, config: TrainConfig, split: str, *, rows: np.ndarray | None = None
) -> np.ndarray:
    """Return the inputs of a split, or of some rows of it: those given, or derived ones."""
    if data.has_inputs:
        inputs = data.inputs(split)
        return inputs if rows is None else inputs[rows]
    images = data.images(split)
    return derive(config.input, images if rows is None else images[rows])


def _some_pairs(data: Dataset, config: TrainConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of held-out pictures, evenly spaced."""
    split = held_out(data)
    rows = spaced(data.counts.get(split, 0), count)
    return inputs_of(data, config, split, rows=rows), data.images(split)[rows]


def _update(state: TrainState, sampler: PairSampler) -> None:
    c = state.config
    start, parts = state.images_seen, slices(state, c.batch)

    # --- Schedules ------------------------------------------------------------------------------
    set_rates(state)
    # Dropout draws from torch's own generator: set by count, so that a resumed run agrees.
    torch.manual_seed(rng.torch_seed(c.seed, "step", state.updates))

    # --- Pairs and results, which serve both networks -------------------------------------------
    pairs = {part: sampler.pairs(start, c.batch, part) for part in parts}
    pairs = {part: (x.to(state.dtype), y.to(state.dtype)) for part, (x, y) in pairs.items()}
    # In one piece the graph is kept for the generator's step; in several, results are computed again there.
    whole = len(parts) == 1
    results = {part: _results(state, x, grad=whole) for part, (x, _) in pairs.items()}

    # --- Discriminator --------------------------------------------------------------------------
    def d_loss(part: Slice) -> LossAndStatistics:
        inputs, targets = pairs[part]
        real = judge(state, "discriminator", targets, inputs=inputs, iterate=part == parts[0])
        fake = judge(state, "discriminator", results[part], inputs=inputs)
        return discriminator_loss(state, "discriminator", real, fake=fake)

    state.step("discriminator", d_loss, parts)
    state.images_seen += c.batch

    # --- Generator ------------------------------------------------------------------------------
    def g_loss(part: Slice) -> LossAndStatistics:
        inputs, targets = pairs[part]
        made = results[part] if whole else _results(state, inputs, grad=True)
        return reconstruction_and_adversarial(state, inputs, made, targets=targets)

    with without_gradients(state.networks["discriminator"]):
        state.step("generator", g_loss, parts)

    # --- Moving average -------------------------------------------------------------------------
    update_averages(state, c.batch)
    state.updates += 1


def _results(state: TrainState, inputs: torch.Tensor, *, grad: bool) -> torch.Tensor:
    with torch.set_grad_enabled(grad):
        return translate(state, "generator", inputs)


def reconstruction_and_adversarial(
    state: TrainState, inputs: torch.Tensor, results: torch.Tensor, *, targets: torch.Tensor
) -> LossAndStatistics:
    """Return the generator's loss: adversarial, L1 (equations 1 to 4), and perceptual if it has a weight."""
    c, weights = state.config, state.config.translation
    total = results.new_zeros(())
    statistics = {}
    if weights.adversarial_weight:
        fake = judge(state, "discriminator", results, inputs=inputs, learns="g")
        real = None
        if LOSSES[c.loss].needs_real:
            with torch.no_grad():
                real = judge(state, "discriminator", targets, inputs=inputs, learns="g")
        statistics["loss_adversarial"] = generator_loss(state, "discriminator", fake, real=real)
        total = total + weights.adversarial_weight * statistics["loss_adversarial"]
    statistics["loss_l1"] = (results - targets).abs().mean()
    total = total + weights.l1_weight * statistics["loss_l1"]
    if weights.perceptual_weight:
        with state.autocast():
            statistics["loss_perceptual"] = _perceptual(state)(results, targets, phase(state)).to(state.dtype)
        total = total + weights.perceptual_weight * statistics["loss_perceptual"]
    return total, {**statistics, "loss_g": total}


_NETWORKS: dict[tuple[torch.device, torch.dtype], Perceptual] = {}


def _perceptual(state: TrainState) -> Perceptual:
    """Return the frozen network of the perceptual loss, loaded once."""
    key = (state.device, state.dtype)
    if key not in _NETWORKS:
        _NETWORKS[key] = Perceptual(state.device, state.dtype)
    return _NETWORKS[key]
