"""Joining the processes that ``torchrun`` or ``accelerate launch`` has started."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist

from facegan.errors import LostProcessError

# With one another, while the first one decodes a large dataset or measures.
PATIENCE = timedelta(hours=3)


def launched() -> int:
    """How many processes a launcher has started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


@contextlib.contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Within it, the launched processes can talk: through NCCL on GPUs, through gloo elsewhere.

    A process that was started alone, or has joined already, does nothing.
    """
    if launched() < 2 or (dist.is_available() and dist.is_initialized()):
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
        dist.barrier()  # nobody leaves while the first one still writes: its going would abort the others
    except LostProcessError:
        raise  # closing would wait for the dead, or abort
    except BaseException:
        with contextlib.suppress(Exception):  # the others may have gone already
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def lost(error: BaseException) -> str:
    """What an error says by which a process notices that another one has gone; else ""."""
    signs = ("connection closed", "connection reset", "broken pipe", "timed out", "gloo", "nccl", "peer")
    if not any(sign in str(error).lower() for sign in signs):
        return ""
    # gloo: "[its source file] what happened [address]: why. Advice to its developers"
    text = re.sub(r"^\[\S+\] *", "", str(error).splitlines()[0])
    return text.partition(". ")[0].rstrip(".")
