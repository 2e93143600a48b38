"""A listener that writes TensorBoard's event files: curves, grids and notes over images seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facegan.runs.callbacks import Listener, StepStats

# These prefixes become groups of diagrams: loss_g is shown as "loss/g".
_GROUPS = ("loss", "accuracy", "score", "grad")


def tag(key: str) -> str:
    """Return TensorBoard's name for a key of ``StepStats.values``."""
    group, _, rest = key.partition("_")
    return f"{group}/{rest}" if group in _GROUPS and rest else f"training/{key}"


class TensorBoardListener(Listener):
    """Writes into ``folder`` (``RUN/tensorboard``), which is made when there is something to write.

    A resumed run repeats some steps; what the earlier process wrote beyond the point at which this one
    begins is then hidden. The step is the number of images seen.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def _open(self, first: int) -> Any:
        """Return the writer; ``first`` is the step from which on earlier files no longer count."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            again = self.folder.is_dir() and any(self.folder.iterdir())
            self._writer = SummaryWriter(str(self.folder), purge_step=first if again else None)
        return self._writer

    def on_stats(self, stats: StepStats) -> None:
        writer = self._open(stats.images_seen)
        values = {"images_per_second": stats.images_per_second, "seconds": stats.seconds, **stats.values}
        for key, value in values.items():
            writer.add_scalar(tag(key), value, stats.images_seen)

    def on_grid(self, images_seen: int, grid: np.ndarray) -> None:
        self._open(images_seen).add_image("samples", grid, images_seen, dataformats="HWC")

    def on_event(self, images_seen: int, text: str) -> None:
        # An event marks the end of what came before, which stays: only later steps are repeated.
        self._open(images_seen + 1).add_text("events", text, images_seen)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
