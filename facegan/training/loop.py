"""The training loop: from a prepared dataset and a configuration to a run folder."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import __version__, rng
from facegan.data.dataset import Dataset
from facegan.errors import ConfigError, RunError
from facegan.generator import Generator, Latent, describe
from facegan.images import grid
from facegan.nets.ema import recalibrate_batch_norm
from facegan.recipes import recipe as named_recipe
from facegan.training.checkpoint import list_checkpoints, load_latest, save_checkpoint
from facegan.training.config import TrainConfig, check, override
from facegan.training.data import ImageFeed
from facegan.training.listeners import Listener, StepStats
from facegan.training.report import write_report
from facegan.training.runfolder import RunFolder
from facegan.training.step import TrainState, create_state, train_step

_BN_BATCHES, _BN_BATCH = 16, 64


class Interrupted(Exception):
    """A signal asked to stop; the state is saved. ``signum`` tells which."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def train(
    dataset: str | Path | Dataset,
    recipe: str | TrainConfig = "faces-dcgan-64",
    out: str | Path = "run",
    *,
    resume: bool = False,
    device: str = "auto",
    listeners: Sequence[Listener] = (),
    command: str = "",
    **overrides: Any,
) -> Path:
    """Train until ``kimg`` is reached and return the run folder.

    ``recipe`` is a name or a whole configuration; ``overrides`` change single settings by name
    (``batch=32``; nested ones as ``**{"generator.lr": 1e-4}``). A folder that holds the same run is
    resumed from its newest checkpoint; ``resume=True`` insists that there is one. Ctrl-C and SIGTERM
    save and raise :class:`Interrupted`.
    """
    config = named_recipe(recipe) if isinstance(recipe, str) else recipe
    config = check(override(config, overrides))
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    place = pick_device(device)
    shape = _fit(config, data)
    run = RunFolder(Path(out))
    everyone: list[Listener] = [run, *listeners]
    try:
        if resume and not list_checkpoints(run.checkpoints):
            raise RunError(f"{run.path}: --resume, but there is no checkpoint in it")
        run.begin(_full_config(config, data, shape, command))
        state = create_state(config, shape, place)
        found = load_latest(state, run.checkpoints, lambda text: _event(everyone, state, text))
        if list_checkpoints(run.checkpoints) and found is None:
            raise RunError(
                f"{run.checkpoints}: every checkpoint is damaged; remove the folder to begin again"
            )
        run.truncate(state.images_seen)
        if found is not None:
            _event(everyone, state, f"resumed from {found.name}")
        _loop(
            state,
            ImageFeed(data.images("train"), config, place),
            run,
            everyone,
            _papers(config, data, shape, command),
        )
    finally:
        for listener in everyone:
            listener.close()
    return run.path


def pick_device(name: str) -> torch.device:
    """``auto`` prefers CUDA, then MPS, then the CPU; ConfigError for one that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: not available here ({str(error).splitlines()[0]})") from None
    return device


def _fit(config: TrainConfig, data: Dataset) -> tuple[int, int, int]:
    """(C, H, W) of the dataset, checked against the recipe's needs."""
    (h, w), c = data.size, data.channels
    name = config.recipe or "this configuration"
    if config.size and (h, w) != (config.size, config.size):
        raise ConfigError(
            f"{data.path}: its pictures are {w}x{h}, but {name} needs {config.size}x{config.size}; "
            f"prepare with --size {config.size} or choose another recipe"
        )
    if config.channels and c != config.channels:
        need = (
            "grey pictures: prepare with --gray"
            if config.channels == 1
            else "colour pictures: prepare without --gray"
        )
        raise ConfigError(f"{data.path}: {name} needs {need}")
    if data.counts.get("train", 0) < 2:
        raise ConfigError(f"{data.path}: it has fewer than 2 training pictures")
    return c, h, w


def _full_config(config: TrainConfig, data: Dataset, shape: Sequence[int], command: str) -> dict[str, Any]:
    dataset = {"path": str(data.path), **_identity(data)}
    return {
        **config.to_dict(), "image_shape": list(shape), "dataset": dataset, "command": command,
        "facegan": __version__,
    }  # fmt: skip


def _identity(data: Dataset) -> dict[str, Any]:
    """What tells a dataset from others, wherever it lies."""
    return {
        "name": data.path.resolve().name,
        "content_hash": data.content_hash,
        "count": data.counts.get("train", 0),
    }


def _papers(config: TrainConfig, data: Dataset, shape: Sequence[int], command: str) -> dict[str, Any]:
    """The header of the models of this run, but for the images seen."""
    latent = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
    provenance = {
        "recipe": config.recipe, "seed": config.seed, "command": command, "facegan": __version__,
        "dataset": _identity(data),
    }  # fmt: skip
    return describe(
        config.family, config.model, latent, shape, provenance=provenance, alignment=data.crop,
        licence="that of its training pictures",
    )  # fmt: skip


def sampling_generator(state: TrainState, papers: dict[str, Any]) -> Generator:
    """A copy for sampling: the moving average with batch-norm statistics of its own, or the raw weights."""
    network = deepcopy(state.generator if state.ema is None else state.ema).eval()
    if state.ema is not None:
        c = state.config
        latent = Latent(**papers["latent"])

        def batches() -> Iterator[torch.Tensor]:
            for i in range(_BN_BATCHES):
                draws = rng.normal(c.seed, "batch-norm", i * _BN_BATCH, _BN_BATCH, c.latent.dim)
                yield latent.shape_normal(torch.from_numpy(draws)).to(state.device)

        recalibrate_batch_norm(network, batches())
    provenance = {**papers["provenance"], "images_seen": state.images_seen}
    return Generator(network, {**papers, "provenance": provenance}, state.device)


def _event(listeners: Sequence[Listener], state: TrainState, text: str) -> None:
    for listener in listeners:
        listener.on_event(state.images_seen, text)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying from them; a second one dies at once."""
    caught: list[int] = []

    def note(signum: int, frame: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(signum)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever runs the thread handles signals
        yield caught
        return
    try:
        yield caught
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def _due(before: int, now: int, every: int) -> bool:
    return now // every > before // every


def _loop(
    state: TrainState, feed: ImageFeed, run: RunFolder, listeners: Sequence[Listener], papers: dict[str, Any]
) -> None:
    c = state.config
    total = round(c.kimg * 1000)
    grid_every = max(1, round((c.grid_kimg or c.kimg / 40) * 1000))
    save_every = max(1, round((c.checkpoint_kimg or c.kimg / 10) * 1000))
    stats_every = max(c.batch, total // 400)
    clock, since = time.perf_counter(), (state.images_seen, 0.0)
    if state.images_seen == 0:
        _draw(state, papers, listeners)
    with _signals() as caught:
        while state.images_seen < total:
            before = state.images_seen
            train_step(state, feed)
            now = state.images_seen
            elapsed = time.perf_counter() - clock
            ends = now >= total
            if ends or _due(before, now, stats_every):
                means = state.take_means()
                _check_finite(state, means, run)
                speed = (now - since[0]) / max(elapsed - since[1], 1e-9)
                stats = StepStats(now, total, state.seconds + elapsed, speed, means)
                since = (now, elapsed)
                for listener in listeners:
                    listener.on_stats(stats)
            if ends or _due(before, now, grid_every):
                _draw(state, papers, listeners)
                write_report(run.path)
                # Drawing is no training: leave it out of the speed of the next report.
                since = (now, time.perf_counter() - clock)
            if ends or caught or _due(before, now, save_every):
                spent = time.perf_counter() - clock
                state.seconds, clock, since = (
                    state.seconds + spent,
                    clock + spent,
                    (since[0], since[1] - spent),
                )
                # The checkpoint comes last: what a killed run wrote beyond it is made again.
                sampling_generator(state, papers).save(run.model_path(now))
                save_checkpoint(state, run.checkpoints)
            if caught and not ends:
                _event(listeners, state, f"stopped by {signal.Signals(caught[0]).name}, saved")
                write_report(run.path)
                raise Interrupted(caught[0])


def _draw(state: TrainState, papers: dict[str, Any], listeners: Sequence[Listener]) -> None:
    pictures: np.ndarray = sampling_generator(state, papers).sample(state.config.grid_count)
    sheet = grid(pictures)
    for listener in listeners:
        listener.on_grid(state.images_seen, sheet)


def _check_finite(state: TrainState, means: dict[str, float], run: RunFolder) -> None:
    bad = sorted(name for name, value in means.items() if not np.isfinite(value))
    if bad:
        raise RunError(
            f"{run.path}: {bad[0]} is no longer finite after {state.images_seen / 1000:g} kimg; the last "
            "checkpoint is kept. Try a lower --generator.lr and --discriminator.lr in a new run"
        )
