"""The training loop: updates, reports, grids, checkpoints, from where the state is to the end of the run.

In several processes all of them update; the first alone draws and writes, and its decisions count.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from facegan import distributed
from facegan.errors import RunError
from facegan.interrupts import Interrupted, signals
from facegan.runs.callbacks import Listener, StepStats, announce
from facegan.runs.checkpoints import drop, kimg_of, list_checkpoints
from facegan.runs.folder import RunFolder
from facegan.runs.report import write_report
from facegan.training.checkpoint import load_latest, save_checkpoint
from facegan.training.evaluator import Evaluator
from facegan.training.gallery import Gallery, HeldOutMetric
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.schedules import due
from facegan.training.snapshot import Snapshot
from facegan.training.state import TrainState
from facegan.training.watchdog import Trouble, Watchdog, advice

SLOWER = 0.5  # factor of the learning rates, after the watchdog has gone back


class Stopwatch:
    """The seconds of this stretch of training, and the speed since the last report.

    Drawing, measuring and saving count as time, but not towards the speed.
    """

    def __init__(self, images_seen: int) -> None:
        self.restart(images_seen)

    def restart(self, images_seen: int) -> None:
        """Begin again at 0 s."""
        self._begun = time.perf_counter()
        self.mark(images_seen)

    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._begun

    def take_seconds(self) -> float:
        """Return the seconds since the beginning, and count from 0 again."""
        spent = self.seconds()
        self._begun += spent
        return spent

    def mark(self, images_seen: int) -> None:
        """Let the speed count from here."""
        self._images, self._marked = images_seen, time.perf_counter()

    def speed(self, images_seen: int) -> float:
        """Return the images a second since the last mark."""
        return (images_seen - self._images) / max(time.perf_counter() - self._marked, 1e-9)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what happens within the block out of the speed."""
        begun = time.perf_counter()
        yield
        self._marked += time.perf_counter() - begun


class Trainer:
    """Runs a state's objective until the end of the run.

    ``run``, ``gallery`` and ``metric`` are None in all processes but the first.
    """

    def __init__(
        self,
        state: TrainState,
        sampler: ImageSampler,
        metadata: dict[str, Any],
        *,
        run: RunFolder | None = None,
        listeners: Sequence[Listener] = (),
        gallery: Gallery | None = None,
        metric: HeldOutMetric | None = None,
    ) -> None:
        self.state, self.sampler, self.metadata = state, sampler, metadata
        self.run, self.listeners = run, listeners
        self.snapshot = Snapshot(state, metadata)
        self.stopwatch = Stopwatch(state.images_seen)
        self.evaluator = Evaluator(state, self.snapshot, listeners=listeners, gallery=gallery, metric=metric)
        c = state.config
        self.total = round(c.kimg * 1000)
        if c.watchdog:
            state.watch.pop("told", None)  # what was reported while it was off may be reported again
        self.watchdog = Watchdog(
            state.watch, self.total // (c.batch * c.d_updates), bounded=state.objective.bounded(c)
        )

    def train(self) -> None:
        """Train until the end of the run.

        Raises:
            Interrupted: a signal came; the state is saved.
            RunError: training has broken down for good.
        """
        state, c = self.state, self.state.config
        if state.images_seen and self.run is not None:  # a process that was killed may not have come to it
            self.run.point_at_best(state.best)
        if state.images_seen >= self.total and self.evaluator.unmeasured():
            self._measure_finished()
        with signals() as caught:
            if state.images_seen == 0 and not state.watch.get("rollbacks"):  # its drawing is still there
                self._send_stats(0.0, self.evaluator.draw())
                self.stopwatch.mark(0)
            while state.images_seen < self.total:
                # --- One update ---------------------------------------------------------------
                before = state.images_seen
                self.snapshot.forget()
                train_step(state, self.sampler)
                now = due(c, before, state.images_seen)

                # --- Measure and report -------------------------------------------------------
                best = now.metric and self._measure()
                trouble = self._report(now.grid) if now.grid or now.statistics else None

                # --- Go back, save, or stop ---------------------------------------------------
                signum = self._signal(caught)
                saving = now.checkpoint or best or bool(signum)
                if saving and trouble is None and self._broken():
                    trouble = self._report(False)
                if trouble is not None and self._recover(trouble):
                    continue
                if saving:
                    self._save()
                if signum and not now.ends:
                    self._announce(f"stopped by {signal.Signals(signum).name}, saved")
                    self._write_page()
                    raise Interrupted(signum)
        if text := self.evaluator.summary(state.seconds + self.stopwatch.seconds()):
            self._announce(text)
        self._write_page()

    # --- reports ------------------------------------------------------------------------------

    def _announce(self, text: str) -> None:
        announce(self.listeners, self.state.images_seen, text)

    def _send_stats(self, speed: float, values: dict[str, float]) -> None:
        state = self.state
        seconds = state.seconds + self.stopwatch.seconds()
        for listener in self.listeners:
            listener.on_stats(StepStats(state.images_seen, self.total, seconds, speed, values))

    def _write_page(self) -> None:
        if self.run is not None:
            write_report(self.run.path)

    def _report(self, drawing: bool) -> Trouble | None:
        """Report to the listeners; return what the watchdog has found."""
        state = self.state
        means = {**state.take_means(), **self.evaluator.take_measured()}
        speed = self.stopwatch.speed(state.images_seen)
        trouble = self.watchdog.on_means(means, state.updates)
        if drawing and (trouble is None or self._only_warns(trouble)):
            with self.stopwatch.paused():
                drawn = self.evaluator.draw()
            means |= drawn
            if trouble is None and state.updates and "diversity" in drawn:
                trouble = self.watchdog.on_diversity(drawn["diversity"], state.updates)
        self._send_stats(speed, means)
        if trouble is None or self._only_warns(trouble):
            for warning in self.watchdog.warnings(
                means, state.updates, state.images_seen, config=state.config
            ):
                self._announce(f"watchdog: {self._advised(warning)}")
        if drawing and state.images_seen < self.total:  # at the end it is written when all is saved
            self._write_page()
        self.stopwatch.mark(state.images_seen)
        return distributed.from_first(trouble)

    # --- measuring and saving -----------------------------------------------------------------

    def _measure(self) -> bool:
        with self.stopwatch.paused():
            return self.evaluator.measure()

    def _measure_finished(self) -> None:
        """Measure a run that has ended before, and amend its last report."""
        self._measure()
        if self.run is not None:
            self.run.amend(self.state.images_seen, self.evaluator.take_measured())
        self._save()

    def _save(self) -> None:
        """Write the model, then the checkpoint: what a killed run wrote beyond it is made again."""
        state, run = self.state, self.run
        state.seconds += self.stopwatch.take_seconds()
        with self.stopwatch.paused():
            state.share_sums()
            if run is not None:
                with distributed.alone():
                    self.snapshot.model().save(run.model_path(state.images_seen))
                save_checkpoint(state, run.checkpoints, self.watchdog.at_ease)
                run.point_at_best(state.best)

    # --- signals and breakdowns ---------------------------------------------------------------

    def _signal(self, caught: list[int]) -> int:
        """Return the signal that any process has caught, or 0; all learn of it at the same update."""
        if distributed.world() > 1 and self.state.device.type == "cuda" and self.state.updates % 8:
            return 0  # asking waits for the device
        return distributed.any_of(caught[0] if caught else 0, self.state.device)

    def _broken(self) -> bool:
        """Return whether a sum of some process is no longer a finite number."""
        finite = all(bool(torch.isfinite(total)) for total in self.state.sums.values())
        return bool(distributed.any_of(int(not finite), self.state.device))

    def _only_warns(self, trouble: Trouble) -> bool:
        return not self.state.config.watchdog and trouble.kind != "not finite"

    def _advised(self, trouble: Trouble) -> str:
        return f"{trouble.text}; try {advice(trouble.kind, self.state.config)}"

    def _recover(self, trouble: Trouble) -> bool:
        """Go back to the last good checkpoint with lower learning rates, once; then raise RunError.

        Return False if the run goes on as it is, because its watchdog only warns.
        """
        state, c = self.state, self.state.config
        at = f"{state.images_seen / 1000:g} kimg"
        if self._only_warns(trouble):
            state.watch.setdefault("told", []).append(trouble.kind)
            self._announce(f"watchdog: {self._advised(trouble)}")
            return False
        before = state.watch.get("rollbacks", 0)
        if before or not c.watchdog:
            self._announce(f"watchdog: {self._advised(trouble)}; stopped")
            self._write_page()
            again = "; going back once with lower learning rates did not help" if before else ""
            raise RunError(
                f"{self.run.path if self.run else 'training'}: stopped at {at}: {trouble.text}{again}. "
                f"Earlier models are kept. Try in a new run: {advice(trouble.kind, c)}"
            )
        there = self._go_back()
        self.watchdog.memory = state.watch
        self._announce(
            f"watchdog: at {at} {trouble.text}; back to {there} with learning rates x {state.lr_scale:g}"
        )
        self.stopwatch.restart(state.images_seen)
        self._save()
        return True

    def _go_back(self) -> str:
        """Put the last good checkpoint, or the beginning, into the state; return which.

        The learning rates are halved from there, and everything later is dropped.
        """
        state, run = self.state, self.run
        self.snapshot.forget()
        folder = run.checkpoints if run is not None else None
        found = load_latest(state, folder, self._announce, healthy=True)
        distributed.wait()  # until all have read: the first one drops checkpoints
        if found is None:
            fresh = create_state(
                state.config,
                self.metadata["image_shape"],
                state.device,
                dtype=state.dtype,
                label_dim=state.label_dim,
            )
            vars(state).update(vars(fresh))
        state.lr_scale *= SLOWER
        state.watch |= {"rollbacks": 1, "running": {}}
        if run is not None:
            # Before anything is saved: a run that is killed in between comes to this point again.
            kept = list_checkpoints(run.checkpoints)
            drop([p for p in kept if round(kimg_of(p.name) * 1000) > state.images_seen])
            run.truncate(state.images_seen)
        return "the beginning" if found is None else f"{state.images_seen / 1000:g} kimg"
