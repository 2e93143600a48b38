"""Train: from a prepared dataset and a configuration to a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from facegan import arguments, bars, distributed
from facegan.data.dataset import Dataset, conditions, label_metadata
from facegan.data.label_counts import alarms, counts_lines, examples, kinds, record
from facegan.devices import pick_device, slow_bfloat16, working_threads
from facegan.distributed import launched, lost, together
from facegan.errors import FaceganError, LostProcessError, RunError
from facegan.interrupts import Interrupted
from facegan.machine import MAX_THREADS
from facegan.recipes.choice import pick_recipe, surroundings
from facegan.recipes.config import TrainConfig, check, override, unfinished
from facegan.recipes.table import recipe as named_recipe
from facegan.runs.callbacks import BarListener, Listener, announce
from facegan.runs.checkpoints import list_checkpoints
from facegan.runs.folder import RunFolder
from facegan.runs.report_data import WATCHDOG
from facegan.training.checkpoint import circumstances_before, resume_newest
from facegan.training.forecast import long_run
from facegan.training.initialization import create_state, metadata_of, with_precision
from facegan.training.objective import check_sources, objective_of
from facegan.training.out_of_memory import fits, is_out_of_memory
from facegan.training.samples import Quality
from facegan.training.state import Objective, Sources, TrainState, check_split
from facegan.training.trainer import Trainer
from facegan.version import __version__

__all__ = ["Interrupted", "pick_device", "train"]


def train(
    dataset: str | Path | Dataset,
    recipe: str | TrainConfig | None = None,
    out: str | Path = "run",
    *,
    resume: bool = False,
    device: str = "auto",
    listeners: Sequence[Listener] = (),
    quality: Quality | None = None,
    command: str = "",
    threads: int = 0,
    mark: bool = True,
    to: str | Path | Dataset | None = None,
    **overrides: Any,
) -> Path:
    """Train until ``kimg`` is reached, and return the run folder.

    A folder that holds the same run is resumed. Under ``torchrun`` or ``accelerate launch`` the processes
    share each batch, and the first one writes and has the listeners.

    Args:
        dataset: a folder made by :func:`facegan.prepare`, or an open one.
        recipe: a name or a whole configuration; None takes the one that suits dataset and device.
        out: the run folder.
        resume: whether there must be a checkpoint to go on from.
        device: ``auto`` prefers CUDA, then MPS, then the CPU.
        listeners: what receives the progress; without any, there is a bar (:func:`facegan.set_progress`).
        quality: maps a Generator (or Translator) to named numbers for every grid; None is the objective's own
            (``random_features.QuickQuality`` for generators).
        command: what to note as the command in the run folder.
        to: the second domain, a dataset like the first, for recipes such as cyclegan-64.
        threads: of the processor; 0 takes those of the run that is resumed, or one for each free core.
        mark: whether the grids of samples say in their files that they are generated, and by what.
        overrides: single settings by name (``batch=32``; nested ones as ``**{"generator.lr": 1e-4}``).

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; the state is saved.
        ConfigError: a setting cannot work, or does not fit the dataset.
        RunError: the folder holds something else, cannot be written, or training has broken down.
    """
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    second = to if isinstance(to, Dataset) or to is None else Dataset(to)
    recipe = _suiting(data, device, overrides) if recipe is None else recipe
    config = recipe if isinstance(recipe, TrainConfig) else named_recipe(recipe)
    config = check(override(config, overrides))
    out = Path(arguments.place(out, "out"))
    threads = arguments.whole(threads, "threads", 0, most=MAX_THREADS)
    sources = Sources(data, second)
    shape = check_sources(config, sources)
    place = pick_device(device)
    check_split(config, launched())  # before they join: all of them see it, and none waits for another
    with together(place):
        run = distributed.first_does(lambda: RunFolder(out, arguments.switch(mark, "mark")))
        work = _Work(sources, config, shape, place, run, [run, *listeners] if run is not None else [])
        try:
            work.begin(resume, command, None if listeners else device)
            work.train(quality, command, threads)
        except FaceganError:
            work.withdraw()
            raise
        except (OSError, RuntimeError, MemoryError) as error:
            if (explained := work.explain(error, out)) is None:
                raise
            raise explained from None
        finally:
            work.close()
    return out


@dataclass
class _Work:
    """One call of :func:`train`, once its settings are known to be possible."""

    sources: Sources
    config: TrainConfig
    shape: tuple[int, int, int]
    device: torch.device
    run: RunFolder | None
    listeners: list[Listener]
    labels: Sequence[str] = ()
    state: TrainState | None = field(default=None, init=False)

    def begin(self, resume: bool, command: str, bar_device: str | None) -> None:
        """Write the settings, and show a bar unless ``bar_device`` is None."""
        run = self.run

        def write() -> None:
            assert run is not None
            if resume and not list_checkpoints(run.checkpoints):
                raise RunError(f"{run.path}: --resume, but there is no checkpoint in it")
            run.begin(full_config(self.config, self.sources, self.shape, command=command))

        distributed.first_does(write)
        if run is not None and bar_device is not None and bars.wanted():
            bar = bars.Bar()
            new = launched() == 1 and not list_checkpoints(run.checkpoints)
            if new and (note := long_run(self.sources.data, self.config, bar_device)):
                bar.say(note)
            self.listeners.append(BarListener(bar))

    def withdraw(self) -> None:
        if self.run is not None:
            self.run.withdraw()

    def train(self, quality: Quality | None, command: str, threads: int) -> None:
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # shapes hardly change: worth finding the fastest kernels
        sources, config, run, device = self.sources, self.config, self.run, self.device
        data = sources.data
        self.labels, table = conditions(data, config.condition) if config.condition else ((), None)
        found = run is not None and bool(list_checkpoints(run.checkpoints))
        resuming = bool(distributed.from_first(found))
        before = distributed.from_first(circumstances_before(run, device))
        with working_threads(device, threads, before.get("threads", 0)) as room:
            settled = settle(config, device, before)
            label_dim = len(self.labels)
            state = create_state(settled, self.shape, device, label_dim=label_dim, resuming=resuming)
            self.state = state
            resume_newest(state, run, self.listeners)
            slow = slow_bfloat16(device) if config.precision == "bfloat16" else ""
            self._say(state.begun_with, unfinished(config, self.shape), room, slow)
            objective = state.objective
            images, beside = _pictures(objective, config, sources)
            self._show_labels(table, images, resuming=resuming)
            sampler = objective.sampler(images, config, device, table=table, beside=beside)
            gallery, metric = distributed.first_does(
                lambda: (
                    objective.gallery(state, sampler, sources, run=run, quality=quality),
                    objective.metric(config, sources, device) if config.metric else None,
                )
            ) or (None, None)
            self._say("" if metric is None else metric.caution)
            metadata = model_metadata(config, sources, self.shape, command=command)
            metadata |= label_metadata(self.labels, table)
            Trainer(
                state, sampler, metadata, run=run, listeners=self.listeners, gallery=gallery, metric=metric
            ).train()

    def _show_labels(self, table: np.ndarray | None, images: np.ndarray, *, resuming: bool) -> None:
        """Report how many pictures have which label, and keep examples of each in the run folder."""
        if table is None or self.run is None or resuming:
            return
        found = kinds(self.labels, table)
        self._say(*(f"labels: {line}" for line in counts_lines(found)))
        self._say(*(f"{WATCHDOG} {text}" for text in alarms(found, self.config.balance)))
        self.run.save_labels(record(found, self.config.balance), examples(images, found))

    def _say(self, *texts: str) -> None:
        assert self.state is not None
        for text in filter(None, texts):
            announce(self.listeners, self.state.images_seen, text)

    def close(self) -> None:
        for listener in self.listeners:
            with suppress(OSError):  # a full disk has been reported already
                listener.close()

    def explain(self, error: Exception, out: Path) -> FaceganError | None:
        """Return what to tell the user instead of the error; None for a bug."""
        if isinstance(error, OSError):
            return RunError(
                f"{error.filename or out}: cannot be written ({error.strerror or error}); the last "
                "checkpoint is intact: make room and give the same command again"
            )
        if is_out_of_memory(error):
            config = with_precision(self.config, self.device)
            return RunError(
                fits(
                    config, self.shape, self.device, error=error, free=self.state, label_dim=len(self.labels)
                )
            )
        if distributed.world() > 1 and (text := lost(error)):
            return LostProcessError(
                f"{out}: process {distributed.rank()} lost the others ({text}); the last checkpoint is "
                "intact, and the same command goes on from it"
            )
        return None


def _suiting(data: Dataset, device: str, settings: dict[str, Any]) -> str:
    before = metadata_of(settings["init"]) if settings.get("init") else {}
    return pick_recipe(
        surroundings(data, pick_device(device).type),
        bool(settings.get("condition")),
        before.get("family", ""),
        before=before.get("provenance", {}).get("recipe", ""),
    )[0]


def _pictures(
    objective: Objective, config: TrainConfig, sources: Sources
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the training pictures, and those beside them; the first process decodes them for all."""

    def found() -> tuple[np.ndarray, np.ndarray | None]:
        return sources.data.images("train"), objective.beside(config, sources)

    distributed.first_does(found)
    return found()


# --- settings and metadata of the run ------------------------------------------------------------------


def settle(config: TrainConfig, device: torch.device, before: dict[str, Any]) -> TrainConfig:
    """Return the configuration with ``precision`` auto decided: as before, or by the first process."""
    then = before.get("precision", "")
    if config.precision == "auto" and then and not (then == "bfloat16" and slow_bfloat16(device)):
        return override(config, {"precision": then})
    return cast(
        TrainConfig, distributed.from_first(distributed.first_does(lambda: with_precision(config, device)))
    )


def full_config(
    config: TrainConfig, sources: Sources, shape: Sequence[int], *, command: str
) -> dict[str, Any]:
    """Return what ``config.json`` holds."""
    datasets = {"dataset": sources.data, "to": sources.to}
    return {
        **config.to_dict(),
        "image_shape": list(shape),
        **{k: {"path": str(v.path), **_identity(v)} for k, v in datasets.items() if v is not None},
        "command": command,
        "facegan": __version__,
    }


def model_metadata(
    config: TrainConfig, sources: Sources, shape: Sequence[int], *, command: str
) -> dict[str, Any]:
    """Return the header of the models of this run, without the images seen."""
    datasets = {"dataset": sources.data, "to": sources.to}
    provenance = {
        "recipe": config.recipe,
        "seed": config.seed,
        "command": command,
        "facegan": __version__,
        **{k: _identity(v) for k, v in datasets.items() if v is not None},
    }
    return objective_of(config).header(
        config,
        shape,
        provenance=provenance,
        alignment=sources.data.crop,
        licence="that of its training pictures",
    )


def _identity(data: Dataset) -> dict[str, Any]:
    """Return what identifies a dataset, wherever it lies."""
    return {
        "name": data.path.resolve().name,
        "content_hash": data.content_hash,
        "count": data.counts.get("train", 0),
    }
