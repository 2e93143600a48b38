"""``facegan train``: dataset to run folder. Its flags are in ``train_flags.py``."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.bars import Line, clock, silence
from facegan.cli.train_flags import Command, help_text, parse
from facegan.errors import ConfigError, DatasetError, FaceganError, LostProcessError, RunError
from facegan.runs.callbacks import Listener, StepStats

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset
    from facegan.recipes.config import TrainConfig


def status(stats: StepStats) -> str:
    """The live line: kimg, img/s, time left, losses, the discriminator's accuracy on real and fake."""
    v = stats.values
    images = max(stats.images_total - stats.images_seen, 0)  # the last batch may go beyond the total
    left = clock(images / max(stats.images_per_second, 1e-9))
    return (
        f"{min(stats.images_seen, stats.images_total) / 1000:8.1f} of {stats.images_total / 1000:g} kimg"
        f"  {stats.images_per_second:6.1f} img/s"
        f"  left {left}  loss G {v['loss_g']:6.3f} D {v['loss_d']:6.3f}"
        f"  D right on real {v['accuracy_real']:4.0%} fake {v['accuracy_fake']:4.0%}"
    )


class LiveLine(Listener):
    """Shows the state of a training in one line, and events as lines of their own."""

    def __init__(self) -> None:
        self.line = Line()

    def on_stats(self, stats: StepStats) -> None:
        if "loss_g" in stats.values:  # not of the grid before the first update
            self.line.show(status(stats), ends=stats.images_seen >= stats.images_total)

    def on_event(self, images_seen: int, text: str) -> None:
        self.line.say(f"{images_seen / 1000:8.1f} kimg: {text}")


def _repeat(
    once: Callable[[TrainConfig, Path], None],
    config: TrainConfig,
    out: Path,
    *,
    repeats: int,
    quiet: bool,
    first: bool,
) -> int:
    """The same recipe with ``repeats`` seeds; the ``first`` process writes a page with mean and spread."""
    from facegan.runs.compare import write_comparison

    runs, failed = [], 0
    for seed in range(config.seed, config.seed + repeats):
        runs.append(out / f"seed-{seed}")
        try:
            once(dataclasses.replace(config, seed=seed), runs[-1])
        except LostProcessError:
            raise
        except RunError as error:  # one that broke down must not cost the others
            failed += 1
            if first:
                print(f"facegan train: {error}", file=sys.stderr)
    if not first:
        return 2 if failed else 0
    begun = [run for run in runs if (run / "config.json").is_file()]
    if begun:
        page = write_comparison(begun, out / "compare.html", repeats=True)
        if not quiet:
            print(f"done: {page}", file=sys.stderr)
    return 2 if failed else 0


def _check_own(own: Command) -> None:
    if own.repeats > 1:
        from facegan.runs.compare import MAX_RUNS

        if own.repeats > MAX_RUNS:
            raise ConfigError(f"--repeats {own.repeats}: their page holds at most {MAX_RUNS} runs")
    modes = {"--repeats": own.repeats > 1, "--sweep": bool(own.sweep), "--auto": own.auto}
    if sum(modes.values()) > 1:
        raise ConfigError(f"{' and '.join(n for n, on in modes.items() if on)}: one at a time")
    if own.auto and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("--auto measures on one process: take its settings from --auto --dry-run")


@silence()  # it has a line of its own
def run(argv: list[str]) -> int:
    from facegan.cli import train_modes

    if {"-h", "--help", "--help-all"} & set(argv):
        print(help_text(argv, everything="--help-all" in argv))
        return 0
    argv, why = train_modes.with_recipe(argv)
    flags, config = parse(argv)
    _check_own(flags)
    from facegan.data.dataset import Dataset
    from facegan.devices import insist_on_threads
    from facegan.interrupts import Interrupted
    from facegan.recipes.choice import image_shape
    from facegan.recipes.config import check
    from facegan.runs.checkpoints import list_checkpoints
    from facegan.training.forecast import long_run
    from facegan.training.train import train

    if flags.threads:
        insist_on_threads(flags.threads)
    first = os.environ.get("RANK", "0") == "0"  # of the processes that a launcher has started
    data = Dataset(flags.dataset)
    default = f"runs/{data.path.resolve().name}-{config.recipe}"
    out = Path(flags.out or default + "-sweep" * bool(flags.sweep))
    if why and first and not flags.auto and not flags.quiet:
        print(
            f"recipe {config.recipe}: {why} (--recipe NAME takes another: 'facegan recipes'; "
            "--auto chooses the other settings, too)",
            file=sys.stderr,
        )
    if flags.auto:
        config = train_modes.automatic(data, config, argv, flags=flags, out=out, why=why)
    if flags.dry_run and flags.sweep:
        return train_modes.dry_sweep(data, config, argv, flags=flags)
    if flags.dry_run:
        if not first:
            return 0
        return 0 if flags.auto else _dry_run(data, config, flags)
    command = "facegan train " + shlex.join(argv)
    resume = flags.resume
    if resume and (flags.repeats > 1 or flags.sweep):  # those that had not begun yet do begin
        if not any(list_checkpoints(path) for path in out.glob("*/checkpoints")):
            raise RunError(f"{out}: --resume, but there is no checkpoint in a run below it")
        resume = False

    def once(config: TrainConfig, out: Path) -> None:
        image_shape(check(config), data)  # before a line says that it begins
        listeners: list[Any] = [] if flags.quiet or not first else [LiveLine()]
        if flags.tensorboard and first:
            from facegan.runs.tensorboard import TensorBoardListener

            listeners.append(TensorBoardListener(out / "tensorboard"))
        if not flags.quiet and first:
            print(
                f"{config.recipe} on {data.path} ({data.counts.get('train', 0)} images) -> {out}",
                file=sys.stderr,
            )
        alone = not flags.quiet and not flags.auto and "RANK" not in os.environ
        new = alone and not list_checkpoints(out / "checkpoints")
        if new and (told := long_run(data, config, flags.device)):
            print(told, file=sys.stderr, flush=True)
        train(data, config, out, resume=resume, device=flags.device, listeners=listeners, command=command)

    try:
        if flags.repeats > 1:
            return _repeat(once, config, out, repeats=flags.repeats, quiet=flags.quiet, first=first)
        if flags.sweep:
            return train_modes.run_sweep(once, data, config, argv=argv, flags=flags, out=out, first=first)
        once(config, out)
    except FaceganError as error:
        if first or not (error.reported or isinstance(error, (ConfigError, DatasetError))):
            raise
        return 2  # the first process says it for all
    except Interrupted as stop:
        if first:
            print(f"\nfacegan train: saved; the same command goes on from here ({out})", file=sys.stderr)
        return 128 + stop.signum
    if not first:
        return 0
    if not flags.quiet:
        print(f"done: {out / 'report.html'}; next: facegan generate {out}", file=sys.stderr)
    return 0


def _dry_run(data: Dataset, config: TrainConfig, flags: Any) -> int:
    from facegan.planning.dry_run import dry_run
    from facegan.planning.dry_run_text import page

    if not flags.quiet:
        print(f"{config.recipe} on {data.path}: a few real updates ...", file=sys.stderr)
    print(page(dry_run(data, config, flags.device)))
    return 0
