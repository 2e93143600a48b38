"""What the readers of StyleGAN2's weights share: widths, filters and labels by facegan's settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from facegan.errors import ModelError
from facegan.families.stylegan2.config import GeneratorConfig
from facegan.layers.halving import resolutions

if TYPE_CHECKING:
    from torch import Tensor

MOST_LABELS = 1024


def channel_settings(widths: Sequence[int], size: int) -> dict[str, Any]:
    """Return channel_base and channel_max that give these widths, of 4x4 first, for pictures of ``size``.

    Raises:
        ModelError: no settings do.
    """
    from facegan.families.stylegan2.networks import channels

    config = GeneratorConfig(channel_base=widths[-1] * size, channel_max=max(widths))
    if [channels(config, level) for level in resolutions(size, size)] != list(widths):
        raise ModelError(
            f"its layers have {', '.join(map(str, widths))} channels; facegan's are a constant / resolution, "
            "some number at most"
        )
    return {"channel_base": config.channel_base, "channel_max": config.channel_max}


def check_filters(tensors: dict[str, Tensor], what: str) -> None:
    """Raise ModelError if some filter of resampling is not [1, 3, 3, 1] along both axes."""
    import torch

    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    for name, value in tensors.items():
        if name.rpartition(".")[2] in ("resample_filter", "kernel", "Kernel"):
            total = value.sum()
            if value.shape != (4, 4) or not torch.allclose(value / total, torch.outer(row, row), atol=1e-4):
                raise ModelError(
                    f"{what}: {name} is not the filter [1, 3, 3, 1]; facegan resamples by no other"
                )


def class_labels(count: int) -> dict[str, Any]:
    """Return names and frequencies of labels that are taken for classes, each as frequent as the others."""
    if count > MOST_LABELS:
        raise ModelError(f"it takes {count:,} labels; facegan reads at most {MOST_LABELS:,}")
    rows = [[int(i == j) for j in range(count)] for i in range(count)]
    found = {"rows": rows, "counts": [1] * count} if count else {}
    return {"labels": tuple(f"label={i}" for i in range(count)), "label_rows": found}


def mapping_state(tensors: dict[str, Tensor], depth: int, prefix: str) -> dict[str, Tensor]:
    """Return the state of a mapping network by our names; that of a generator has the average of w, too."""
    names = {f"{prefix}fc{i}.": f"mapping.layers.{i}." for i in range(depth)} | {
        f"{prefix}embed.": "mapping.embed."
    }
    found = {
        f"{new}{k}": tensors[f"{old}{k}"]
        for old, new in names.items()
        for k in ("weight", "bias")
        if f"{old}{k}" in tensors
    }
    average = tensors.get(f"{prefix}w_avg")
    return found if average is None else {**found, "w_avg": average}
