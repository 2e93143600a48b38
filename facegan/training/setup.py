"""What a run is made of before it begins: checked shapes, settled settings, metadata, and who measures it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from facegan import __version__, distributed
from facegan.data.dataset import Dataset
from facegan.devices import slow_bfloat16
from facegan.errors import ConfigError, InputError, ModelError
from facegan.families import get_family
from facegan.generator import Latent, describe
from facegan.recipes.choice import accepts_shape
from facegan.recipes.config import TrainConfig, override
from facegan.training.evaluator import Quality
from facegan.training.trainer import with_precision


def image_shape(config: TrainConfig, data: Dataset) -> tuple[int, int, int]:
    """(C, H, W) of the dataset, checked against the recipe's needs."""
    (h, w), c = data.size, data.channels
    name = config.recipe or "this configuration"
    sized, coloured = accepts_shape(config, h, w), config.channels in (0, c)
    if not (sized and coloured):
        longer = " (the longer side)" if get_family(config.family).any_shape else ""
        shades = {1: "in grey", 3: "in colour"}
        has, needs, options = [], [], []
        if not sized:
            has, needs = [f"{w}x{h}"], [f"{config.size}x{config.size}{longer}"]
            options = [f"--size {config.size}"]
        if not coloured:
            has.append(shades[c])
            needs.append(("" if needs else "them ") + shades[config.channels])
            options.append("--gray" if config.channels == 1 else "--no-gray")
        raise ConfigError(
            f"{data.path}: its pictures are {' '.join(has)}, but {name} needs {' '.join(needs)}; "
            f"prepare with {' '.join(options)} or choose another recipe"
        )
    if data.counts.get("train", 0) < 2:
        raise ConfigError(f"{data.path}: it has fewer than 2 training pictures")
    return c, h, w


def settle(config: TrainConfig, device: torch.device, before: dict[str, Any]) -> TrainConfig:
    """The configuration with ``precision`` auto decided: as before, unless that is slow on this machine, else
    by the first process for all."""
    then = before.get("precision", "")
    if config.precision == "auto" and then and not (then == "bfloat16" and slow_bfloat16(device)):
        return override(config, {"precision": then})
    return cast(
        TrainConfig, distributed.from_first(distributed.first_does(lambda: with_precision(config, device)))
    )


def full_config(config: TrainConfig, data: Dataset, shape: Sequence[int], *, command: str) -> dict[str, Any]:
    dataset = {"path": str(data.path), **_identity(data)}
    return {
        **config.to_dict(),
        "image_shape": list(shape),
        "dataset": dataset,
        "command": command,
        "facegan": __version__,
    }


def model_metadata(
    config: TrainConfig, data: Dataset, shape: Sequence[int], *, command: str
) -> dict[str, Any]:
    """The header of the models of this run, but for the images seen."""
    latent = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
    provenance = {
        "recipe": config.recipe,
        "seed": config.seed,
        "command": command,
        "facegan": __version__,
        "dataset": _identity(data),
    }
    return describe(
        config.family,
        config.model,
        latent,
        image_shape=shape,
        provenance=provenance,
        alignment=data.crop,
        licence="that of its training pictures",
    )


def _identity(data: Dataset) -> dict[str, Any]:
    """What tells a dataset from others, wherever it lies."""
    return {
        "name": data.path.resolve().name,
        "content_hash": data.content_hash,
        "count": data.counts.get("train", 0),
    }


def judges(
    data: Dataset, config: TrainConfig, device: torch.device, *, quality: Quality | None
) -> tuple[Quality | None, Any]:
    """What grids are judged by, and the metric on held-out pictures."""
    if quality is None and config.quality_count:
        from facegan.metrics.random_features import QuickQuality

        quality = QuickQuality(data, config.quality_count)
    return quality, _metric(data, config, device) if config.metric else None


def _metric(data: Dataset, config: TrainConfig, device: torch.device) -> Any:
    from facegan.metrics.validation import ValidationMetric

    where = "cpu" if device.type == "mps" else str(device)
    try:
        return ValidationMetric(
            data, config.metric, config.metric_count, features=config.metric_features, device=where
        )
    except (InputError, ModelError) as error:
        raise ConfigError(str(error).replace("--features", "--metric-features")) from None
