"""One call of ``facegan train``: what it trains on, with which settings, and what it shows."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.bars import Line, clock
from facegan.cli.options import notify
from facegan.cli.train_flags import Command, parse
from facegan.errors import ConfigError
from facegan.runs.callbacks import Listener, StepStats

if TYPE_CHECKING:
    from facegan.recipes.config import TrainConfig


def status(stats: StepStats) -> str:
    """Return the live line: kimg, img/s, time left, losses, the discriminator's accuracy on real and fake."""
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


class Session:
    """One call of the command: what it trains on, with which settings, and where to."""

    def __init__(self, argv: list[str], why: str) -> None:
        from facegan.data.dataset import Dataset
        from facegan.devices import insist_on_threads

        self.argv, self.why = argv, why
        self.flags, self.config = parse(argv)
        _check_own(self.flags)
        if self.flags.threads:
            insist_on_threads(self.flags.threads)
        self.first = os.environ.get("RANK", "0") == "0"  # of the processes that a launcher has started
        self.shown = self.first and not self.flags.quiet
        self.data = Dataset(self.flags.dataset)
        self.to = Dataset(self.flags.to) if self.flags.to else None
        default = f"runs/{self.data.path.resolve().name}-{self.config.recipe}"
        self.out = Path(self.flags.out or default + "-sweep" * bool(self.flags.sweep))
        self.resume = self.flags.resume

    def say(self, text: str) -> None:
        """Print a line, where this is the first process and lines are wanted."""
        if self.shown:
            notify(text)

    def once(self, config: TrainConfig, out: Path) -> None:
        """Train one run."""
        from facegan.recipes.config import check
        from facegan.runs.checkpoints import list_checkpoints
        from facegan.training.forecast import long_run
        from facegan.training.objective import check_sources
        from facegan.training.state import Sources
        from facegan.training.train import train

        check_sources(check(config), Sources(self.data, self.to))  # before a line says that it begins
        listeners: list[Any] = [LiveLine()] if self.shown else []
        if self.flags.tensorboard and self.first:
            from facegan.runs.tensorboard import TensorBoardListener

            listeners.append(TensorBoardListener(out / "tensorboard"))
        count = self.data.counts.get("train", 0)
        self.say(f"{config.recipe} on {self.data.path} ({count} images) -> {out}")
        alone = self.shown and not self.flags.auto and "RANK" not in os.environ
        new = alone and not list_checkpoints(out / "checkpoints")
        if new and (duration := long_run(self.data, config, self.flags.device)):
            self.say(duration)
        options: Any = {"resume": self.resume, "device": self.flags.device, "listeners": listeners}
        options["mark"] = self.flags.mark
        options["to"] = self.to
        train(self.data, config, out, command="facegan train " + shlex.join(self.argv), **options)
