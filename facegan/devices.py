"""What differs between devices: how numbers get there without waiting, and where there is mixed precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from facegan import arguments
from facegan.errors import InputError


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Without autocast, which tensors that have but a shape (device ``meta``) do not know anyway."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def send(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``x`` on ``device``. To a GPU it goes by pinned memory, beside the work that is queued there; a plain
    copy would first wait for the end of that."""
    if device.type == "cuda" and x.device.type == "cpu":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def check_device(device: str | torch.device) -> None:
    """InputError if there is no such device here."""
    if not isinstance(device, (str, torch.device)):
        raise InputError(f"the device must be a name such as cpu or cuda, not {arguments.shown(device)}")
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device {device}: not available here ({first}); try --device cpu") from None
