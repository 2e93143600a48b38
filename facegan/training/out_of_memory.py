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
from facegan.settings import flag
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.state import TrainState, as_if_finished


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory has run out, on any device."""
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
    """Return a line for the user with the smallest ``--accumulate`` with which two real updates succeed.

    What the frames of ``error`` and the state ``free`` hold is given up first. Each of several processes
    tries its own share of the batch by itself: the others may have other work, or none any more.
    """
    traceback.clear_frames(error.__traceback__)
    error.__traceback__ = None  # frames hold closures, which hold pictures, also after they were cleared
    if free is not None:
        vars(free).clear()
    size, pieces, share = config.g_batch or config.batch, config.accumulate, distributed.world()
    text = f"--batch {config.batch}: out of memory on {device}"
    sizes = {"batch": config.batch, "g_batch": config.g_batch}
    fitting = 0
    # From the smallest piece up: an attempt that fails may leave memory behind inside of torch.
    for more in range(size // share, pieces, -1):
        if any(n % (more * share) for n in sizes.values()):
            continue
        piece = {name: n // (more * share) for name, n in sizes.items()}
        with distributed.alone():
            succeeded = _succeeds(
                override(config, {"accumulate": 1, **piece}), shape, device, label_dim=label_dim
            )
        if succeeded:
            fitting = more
        elif fitting:
            break
    if fitting:
        smaller = [f"{flag(name)} {n // fitting * pieces}" for name, n in sizes.items() if n]
        return (
            f"{text}; --accumulate {fitting} fits (the same batch in {fitting} pieces), and so does "
            f"{' '.join(smaller)}"
        )
    option = get_family(config.family).width_setting.replace("_", "-")
    less = f"half of --generator.{option} and --discriminator.{option}" if option else "narrower networks"
    return f"{text}, and not even one picture at a time fits; try {less}"


def two_updates(
    config: TrainConfig, shape: Sequence[int], device: torch.device, *, label_dim: int = 0
) -> None:
    """Make two updates on black pictures as at the end of a run, with all penalties.

    Adam's memory comes with the first one.
    """
    state, sampler = finished_run(config, shape, device, label_dim=label_dim)
    for _ in range(2):
        state.updates = 0
        train_step(state, sampler)


def finished_run(
    config: TrainConfig, shape: Sequence[int], device: torch.device, *, label_dim: int = 0
) -> tuple[TrainState, ImageSampler]:
    """Return the state at the end of a run, and a batch of black pictures to make updates with."""
    channels, height, width = shape
    images = np.zeros((config.batch, height, width, channels), np.uint8)
    state = as_if_finished(create_state(config, shape, device, label_dim=label_dim))
    table = np.zeros((config.batch, label_dim), np.float32)
    return state, state.objective.sampler(images, config, device, table=table, beside=images)


def _succeeds(config: TrainConfig, shape: Sequence[int], device: torch.device, *, label_dim: int) -> bool:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    with suppress(FaceganError):
        try:
            two_updates(config, shape, device, label_dim=label_dim)
            return True
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    return False
