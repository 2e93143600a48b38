"""``facegan train --auto`` and ``--sweep``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.cli.train_flags import DEFAULT_RECIPE, flags_of, is_named, parse
from facegan.errors import ConfigError, FaceganError

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset
    from facegan.planning.sweep import Trial
    from facegan.recipes.config import TrainConfig

SWEPT_METRIC = "kid"


def given(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the settings on the command line, as the configuration spells them."""
    names = (word[2:].partition("=")[0] for word in argv if word.startswith("--"))
    spelled = [name.replace("-", "_") for name in names]
    bare = [".".join([*n.split(".")[:-1], n.split(".")[-1].removeprefix("no_")]) for n in spelled]
    return tuple(dict.fromkeys(spelled + bare))


# --- auto ----------------------------------------------------------------------------------------


def with_recipe(argv: list[str]) -> tuple[list[str], str]:
    """Return the command line with the recipe that suits dataset and device, and the reason.

    The reason is "" if a recipe is named already. A run that has begun goes on with its own.
    """
    if is_named(argv):
        return argv, ""
    import contextlib
    import io

    import tyro

    from facegan.recipes.table import recipe

    try:  # what only another recipe's networks know is none of this parser's business
        with contextlib.redirect_stderr(io.StringIO()):
            flags: Any = tyro.cli(flags_of(recipe(DEFAULT_RECIPE)), args=argv, return_unknown_args=True)[0]
    except SystemExit:
        return argv, ""  # the whole parser says what is wrong
    from facegan.data.dataset import Dataset
    from facegan.devices import pick_device
    from facegan.planning.auto import look
    from facegan.recipes.choice import pick_recipe
    from facegan.runs.record import read_record
    from facegan.training.initialization import metadata_of

    where, settings = flags.own, flags.settings
    begun = (Path(where.out) / "config.json").is_file() if where.out else False
    if before := str(read_record(where.out).config.get("recipe", "")) if begun else "":
        return [*argv, "--recipe", before], f"the run in {where.out} began with it"
    began = metadata_of(settings.init) if settings.init else {}
    name, why = pick_recipe(
        look(Dataset(where.dataset), pick_device(where.device)),
        bool(settings.condition),
        began.get("family", ""),
        before=began.get("provenance", {}).get("recipe", ""),
    )
    return [*argv, "--recipe", name], why


def automatic(
    data: Dataset, config: TrainConfig, argv: Sequence[str], *, flags: Any, out: Path, why: str
) -> TrainConfig:
    """Return, and print, what --auto chooses; if the folder holds a run, what that began with."""
    from facegan.planning.auto import begun, decide, table

    before = None if flags.dry_run else begun(config, given(argv), out)
    if before is not None:
        print(f"{out}: goes on with what was chosen when it began", file=sys.stderr)
        return before
    if not flags.quiet:
        print(f"{config.recipe} on {data.path}: a few real updates ...", file=sys.stderr)
    decision = decide(data, config, given(argv), device=flags.device, why_recipe=why)
    print(table(decision), flush=True)
    if flags.dry_run:
        print("\nNothing was written; the same command without --dry-run trains.")
    return decision.config


# --- sweep ---------------------------------------------------------------------------------------


def _trials(config: TrainConfig, argv: list[str], flags: Any) -> list[tuple[Trial, TrainConfig]]:
    """Return each trial with its configuration, whose values are read as those of the command line."""
    from facegan.planning.sweep import expand, words
    from facegan.recipes.config import TrainSettings

    decided = given(argv)
    kimg = flags.sweep_kimg or config.kimg / 20
    own: dict[str, Any] = {
        "kimg": kimg,
        "metric": config.metric or SWEPT_METRIC,
        "metric_kimg": kimg,
        "grid_kimg": kimg / 2,
    }
    decided = tuple(name for name in decided if name != "metric" or config.metric)  # it ranks by one
    own |= {"checkpoint_kimg": kimg / 4, "keep_checkpoints": 1}
    known = {f.name for f in dataclasses.fields(TrainSettings)}
    found = []
    for trial in expand(flags.sweep, config):
        for name, _ in trial.settings:
            if name not in known and "." not in name:
                raise ConfigError(_unknown(name, known))
            if name in decided:
                raise ConfigError(f"--sweep {name}: you also gave --{name.replace('_', '-')}; which is it?")
        swept = {name for name, _ in trial.settings}
        short = {k: v for k, v in own.items() if (k == "kimg" or k not in decided) and k not in swept}
        found.append((trial, dataclasses.replace(parse([*argv, *words(trial)])[1], **short)))
    return found


def _unknown(name: str, known: set[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*known, "gamma"], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "; see 'facegan train --help'"
    return f"--sweep {name}: there is no such setting{hint}"


def check_one(trials: list[tuple[Trial, TrainConfig]], data: Dataset) -> None:
    """Raise ConfigError, once, if the dataset suits none of the trials."""
    from facegan.recipes.choice import image_shape

    errors = []
    for _, one in trials:
        try:
            image_shape(one, data)
            return
        except ConfigError as error:
            errors.append(error)
    raise errors[0]


def run_sweep(
    once: Callable[[TrainConfig, Path], None],
    data: Dataset,
    config: TrainConfig,
    *,
    argv: list[str],
    flags: Any,
    out: Path,
    first: bool,
) -> int:
    """Run all trials, print their ranking and write a page that compares them; return 2 if some failed."""
    from facegan.planning.sweep import sweep, table, write_outcomes

    trials = _trials(config, argv, flags)
    check_one(trials, data)

    def said(text: str) -> None:
        if first and not flags.quiet:
            print(text, file=sys.stderr, flush=True)

    outcomes = sweep(trials, out, once, content_hash=data.content_hash, on_progress=said)
    if first:
        metric = trials[0][1].metric
        page = write_outcomes(outcomes, metric, out)
        print(f"\n{config.recipe} on {flags.dataset}, {trials[0][1].kimg:g} kimg each, by {metric}:\n")
        print(table(outcomes, metric))
        if page is not None and not flags.quiet:
            print(f"done: {page}", file=sys.stderr)
    return 2 if any(o.value is None for o in outcomes) else 0


def dry_sweep(data: Dataset, config: TrainConfig, argv: list[str], *, flags: Any) -> int:
    """Print the trials and how long they will take, by real updates of the first one that works."""
    from facegan.planning.dry_run import dry_run
    from facegan.runs.page import duration

    trials = _trials(config, argv, flags)
    print(f"{len(trials)} trials of {trials[0][1].kimg:g} kimg: {' '.join(t.name for t, _ in trials)}")
    for _, one in trials:
        try:
            d = dry_run(data, one, flags.device)
        except FaceganError as error:
            print(f"would fail: {error}")
            continue
        each = d.training_seconds + d.drawing_seconds
        print(f"about {duration(each)} each and {duration(each * len(trials))} in all, without measuring")
        if d.disturbed:
            print(d.disturbed)
        break
    print("Nothing was written; the same command without --dry-run trains.")
    return 0
