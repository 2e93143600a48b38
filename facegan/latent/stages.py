"""What long work has done so far, kept in a folder, so that it goes on where it was interrupted."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facegan.files import write_bytes


class Stages:
    """Tensors by name in ``folder``; ``key`` says what they belong to. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, key: str = "") -> None:
        self.folder, self.key = folder, key

    def of(self, name: str, make: Callable[[], Sequence[torch.Tensor]]) -> list[torch.Tensor]:
        """What was kept under ``name``, else what ``make`` gives, which is kept."""
        from safetensors import SafetensorError, safe_open
        from safetensors.torch import save

        if self.folder is None:
            return list(make())
        file = self.folder / f"{name}.safetensors"
        with (
            contextlib.suppress(FileNotFoundError, SafetensorError, OSError),
            safe_open(str(file), framework="pt") as handle,
        ):
            if (handle.metadata() or {}).get("key") == self.key:
                return [handle.get_tensor(str(i)) for i in range(len(list(handle.keys())))]
        made = [t.contiguous() for t in make()]
        with contextlib.suppress(OSError):  # a full disk: the work goes on without
            write_bytes(file, save({str(i): t for i, t in enumerate(made)}, {"key": self.key}))
        return made

    def clear(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
