"""Numbers on their way to a device that nobody should wait for."""

from __future__ import annotations

import torch


def send(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``x`` on ``device``. To a GPU it goes by pinned memory, beside the work that is queued there; a plain
    copy would first wait for the end of that."""
    if device.type == "cuda" and x.device.type == "cpu":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
