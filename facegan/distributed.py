"""Training in several processes through torch.distributed; a process on its own does none of it.

``torchrun`` or ``accelerate launch`` starts the processes, and :func:`together` joins them. Gradients are
averaged explicitly, which leaves gradient penalties and double forwards alone (as StyleGAN2-ADA does);
batch norm and dropout see the whole batch of all processes.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from facegan.errors import FaceganError, LostProcessError

T = TypeVar("T")
_alone = 0

# With one another, while the first one decodes a large dataset or measures.
PATIENCE = timedelta(hours=3)

# --- joining -------------------------------------------------------------------------------------------


def launched() -> int:
    """Return how many processes a launcher has started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


@contextlib.contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Let the launched processes talk meanwhile: through NCCL on GPUs, through gloo elsewhere.

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
    """Return what an error says if it means that another process has gone; else ""."""
    signs = ("connection closed", "connection reset", "broken pipe", "timed out", "gloo", "nccl", "peer")
    if not any(sign in str(error).lower() for sign in signs):
        return ""
    # gloo: "[its source file] what happened [address]: why. Advice to its developers"
    text = re.sub(r"^\[\S+\] *", "", str(error).splitlines()[0])
    return text.partition(". ")[0].rstrip(".")


# --- talking to one another ----------------------------------------------------------------------------


def world() -> int:
    """Return the number of processes that train together; 1 within :func:`alone`."""
    return dist.get_world_size() if not _alone and dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return this process's number, 0 for the one that writes."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let this process work by itself meanwhile: draw samples, for example."""
    global _alone
    _alone += 1
    try:
        yield
    finally:
        _alone -= 1


class _Sum(torch.autograd.Function):
    """Sum over processes. Its gradient is the sum of their gradients, and so on for every order."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _Sum.apply(gradient)


def mean(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of ``x`` over processes, differentiable to any order."""
    return x if world() == 1 else _Sum.apply(x) / world()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over processes, in one message."""
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= world()
    for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view(gradient.shape))


def gather(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` ``N,...`` of all processes, in their order, as one tensor without gradients."""
    if world() == 1:
        return x.detach()
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(world())]
    dist.all_gather(parts, x.detach().contiguous())
    return torch.cat(parts)


def from_first(value: T) -> T:
    """Return process 0's value in every process."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def first_does(action: Callable[[], T]) -> T | None:
    """Return what ``action`` gives in process 0, which alone does it; None in the others.

    A FaceganError there is raised in all of them, so that none waits for one that has given up.
    """
    found, error = None, None
    if rank() == 0:
        try:
            found = action()
        except FaceganError as mistake:
            error = mistake
    shared = from_first(error)
    if error is not None:
        raise error
    if shared is not None:
        shared.reported = True
        raise shared
    return found


def any_of(number: int, device: torch.device) -> int:
    """Return the largest ``number`` of all processes."""
    if world() == 1:
        return number
    box = torch.tensor(number, device=device)
    dist.all_reduce(box, dist.ReduceOp.MAX)
    return int(box)


def wait() -> None:
    """Wait until every process is here."""
    if world() > 1:
        dist.barrier()


def _shared_norm(norm: nn.modules.batchnorm._BatchNorm, x: torch.Tensor) -> torch.Tensor:
    """Return the batch norm over all processes' shares of a batch (Ioffe and Szegedy 2015, algorithm 1)."""
    axes = [0, *range(2, x.dim())]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    wide = x if x.dtype == torch.float64 else x.float()
    average = mean(wide.mean(axes))
    centred = wide - average.view(shape)
    variance = mean(centred.square().mean(axes))
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
        count = x.numel() // x.shape[1] * world()
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked += 1
        share = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
        with torch.no_grad():
            norm.running_mean.lerp_(average.to(norm.running_mean.dtype), share)
            unbiased = variance * (count / max(count - 1, 1))
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), share)
    out = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        out = out * norm.weight.view(shape) + norm.bias.view(shape)
    return out.to(x.dtype)


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm whose batch is that of all processes, on any device and to any order of gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _shared_norm(self, x) if self.training and world() > 1 else super().forward(x)


class BatchNorm2d(nn.BatchNorm2d):
    """As :class:`BatchNorm1d`, for ``N,C,H,W``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _shared_norm(self, x) if self.training and world() > 1 else super().forward(x)


def shared_randn(shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Draw N(0, 1) of ``shape``: this process's share of what one would draw for the batch of all."""
    n, *rest = shape
    draws = torch.randn(n * world(), *rest, device=device, dtype=dtype)
    return draws[rank() * n : (rank() + 1) * n] if world() > 1 else draws


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) whose mask is drawn for the batch of all processes.

    ``p`` is the probability of 0; the rest is divided by 1 - p.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        n = x.shape[0]
        draws = torch.rand(n * world(), *x.shape[1:], device=x.device)
        keep = draws[rank() * n : (rank() + 1) * n] if world() > 1 else draws
        return x * (keep >= self.p) / (1.0 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
