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
from facegan.devices import pick_device, slow_bfloat16, working_threads
from facegan.distributed import launched, lost, together
from facegan.errors import ConfigError, FaceganError, InputError, LostProcessError, ModelError, RunError
from facegan.generator import describe
from facegan.interrupts import Interrupted
from facegan.machine import MAX_THREADS
from facegan.prior import Latent
from facegan.recipes.choice import image_shape, pick_recipe, surroundings
from facegan.recipes.config import TrainConfig, check, override, unfinished
from facegan.recipes.table import recipe as named_recipe
from facegan.runs.callbacks import BarListener, Listener, announce
from facegan.runs.checkpoints import list_checkpoints
from facegan.runs.folder import RunFolder
from facegan.training.checkpoint import circumstances_before, resume_newest
from facegan.training.evaluator import Quality
from facegan.training.forecast import long_run
from facegan.training.initialization import create_state, metadata_of, with_precision
from facegan.training.out_of_memory import fits, is_out_of_memory
from facegan.training.sampler import ImageSampler
from facegan.training.state import TrainState, check_split
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
        quality: maps a Generator to named numbers for every grid; None is ``random_features.QuickQuality``.
        command: what to note as the command in the run folder.
        threads: of the processor; 0 takes those of the run that is resumed, or one for each free core.
        mark: whether the grids of samples say in their files that they are generated, and by what.
        overrides: single settings by name (``batch=32``; nested ones as ``**{"generator.lr": 1e-4}``).

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; the state is saved.
        ConfigError: a setting cannot work, or does not fit the dataset.
        RunError: the folder holds something else, cannot be written, or training has broken down.
    """
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    recipe = _suiting(data, device, overrides) if recipe is None else recipe
    config = recipe if isinstance(recipe, TrainConfig) else named_recipe(recipe)
    config = check(override(config, overrides))
    out = Path(arguments.place(out, "out"))
    threads = arguments.whole(threads, "threads", 0, most=MAX_THREADS)
    shape = image_shape(config, data)
    place = pick_device(device)
    check_split(config, launched())  # before they join: all of them see it, and none waits for another
    with together(place):
        run = distributed.first_does(lambda: RunFolder(out, arguments.switch(mark, "mark")))
        work = _Work(data, config, shape, place, run, [run, *listeners] if run is not None else [])
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

    data: Dataset
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
            run.begin(full_config(self.config, self.data, self.shape, command=command))

        distributed.first_does(write)
        if run is not None and bar_device is not None and bars.wanted():
            bar = bars.Bar()
            new = launched() == 1 and not list_checkpoints(run.checkpoints)
            if new and (note := long_run(self.data, self.config, bar_device)):
                bar.say(note)
            self.listeners.append(BarListener(bar))

    def withdraw(self) -> None:
        if self.run is not None:
            self.run.withdraw()

    def train(self, quality: Quality | None, command: str, threads: int) -> None:
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # shapes hardly change: worth finding the fastest kernels
        data, config, run, device = self.data, self.config, self.run, self.device
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
            sampler = ImageSampler(_images(data), config, device, table=table)
            quality, metric = distributed.first_does(
                lambda: measures(data, config, device, quality=quality)
            ) or (None, None)
            self._say("" if metric is None else metric.caution)
            metadata = model_metadata(config, data, self.shape, command=command)
            metadata |= label_metadata(self.labels, table)
            Trainer(
                state, sampler, metadata, run=run, listeners=self.listeners, quality=quality, metric=metric
            ).train()

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


def _images(data: Dataset) -> np.ndarray:
    """Return the training pictures, which the first process decodes for all."""
    if distributed.rank() == 0:
        data.images("train")
    distributed.wait()
    return data.images("train")


# --- settings and metadata of the run ------------------------------------------------------------------


def settle(config: TrainConfig, device: torch.device, before: dict[str, Any]) -> TrainConfig:
    """Return the configuration with ``precision`` auto decided: as before, or by the first process."""
    then = before.get("precision", "")
    if config.precision == "auto" and then and not (then == "bfloat16" and slow_bfloat16(device)):
        return override(config, {"precision": then})
    return cast(
        TrainConfig, distributed.from_first(distributed.first_does(lambda: with_precision(config, device)))
    )


def full_config(config: TrainConfig, data: Dataset, shape: Sequence[int], *, command: str) -> dict[str, Any]:
    """Return what ``config.json`` holds."""
    dataset = {"path": str(data.path), **_identity(data)}
    return {
        **config.to_dict(),
        "image_shape": list(shape),
        "dataset": dataset,
        "command": command,
        "facegan": __version__,
    }


def model_metadata(
    config: TrainConfig, data: Dataset, shape: Sequence[int], *, command: str
) -> dict[str, Any]:
    """Return the header of the models of this run, without the images seen."""
    latent = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
    provenance = {
        "recipe": config.recipe,
        "seed": config.seed,
        "command": command,
        "facegan": __version__,
        "dataset": _identity(data),
    }
    return describe(
        config.family,
        config.model,
        latent,
        image_shape=shape,
        provenance=provenance,
        alignment=data.crop,
        licence="that of its training pictures",
    )


def _identity(data: Dataset) -> dict[str, Any]:
    """Return what identifies a dataset, wherever it lies."""
    return {
        "name": data.path.resolve().name,
        "content_hash": data.content_hash,
        "count": data.counts.get("train", 0),
    }


def measures(
    data: Dataset, config: TrainConfig, device: torch.device, *, quality: Quality | None
) -> tuple[Quality | None, Any]:
    """Return what measures each grid, and the metric on held-out pictures."""
    if quality is None and config.quality_count:
        from facegan.metrics.random_features import QuickQuality

        quality = QuickQuality(data, config.quality_count)
    return quality, _metric(data, config, device) if config.metric else None


def _metric(data: Dataset, config: TrainConfig, device: torch.device) -> Any:
    from facegan.metrics.validation import ValidationMetric

    where = "cpu" if device.type == "mps" else str(device)
    try:
        return ValidationMetric(
            data, config.metric, config.metric_count, features=config.metric_features, device=where
        )
    except (InputError, ModelError) as error:
        raise ConfigError(str(error).replace("--features", "--metric-features")) from None
