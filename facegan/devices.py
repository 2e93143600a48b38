"""Devices: choosing one, its memory, threads and precision."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F

from facegan import arguments, machine
from facegan.errors import ConfigError, InputError


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context without autocast (on ``meta``, where there is none, it does nothing)."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def send(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return ``x`` on ``device``; by pinned memory, so that a GPU's queue need not be empty first."""
    if device.type == "cuda" and x.device.type == "cpu":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def pick_device(name: str) -> torch.device:
    """Return the device; ``auto`` prefers CUDA, then MPS, then the CPU. ConfigError if it is not there."""
    local = os.environ.get("LOCAL_RANK", "0")
    if name in ("auto", "cuda") and torch.cuda.is_available() and int(local) < torch.cuda.device_count():
        name = f"cuda:{local}"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except TypeError:
        raise ConfigError(
            f"the device must be a name such as cpu or cuda, not {arguments.shown(name)}"
        ) from None
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: not available here ({str(error).splitlines()[0]})") from None
    return device


def check_device(device: str | torch.device) -> None:
    """Raise InputError if there is no such device here."""
    if not isinstance(device, (str, torch.device)):
        raise InputError(f"the device must be a name such as cpu or cuda, not {arguments.shown(device)}")
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device {device}: not available here ({first}); try --device cpu") from None


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on the device, within the process's limits; None where unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return machine.free_memory()


# --- threads -------------------------------------------------------------------------------------


@contextmanager
def working_threads(device: torch.device, wanted: int = 0, before: int = 0) -> Iterator[str]:
    """Give torch as many threads as there is room for; yield a note on it, or "".

    On a CPU, ``wanted`` is the user's number, and ``before`` that of the run that is resumed, whose last
    digits depend on it. Without either, and without OMP_NUM_THREADS, there is one for each core that other
    programs leave free: more would be slower, since each step waits for the last thread.
    """
    had = torch.get_num_threads()
    count, text = _count_threads(device, had, wanted, before=before)
    if count != had:
        torch.set_num_threads(count)
    waits = BriefWaits(count) if device.type == "cpu" and count > 1 else nullcontext()
    try:
        with waits:
            yield text
    finally:
        if count != had:
            torch.set_num_threads(had)


class BriefWaits:
    """Lets threads wait for each other without spinning while other programs need the cores.

    GNU's OpenMP library spins for far fewer turns (see ``GOMP_SPINCOUNT``) while it has more threads than
    there are cores: a second team of threads, which only sleep, brings that about. Results are the same.
    """

    EVERY = 1.0  # s

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.brief = False
        self._end = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> BriefWaits:
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._watch.join()

    def _look(self) -> None:
        team_ends = threading.Event()
        while not self._end.is_set():
            with machine.OtherWork() as others:
                self._end.wait(self.EVERY)
            if others.cores is None:  # the system does not tell
                continue
            if not self.brief and others.slows(self.threads):
                team_ends.clear()
                threading.Thread(target=_sleeping_team, args=(team_ends,), daemon=True).start()
                self.brief = True
            elif self.brief and not others.slows(self.threads):
                team_ends.set()
                self.brief = False
        team_ends.set()


def _sleeping_team(ends: threading.Event) -> None:
    """Hold a team of OpenMP's threads, which the first parallel operation of a thread starts."""
    torch.zeros(1 << 20).add_(1)
    ends.wait()


def insist_on_threads(count: int) -> None:
    """Give this process so many threads from here on, as OMP_NUM_THREADS would."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    torch.set_num_threads(count)


def _count_threads(device: torch.device, had: int, wanted: int, *, before: int) -> tuple[int, str]:
    if wanted:
        return wanted, ""
    if device.type != "cpu" or machine.threads_given():
        return had, ""
    if before:
        return min(before, machine.cores()), ""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # those of this machine divide it among themselves
        return max(1, had // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))), ""
    if had == 1:
        return had, ""
    with machine.OtherWork() as others:
        time.sleep(0.6)
    count = min(had, others.left())
    if count == had:
        return had, ""
    some = f"{count} thread{'s' * (count != 1)}"
    return count, (
        f"other programs keep {others.cores:.1f} of {others.available} cores busy: this run has {some} "
        f"(--threads {had} insists)"
    )


# --- precision -----------------------------------------------------------------------------------


def fast_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 makes convolutions faster than float32 there."""
    return bfloat16_gain(device) >= 1.1


def slow_bfloat16(device: torch.device) -> str:
    """Return a warning if bfloat16 is slower than float32 on this CPU; else ""."""
    gain = bfloat16_gain(device) if device.type == "cpu" else 1.0
    if gain >= 1:
        return ""
    return (
        f"bfloat16 takes about {1 / gain:.2g} times as long as float32 on this processor: "
        "--precision float32 is faster"
    )


def bfloat16_gain(device: torch.device) -> float:
    """Return how many times as fast bfloat16 is: measured once on a CPU, known by the kind of a GPU.

    Without bfloat16 in hardware, convolutions take ten times as long, or more.
    """
    if device.type == "cuda":
        return 2.0 if torch.cuda.get_device_capability(device) >= (8, 0) else 0.5
    return _measured_gain() if device.type == "cpu" else 0.5


@functools.cache
def _measured_gain() -> float:
    best = {False: float("inf"), True: float("inf")}
    _convolve(False)  # what comes first pays for what both need
    for turn in range(6):
        for half in best:
            best[half] = min(best[half], _convolve(half))
        if turn == 1 and best[True] > 3 * best[False]:
            break  # more would only take time
    return best[False] / best[True]


def _convolve(half: bool) -> float:
    """Return the seconds of a convolution with its gradients, 450 million MACs in all."""
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.full((8, 64, 16, 16), 0.5).to(memory_format=torch.channels_last).requires_grad_()
        kernel = torch.full((64, 64, 3, 3), 0.5, requires_grad=True)
        begin = time.process_time()  # other programs do not count
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            y = F.conv2d(x, kernel, padding=1)
        y.float().sum().backward()
        return time.process_time() - begin
