"""Out of memory: recognising it, and finding what fits."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch

from facegan import distributed
from facegan.errors import FaceganError
from facegan.families import get_family
from facegan.recipes.config import TrainConfig, override
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.state import TrainState, as_if_finished


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, on any device, says so."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error).lower()
    # The last is what oneDNN, which computes convolutions on the CPU, says.
    signs = ("out of memory", "can't allocate memory", "not enough memory", "could not create a primitive")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def fits(
    config: TrainConfig,
    shape: Sequence[int],
    device: torch.device,
    *,
    error: BaseException,
    free: TrainState | None = None,
    label_dim: int = 0,
) -> str:
    """One line for the user, with the smallest ``--accumulate`` of whose pieces two real updates succeed.

    What the frames of ``error`` and the state ``free`` hold is given up first. Of several processes each
    tries its own share of the batch by itself: the others may have other work, or none any more.
    """
    traceback.clear_frames(error.__traceback__)
    error.__traceback__ = None  # frames hold closures, which hold pictures, also after they were cleared
    if free is not None:
        vars(free).clear()
    size, pieces, share = config.g_batch or config.batch, config.accumulate, distributed.world()
    text = f"--batch {config.batch}: out of memory on {device}"
    batches = [n for n in (config.batch, config.g_batch) if n]
    fitting = 0
    # From the smallest piece up: an attempt that fails may leave memory behind inside of torch.
    for more in range(size // share, pieces, -1):
        if any(n % (more * share) for n in batches):
            continue
        piece = {name: getattr(config, name) // (more * share) for name in ("batch", "g_batch")}
        with distributed.alone():
            succeeded = _tried(
                override(config, {"accumulate": 1, **piece}), shape, device, label_dim=label_dim
            )
        if succeeded:
            fitting = more
        elif fitting:
            break
    if fitting:
        smaller = [
            f"--{name.replace('_', '-')} {getattr(config, name) // fitting * pieces}"
            for name in ("batch", "g_batch")
            if getattr(config, name)
        ]
        return (
            f"{text}; --accumulate {fitting} fits (the same batch in {fitting} pieces), and so does "
            f"{' '.join(smaller)}"
        )
    option = get_family(config.family).width_setting.replace("_", "-")
    less = f"half of --generator.{option} and --discriminator.{option}" if option else "narrower networks"
    return f"{text}, and not even one picture at a time fits; try {less}"


def _tried(config: TrainConfig, shape: Sequence[int], device: torch.device, *, label_dim: int) -> bool:
    """Whether two updates on black pictures succeed; Adam's memory comes with the first."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    channels, height, width = shape
    with suppress(FaceganError):
        try:
            images = np.zeros((config.batch, height, width, channels), np.uint8)
            state = as_if_finished(create_state(config, shape, device, label_dim=label_dim))
            feed = ImageSampler(images, config, device, table=np.zeros((config.batch, label_dim), np.float32))
            train_step(state, feed)
            train_step(state, feed)
            return True
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    return False
