"""``facegan train --auto``, ``--repeats`` and ``--sweep``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.cli.options import notify
from facegan.cli.train_flags import DEFAULT_RECIPE, flags_of, is_named, parse
from facegan.errors import ConfigError, FaceganError, LostProcessError, RunError

if TYPE_CHECKING:
    from facegan.cli.train_session import Session
    from facegan.data.dataset import Dataset
    from facegan.planning.sweep import Trial
    from facegan.recipes.config import TrainConfig

SWEPT_METRIC = "kid"  # of trials of a recipe without a metric


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


def automatic(session: Session) -> TrainConfig:
    """Return, and print, what --auto chooses; if the folder holds a run, what that began with."""
    from facegan.planning.auto import begun, decide, table

    config, flags, names = session.config, session.flags, given(session.argv)
    before = None if flags.dry_run else begun(config, names, session.out)
    if before is not None:
        notify(f"{session.out}: goes on with what was chosen when it began")
        return before
    session.say(f"{config.recipe} on {session.data.path}: a few real updates ...")
    decision = decide(session.data, config, names, device=flags.device, why_recipe=session.why)
    print(table(decision), flush=True)
    if flags.dry_run:
        print("\nNothing was written; the same command without --dry-run trains.")
    return decision.config


# --- repeats -------------------------------------------------------------------------------------


def repeat(session: Session) -> int:
    """Train with several seeds and write a page with mean and spread; return 2 if some failed."""
    from facegan.runs.compare import write_comparison

    runs, failed, first = [], 0, session.config.seed
    for seed in range(first, first + session.flags.repeats):
        runs.append(session.out / f"seed-{seed}")
        try:
            session.once(dataclasses.replace(session.config, seed=seed), runs[-1])
        except LostProcessError:
            raise
        except RunError as error:  # one that broke down must not cost the others
            failed += 1
            if session.first:
                notify(f"facegan train: {error}")
    begun = [run for run in runs if (run / "config.json").is_file()]
    if begun and session.first:
        session.say(f"done: {write_comparison(begun, session.out / 'compare.html', repeats=True)}")
    return 2 if failed else 0


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


def run_sweep(session: Session) -> int:
    """Run all trials, print their ranking and write a page that compares them; return 2 if some failed."""
    from facegan.planning.sweep import sweep, table, write_outcomes

    trials = _trials(session.config, session.argv, session.flags)
    check_one(trials, session.data)
    content = session.data.content_hash
    outcomes = sweep(trials, session.out, session.once, content_hash=content, on_progress=session.say)
    if session.first:
        metric, kimg = trials[0][1].metric, trials[0][1].kimg
        page = write_outcomes(outcomes, metric, session.out)
        print(f"\n{session.config.recipe} on {session.flags.dataset}, {kimg:g} kimg each, by {metric}:\n")
        print(table(outcomes, metric))
        if page is not None:
            session.say(f"done: {page}")
    return 2 if any(o.value is None for o in outcomes) else 0


def dry_sweep(session: Session) -> None:
    """Print the trials and how long they will take, by real updates of the first one that works."""
    from facegan.planning.dry_run import dry_run
    from facegan.runs.page import duration

    trials = _trials(session.config, session.argv, session.flags)
    print(f"{len(trials)} trials of {trials[0][1].kimg:g} kimg: {' '.join(t.name for t, _ in trials)}")
    for _, one in trials:
        try:
            d = dry_run(session.data, one, session.flags.device, to=session.to)
        except FaceganError as error:
            print(f"would fail: {error}")
            continue
        each = d.training_seconds + d.drawing_seconds
        print(f"about {duration(each)} each and {duration(each * len(trials))} in all, without measuring")
        if d.disturbed:
            print(d.disturbed)
        break
    print("Nothing was written; the same command without --dry-run trains.")
