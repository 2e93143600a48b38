"""One stretch of training, from where the state is to the end: steps, reports, grids, checkpoints.

In several processes all of them step; the first alone draws and writes, and its decisions count.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facegan import distributed, rng
from facegan.devices import fast_bfloat16
from facegan.errors import RunError
from facegan.generator import Generator, Latent
from facegan.images import grid, to_float, to_uint8
from facegan.interrupts import Interrupted, signals
from facegan.layers.ema import batch_norms, recalibrate_batch_norm
from facegan.losses.adversarial import LOSSES
from facegan.metrics.random_features import mean_pairwise_distance
from facegan.metrics.registry import METRICS
from facegan.recipes.config import TrainConfig
from facegan.runs.callbacks import Listener, StepStats
from facegan.runs.checkpoints import drop, kimg_of, list_checkpoints
from facegan.runs.folder import RunFolder
from facegan.runs.report import write_report
from facegan.training.checkpoint import load_latest, save_checkpoint
from facegan.training.sampler import ImageFeed
from facegan.training.state import TrainState, create_state
from facegan.training.step import train_step
from facegan.training.watchdog import Trouble, Watchdog, advice

if TYPE_CHECKING:
    from facegan.metrics.validation import ValidationMetric

BN_BATCHES, BN_BATCH = 16, 64
_COMPARED = 128  # real pictures whose distances the diversity of a grid is compared with
_SLOWER = 0.5  # of the learning rates, after the watchdog has gone back

Quality = Callable[[Generator], dict[str, float]]


def sampling_generator(state: TrainState, papers: dict[str, Any]) -> Generator:
    """A copy for sampling: the moving average with batch-norm statistics of its own, or the raw weights."""
    network = deepcopy(state.generator if state.ema is None else state.ema).eval()
    if state.ema is not None and batch_norms(network):
        c = state.config
        latent = Latent(**papers["latent"])

        def batches() -> Iterator[torch.Tensor]:
            for i in range(BN_BATCHES):
                draws = rng.normal(c.seed, "batch-norm", i * BN_BATCH, BN_BATCH, c.latent.dim)
                yield latent.shape_normal(torch.from_numpy(draws)).to(state.device)

        recalibrate_batch_norm(network, batches())
    provenance = {**papers["provenance"], "images_seen": state.images_seen}
    if state.images_before:
        provenance["images_before"] = state.images_before
    return Generator(network, {**papers, "provenance": provenance}, state.device).as_trained()


def announce(listeners: Sequence[Listener], state: TrainState, text: str) -> None:
    for listener in listeners:
        listener.on_event(state.images_seen, text)


def metric_key(metric: str) -> str:
    """The first of the metric's numbers, which decides."""
    return next(iter(METRICS[metric].values))


def measured_so(best: dict[str, Any], config: TrainConfig) -> bool:
    """Whether what is noted of a run's best moment was measured as this configuration says."""
    how = {
        "metric": metric_key(config.metric),
        "features": config.metric_features,
        "count": config.metric_count,
    }
    return all(best.get(name) == value for name, value in how.items())


def metric_kimg(config: TrainConfig) -> float:
    """How often the metric is measured."""
    return config.metric_kimg or max(config.kimg / 20, config.metric_count * 40 / 1000)


def _due(before: int, now: int, every: int) -> bool:
    return now // every > before // every


class Session:
    """``run``, ``quality`` and ``metric`` are None in all processes but the first."""

    def __init__(
        self,
        state: TrainState,
        feed: ImageFeed,
        run: RunFolder | None,
        listeners: Sequence[Listener],
        papers: dict[str, Any],
        quality: Quality | None,
        metric: ValidationMetric | None = None,
    ) -> None:
        self.state, self.feed, self.run, self.listeners = state, feed, run, listeners
        self.papers, self.quality, self.metric = papers, quality, metric
        self.clock, self.since = time.perf_counter(), (state.images_seen, 0.0)
        self.real_distance: float | None = None
        self.measured: dict[str, float] = {}
        self.copy: Generator | None = None
        c = state.config
        self.total = round(c.kimg * 1000)
        if c.watchdog:
            state.watch.pop("told", None)  # warnings of a stretch without it bind nobody
        self.dog = Watchdog(
            state.watch, self.total // (c.batch * c.d_updates), bounded=LOSSES[c.loss].bounded
        )

    def train(self) -> None:
        """Until the end. Interrupted after a signal, RunError where training has broken down for good."""
        state, c = self.state, self.state.config
        grid_every = max(1, round((c.grid_kimg or c.kimg / 40) * 1000))
        save_every = max(1, round((c.checkpoint_kimg or c.kimg / 10) * 1000))
        measure_every = max(1, round(metric_kimg(c) * 1000)) if c.metric else 0
        stats_every = max(c.batch, self.total // 400)
        if state.images_seen >= self.total and self._unmeasured():
            self._measure_finished()
        with signals() as caught:
            if state.images_seen == 0 and not state.watch.get("rollbacks"):  # its drawing is still there
                extra, _ = self._draw()
                self._tell(StepStats(0, self.total, state.seconds, 0.0, extra))
                self.since = (0, time.perf_counter() - self.clock)
            while state.images_seen < self.total:
                before = state.images_seen
                self.copy = None
                train_step(state, self.feed)
                now = state.images_seen
                ends = now >= self.total
                drawing = ends or _due(before, now, grid_every)
                measuring = bool(measure_every) and (ends or _due(before, now, measure_every))
                trouble, best = None, False
                if measuring:
                    drawing, best = True, self._measure()
                if drawing or _due(before, now, stats_every):
                    trouble = self._report(drawing)
                signum = self._asked(caught)
                saving = ends or best or bool(signum) or _due(before, now, save_every)
                if saving and trouble is None and self._broken():
                    trouble = self._report(False)
                if trouble is not None and self._recover(trouble):
                    continue
                if saving:
                    self._save()
                if signum and not ends:
                    announce(self.listeners, state, f"stopped by {signal.Signals(signum).name}, saved")
                    self._page()
                    raise Interrupted(signum)
        self._tell_cost()
        self._page()

    # --- what is seen -----------------------------------------------------------------------

    def _asked(self, caught: list[int]) -> int:
        """The signal that one of the processes has caught, or 0; all learn of it at the same update."""
        if distributed.world() > 1 and self.state.device.type == "cuda" and self.state.updates % 8:
            return 0  # asking waits for the device
        return distributed.any_of(caught[0] if caught else 0, self.state.device)

    def _broken(self) -> bool:
        """Whether a sum of some process is no longer a finite number."""
        finite = all(bool(torch.isfinite(total)) for total in self.state.sums.values())
        return bool(distributed.any_of(int(not finite), self.state.device))

    def _report(self, drawing: bool) -> Trouble | None:
        """Tell the listeners how it goes; what the watchdog says."""
        state = self.state
        elapsed = time.perf_counter() - self.clock
        means = {**state.take_means(), **self.measured}
        self.measured = {}
        now = state.images_seen
        speed = (now - self.since[0]) / max(elapsed - self.since[1], 1e-9)
        trouble = self.dog.on_means(means, state.updates)
        if drawing and (trouble is None or self._only_warns(trouble)):
            extra, collapsed = self._draw()
            means, trouble = {**means, **extra}, trouble or collapsed
        self._tell(StepStats(now, self.total, state.seconds + elapsed, speed, means))
        if trouble is None or self._only_warns(trouble):
            for warning in self.dog.warnings(means, state.updates, now, state.config):
                announce(self.listeners, state, f"watchdog: {self._advised(warning)}")
        if drawing:
            if now < self.total:  # or it is written when all is saved and told
                self._page()
            # Drawing is no training: leave it out of the speed of the next report.
            elapsed = time.perf_counter() - self.clock
        self.since = (now, elapsed)
        return distributed.from_first(trouble)

    def _sampler(self) -> Generator:
        """The copy for sampling, made once after an update: measures, grid and saved model share it."""
        if self.copy is None:
            self.copy = sampling_generator(self.state, self.papers)
        return self.copy

    def _tell(self, stats: StepStats) -> None:
        for listener in self.listeners:
            listener.on_stats(stats)

    def _page(self) -> None:
        if self.run is not None:
            write_report(self.run.path)

    def _draw(self) -> tuple[dict[str, float], Trouble | None]:
        """The grid of fixed seeds, and what is measured with it."""
        if self.run is None:
            return {}, None
        state, c = self.state, self.state.config
        with distributed.alone():
            generator = self._sampler()
            pictures = generator.sample(c.grid_count)
            found = dict(self.quality(generator)) if self.quality is not None else {}
            if (floor := getattr(self.quality, "floor", None)) is not None:
                found["quality_floor"] = floor
            if c.eval_count:
                found |= self._accuracy(pictures[: c.eval_count])
        sheet = grid(pictures)
        for listener in self.listeners:
            listener.on_grid(state.images_seen, sheet)
        if c.save_pairs:
            real = to_uint8(self.feed(max(state.images_seen - c.batch, 0), c.batch, (0, 1)))[0]
            self.run.save_pair(state.images_seen, real, pictures[0])
        if len(pictures) < 2:
            return found, None
        if self.real_distance is None:
            rows = np.linspace(0, len(self.feed.images) - 1, _COMPARED).astype(np.int64)
            self.real_distance = mean_pairwise_distance(self.feed.images[np.unique(rows)])
        diversity = mean_pairwise_distance(pictures[:_COMPARED]) / max(self.real_distance, 1e-9)
        found.setdefault("diversity", diversity)
        return found, self.dog.on_diversity(diversity, state.updates) if state.updates else None

    def _measure(self) -> bool:
        """The metric on held-out pictures; whether it is the best so far (all processes agree)."""
        state, metric, start = self.state, self.metric, time.perf_counter()
        best = False
        if metric is not None:
            with distributed.alone():
                self.measured = metric(self._sampler())
            if metric.floor is not None:
                self.measured[f"{metric.key}_real"] = metric.floor
            value, old = self.measured[metric.key], state.watch.get("best", {})
            how = {"metric": metric.key, "features": metric.features, "count": metric.count}
            comparable = all(old.get(key, given) == given for key, given in how.items())
            best = metric.better(value, old.get("value") if comparable else None)
            if best:
                state.watch["best"] = {**how, "value": value, "images_seen": state.images_seen}
        best = bool(distributed.from_first(best))
        if distributed.world() > 1:
            state.watch["best"] = distributed.from_first(state.watch.get("best", {}))
        # Measuring is no training: leave it out of the speed of the next report.
        self.since = (self.since[0], self.since[1] + time.perf_counter() - start)
        return best

    def _unmeasured(self) -> bool:
        """Whether the metric that is asked for has not been measured at all, or in another way."""
        c = self.state.config
        return bool(c.metric) and not measured_so(self.state.watch.get("best", {}), c)

    def _measure_finished(self) -> None:
        """Of a run that has come to its end before: beside what its last report says."""
        self._measure()
        if self.run is not None:
            self.run.amend(self.state.images_seen, self.measured)
        self._save()
        self.measured = {}

    def _tell_cost(self) -> None:
        best, metric = self.state.watch.get("best"), self.metric
        if metric is None or not best:
            return
        spent = self.state.seconds + time.perf_counter() - self.clock
        floor = f" (real pictures: {metric.floor:.4g})" if metric.floor is not None else ""
        value = f"best {best['metric']} {best['value']:.4g}{floor} at {best['images_seen'] / 1000:g} kimg"
        cost = f"measuring took {metric.seconds:.0f} s, {metric.seconds / max(spent, 1e-9):.1%} of the time"
        announce(self.listeners, self.state, f"{value}, kept as @best; {cost}")

    def _accuracy(self, fakes: np.ndarray) -> dict[str, float]:
        """How often the discriminator, without dropout, is right on random real pictures and on ``fakes``."""
        state, c = self.state, self.state.config
        draws = rng.uniform(c.seed, "eval", state.images_seen, len(fakes))[:, 0]
        reals = self.feed.images[(draws * len(self.feed.images)).astype(np.int64)]
        state.discriminator.eval()
        with torch.no_grad():
            real, fake = (
                state.discriminator(to_float(x, state.device).to(state.dtype)).float() for x in (reals, fakes)
            )
        state.discriminator.train()
        sign, boundary = (-1.0 if c.flip_labels else 1.0), LOSSES[c.loss].boundary
        return {
            "eval_accuracy_real": float((sign * real > boundary).float().mean()),
            "eval_accuracy_fake": float((sign * fake < boundary).float().mean()),
        }

    # --- what is kept -----------------------------------------------------------------------

    def _save(self) -> None:
        """Model, then checkpoint: what a killed run wrote beyond the checkpoint is made again."""
        state = self.state
        spent = time.perf_counter() - self.clock
        state.seconds, self.clock = state.seconds + spent, self.clock + spent
        self.since = (self.since[0], self.since[1] - spent)
        state.share_sums()
        if self.run is not None:
            with distributed.alone():
                self._sampler().save(self.run.model_path(state.images_seen))
            save_checkpoint(state, self.run.checkpoints, self.dog.at_ease)
            self.run.point_at_best(state.watch.get("best"))
        # Saving is no training: leave it out of the speed of the next report.
        self.since = (self.since[0], self.since[1] + time.perf_counter() - self.clock)

    def _only_warns(self, trouble: Trouble) -> bool:
        return not self.state.config.watchdog and trouble.kind != "not finite"

    def _advised(self, trouble: Trouble) -> str:
        return f"{trouble.text}; try {advice(trouble.kind, self.state.config)}"

    def _recover(self, trouble: Trouble) -> bool:
        """Back to the last good checkpoint with lower learning rates, once; then RunError.

        False says that the run goes on as it is, because its watchdog only warns.
        """
        state, c = self.state, self.state.config
        at = f"{state.images_seen / 1000:g} kimg"
        if self._only_warns(trouble):
            state.watch.setdefault("told", []).append(trouble.kind)
            announce(self.listeners, state, f"watchdog: {self._advised(trouble)}")
            return False
        before = state.watch.get("rollbacks", 0)
        if before or not c.watchdog:
            announce(self.listeners, state, f"watchdog: {self._advised(trouble)}; stopped")
            self._page()
            again = "; going back once with lower learning rates did not help" if before else ""
            raise RunError(
                f"{self.run.path if self.run else 'training'}: stopped at {at}: {trouble.text}{again}. "
                f"Earlier models are kept. Try in a new run: {advice(trouble.kind, c)}"
            )
        found = self._back()
        if self.run is not None:
            # First of all: whoever is killed between here and the saving comes to this point again.
            kept = list_checkpoints(self.run.checkpoints)
            drop([p for p in kept if round(kimg_of(p.name) * 1000) > state.images_seen])
            self.run.truncate(state.images_seen)
        there = f"{state.images_seen / 1000:g} kimg" if found else "the beginning"
        announce(
            self.listeners, state,
            f"watchdog: at {at} {trouble.text}; back to {there} with learning rates x {state.lr_scale:g}",
        )  # fmt: skip
        self.clock, self.since = time.perf_counter(), (state.images_seen, 0.0)
        self._save()
        return True

    def _back(self) -> bool:
        """Put the last good checkpoint, or the beginning, into the state; whether it was a checkpoint."""
        state, self.copy = self.state, None
        folder = self.run.checkpoints if self.run is not None else None
        found = load_latest(state, folder, lambda text: announce(self.listeners, state, text), healthy=True)
        distributed.wait()  # until all have read: the first one drops checkpoints
        if found is None:
            fresh = create_state(
                state.config, self.papers["image_shape"], state.device, state.dtype, state.label_dim
            )
            vars(state).update(vars(fresh))
        state.lr_scale *= _SLOWER
        state.watch |= {"rollbacks": 1, "running": {}}
        self.dog.memory = state.watch
        return found is not None


def resolved(config: TrainConfig, device: torch.device) -> TrainConfig:
    """The configuration with ``precision`` auto decided for this device."""
    if config.precision != "auto":
        return config
    return replace(config, precision="bfloat16" if fast_bfloat16(device) else "float32")
