"""Train a recipe on a dataset of the project, or go on with one of its runs."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.bars import clock
from facegan.data.dataset import Dataset
from facegan.errors import FaceganError, InputError
from facegan.families import get_family
from facegan.recipes.choice import image_shape
from facegan.recipes.config import TrainConfig, check, override
from facegan.recipes.table import recipe
from facegan.runs.callbacks import Listener, StepStats
from facegan.runs.checkpoints import list_checkpoints
from facegan.runs.record import changed_settings, read_json
from facegan.studio.actions import Action
from facegan.studio.call import Call, Ref, new, only, ref, setting
from facegan.studio.project import Item, Project
from facegan.studio.report import JobReport

SETTINGS = ("dataset", "to", "recipe", "changes", "init")
_PAUSE = 1.0  # seconds between two events of statistics at first
_SHARE = 500  # later this part of the time that has passed


def chosen(settings: Mapping[str, Any], project: Project) -> tuple[Dataset, TrainConfig, dict[str, Any]]:
    """Return the dataset, the configuration and the changes to the recipe that a request names.

    Raises:
        FaceganError: A setting does not fit; the sentence names it.
    """
    data = Dataset(project.find("datasets", ref(settings, "dataset", project, kind="datasets").id).path)
    name = setting(settings, "recipe", "")
    if not name:
        raise InputError("recipe: choose one")
    changes = settings.get("changes", {})
    if not isinstance(changes, dict) or "init" in changes:
        raise InputError("changes must be an object of settings by name; weights to begin with are 'init'")
    config = check(override(recipe(name), changes))
    image_shape(config, data)
    unknown = [one for one in config.condition if one not in data.attribute_names]
    if unknown:
        known = ", ".join(data.attribute_names) or "none: label them in the view of photos first"
        raise InputError(f"condition: this dataset has no attribute '{unknown[0]}' (it has {known})")
    return data, config, changes


def sources(settings: Mapping[str, Any], project: Project, config: TrainConfig) -> dict[str, Any]:
    """Return the arguments that are items of the project: one or two datasets, weights to begin with."""
    found: dict[str, Any] = {"dataset": ref(settings, "dataset", project, kind="datasets")}
    if settings.get("to"):
        found["to"] = ref(settings, "to", project, kind="datasets")
    found["recipe"] = config.recipe
    if settings.get("init"):
        found["init"] = ref(settings, "init", project, kind="models")
    return found


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    if settings.get("run"):
        return _going_on(settings, project)
    only(settings, *SETTINGS, "name")
    _, config, changes = chosen(settings, project)
    arguments = sources(settings, project, config)
    arguments["out"] = new(settings, "name", project, kind="runs")
    return Call("train", arguments, positional=("dataset",), settings=changes)


def _going_on(settings: Mapping[str, Any], project: Project) -> Call:
    """Return the call that goes on with a run, whoever began it; ``kimg`` may make it longer."""
    only(settings, "run", "kimg")
    item = project.find("runs", settings["run"])
    config = read_json(item.path / "config.json")
    name = str(config.get("recipe") or "")
    try:
        recipe(name)
    except FaceganError:
        raise InputError(
            f"run: {item.name} follows no recipe of this version; go on with it where it was begun"
        ) from None
    changes = changed_settings(config)
    arguments: dict[str, Any] = {"dataset": _dataset_of(config, "dataset", project, run=item.name)}
    if config.get("to"):
        arguments["to"] = _dataset_of(config, "to", project, run=item.name)
    arguments["recipe"] = name
    if init := changes.pop("init", ""):
        arguments["init"] = _model_named(str(init), project, item.name)
    arguments |= {"out": Ref("runs", item.id, item.name)}
    if list_checkpoints(item.path / "checkpoints"):
        arguments["resume"] = True
    if settings.get("kimg"):
        kimg = setting(settings, "kimg", 0.0)
        check(override(recipe(name), {**changes, "kimg": kimg}))
        changes = {**changes, "kimg": kimg}
    return Call("train", arguments, positional=("dataset",), settings=changes)


def _dataset_of(config: Mapping[str, Any], name: str, project: Project, *, run: str) -> Ref:
    """Return the project's dataset on which a run began: the one with its content, wherever it lies now."""
    wanted = config.get(name)
    wanted = wanted if isinstance(wanted, dict) else {}
    for item in project.datasets():
        if read_json(item.path / "dataset.json").get("content_hash") == wanted.get("content_hash"):
            return Ref("datasets", item.id, item.name)
    raise InputError(
        f"run: the dataset {wanted.get('name', '')} of {run} is not in this project any more; put it into "
        "datasets/, or go on where it is"
    )


def _model_named(name: str, project: Project, run: str) -> Ref:
    """Return the project's model by its name on command lines."""
    plain, _, moment = name.partition("@")
    for item in project.models():
        if item.name == plain:
            wanted = f"{item.id}@{moment}" if moment else item.id
            found: Item = project.find("models", wanted)
            return Ref("models", found.id, found.name)
    raise InputError(f"run: {run} began with {name}, which is not in this project; go on on the command line")


# --- in the worker ---------------------------------------------------------------------------------------


class Told(Listener):
    """Tells a job's events of a training: progress, statistics, grids and messages."""

    def __init__(self, report: JobReport) -> None:
        self.report = report
        self._began = self._last = time.monotonic()

    def on_stats(self, stats: StepStats) -> None:
        done = min(stats.images_seen, stats.images_total)
        left, speed = stats.images_total - done, stats.images_per_second
        note = f"{speed:.0f} images/s, {clock(left / speed)} left" if speed > 0 else ""
        self.report.progress("training (images)", done, stats.images_total, note=note)
        now = time.monotonic()
        if now - self._last >= max(_PAUSE, (now - self._began) / _SHARE) or left == 0:
            self._last = now
            finite = {name: value for name, value in stats.line().items() if math.isfinite(value)}
            self.report.event("stats", **finite)

    def on_grid(self, images_seen: int, grid: Any) -> None:
        self.report.event("found", what="grid", kimg=images_seen / 1000)

    def on_event(self, images_seen: int, text: str) -> None:
        self.report.message(f"{images_seen / 1000:.1f} kimg: {text}")


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = {**report.values(call), **call.settings}
    command = shlex.join(["facegan", *call.argv(report.job)])
    report.message("getting ready")
    out = Path(facegan.train(**values, listeners=[Told(report)], command=command))
    place = (report.project.root / out).resolve()
    item = next((item for item in report.project.runs() if item.path == place), None)
    config = read_json(place / "config.json")
    following = get_family(str(config.get("family", "dcgan"))).next_command.partition(" ")[0]
    return {"run": item.id if item else "", "next": following, "text": f"trained {out}"}


ACTION = Action("train", "Train", _call, _run, resumable=True)
