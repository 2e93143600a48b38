"""What is kept of a run: models and checkpoints; and the way back to the last good one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facegan import distributed
from facegan.runs.checkpoints import drop, kimg_of, list_checkpoints
from facegan.runs.folder import RunFolder
from facegan.training.checkpoint import load_latest, save_checkpoint
from facegan.training.initialization import create_state
from facegan.training.snapshot import Snapshot
from facegan.training.state import TrainState

SLOWER = 0.5  # factor of the learning rates, after the watchdog has gone back


class Saver:
    """``run`` is None in all processes but the first."""

    def __init__(self, state: TrainState, snapshot: Snapshot, run: RunFolder | None) -> None:
        self.state, self.snapshot, self.run = state, snapshot, run

    def save(self, healthy: bool) -> None:
        """Write the model, then the checkpoint: what a killed run wrote beyond it is made again."""
        state = self.state
        state.share_sums()
        if self.run is not None:
            with distributed.alone():
                self.snapshot.generator().save(self.run.model_path(state.images_seen))
            save_checkpoint(state, self.run.checkpoints, healthy)
            self.run.point_at_best(state.best)

    def go_back(self, metadata: dict[str, Any], warn: Callable[[str], None]) -> str:
        """Put the last good checkpoint, or the beginning, into the state; return which.

        The learning rates are halved from there, and everything later is dropped.
        """
        state, run = self.state, self.run
        self.snapshot.forget()
        found = load_latest(state, run.checkpoints if run is not None else None, warn, healthy=True)
        distributed.wait()  # until all have read: the first one drops checkpoints
        if found is None:
            fresh = create_state(
                state.config,
                metadata["image_shape"],
                state.device,
                dtype=state.dtype,
                label_dim=state.label_dim,
            )
            vars(state).update(vars(fresh))
        state.lr_scale *= SLOWER
        state.watch |= {"rollbacks": 1, "running": {}}
        if run is not None:
            # First of all: whoever is killed between here and the saving comes to this point again.
            kept = list_checkpoints(run.checkpoints)
            drop([p for p in kept if round(kimg_of(p.name) * 1000) > state.images_seen])
            run.truncate(state.images_seen)
        return "the beginning" if found is None else f"{state.images_seen / 1000:g} kimg"
