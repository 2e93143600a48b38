"""The model to use after an update, for sheets, metrics and saved models."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from facegan import rng
from facegan.conditions import Conditions
from facegan.generator import Generator
from facegan.layers.ema import batch_norms, recalibrate_batch_norm
from facegan.layers.spectral import SETTLED, iterate
from facegan.prior import Latent
from facegan.recipes.config import TrainConfig
from facegan.training.gallery import Model
from facegan.training.state import TrainState

BN_BATCHES, BN_BATCH = 16, 64


def sampling_generator(state: TrainState, metadata: dict[str, Any]) -> Generator:
    """Return a copy: the moving average with batch-norm statistics of its own, or the raw weights."""
    network = deepcopy(state.generator if state.ema is None else state.ema).eval()
    if state.ema is not None:
        settle(network, metadata, state.config, device=state.device)
    return Generator(network, with_progress(state, metadata), state.device).as_trained()


def settle(
    network: nn.Module, metadata: dict[str, Any], config: TrainConfig, *, device: torch.device
) -> None:
    """Give averaged weights of a generator what depends on them: spectral norms, batch-norm statistics."""
    iterate(network, SETTLED)  # the vectors have followed the raw weights
    if not batch_norms(network):
        return
    latent = Latent(**metadata["latent"])
    labels = _conditions(config, metadata) if metadata.get("labels") else None

    def batches() -> Iterator[tuple[torch.Tensor, ...]]:
        for first in range(0, BN_BATCHES * BN_BATCH, BN_BATCH):
            draws = rng.normal(config.seed, "batch-norm", first, count=BN_BATCH, per_item=config.latent.dim)
            z = latent.shape_normal(torch.from_numpy(draws)).to(device)
            told = () if labels is None else (labels.draw(range(first, first + BN_BATCH), {}),)
            yield z, *(row.to(z) for row in told)

    recalibrate_batch_norm(network, batches())


def with_progress(state: TrainState, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the header of a model with the images that it has seen."""
    provenance = {**metadata["provenance"], "images_seen": state.images_seen}
    if state.images_before:
        provenance["images_before"] = state.images_before
    return {**metadata, "provenance": provenance}


def _conditions(config: TrainConfig, metadata: dict[str, Any]) -> Conditions:
    """Return the labels as often as training draws them."""
    rows = metadata["label_rows"]
    if config.balance:
        rows = {**rows, "counts": [1] * len(rows["rows"])}
    return Conditions(metadata["labels"], rows)


class Snapshot:
    """The model of the current update, made when it is first needed."""

    def __init__(self, state: TrainState, metadata: dict[str, Any]) -> None:
        self.state, self.metadata = state, metadata
        self._model: Model = None

    def model(self) -> Model:
        if self._model is None:
            self._model = self.state.objective.model(self.state, self.metadata)
        return self._model

    def forget(self) -> None:
        """Let the next call make another one, because the weights have changed."""
        self._model = None
