"""Look ahead at a training: memory, time, disk and quality to expect, and the settings that would suit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facegan.errors import ConfigError, InputError
from facegan.recipes.config import override
from facegan.studio.actions import Action
from facegan.studio.actions.train import SETTINGS, chosen, sources
from facegan.studio.call import Call, only, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset
    from facegan.planning.dry_run import DryRun
    from facegan.recipes.config import TrainConfig

FEW = 256
"""Training pictures below which a page warns that they are learnt by heart."""


@dataclass(frozen=True)
class PlanCall(Call):
    """A dry run, which is an option of the command but a function of its own in Python."""

    def python(self, job: str = "") -> str:
        """Return the Python that prints the same page."""
        given = self.arguments
        begun = {"init": given["init"].name} if "init" in given else {}
        changes, data = {**self.settings, **begun}, repr(given["dataset"].name)
        made = f"recipe({given.get('recipe', '')!r})"
        if changes:
            made = f"override({made}, {changes!r})"
        lines = ["from facegan.recipes.config import override"] if changes else []
        lines += ["from facegan.recipes.table import recipe", ""]
        if given.get("auto"):
            lines.insert(0, "from facegan.planning.auto import decide, table")
            lines.insert(0, "from facegan.data.dataset import Dataset")
            lines.append(f"print(table(decide(Dataset({data}), {made}, {list(changes)!r})))")
        else:
            lines.insert(0, "from facegan.planning.dry_run_text import page")
            lines.insert(0, "from facegan.planning.dry_run import dry_run")
            second = f", to={given['to'].name!r}" if "to" in given else ""
            lines.append(f"print(page(dry_run({data}, {made}{second})))")
        return "\n".join(lines) + "\n"


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, *SETTINGS, "auto")
    auto = setting(settings, "auto", False)
    _, config, changes = chosen(settings, project)
    if auto and settings.get("to"):
        raise InputError(
            "auto chooses settings of recipes that make pictures of noise; leave out the second dataset"
        )
    arguments = sources(settings, project, config)
    arguments |= {"auto": True} if auto else {}
    return PlanCall("train", {**arguments, "dry_run": True}, positional=("dataset",), settings=changes)


# --- in the worker ---------------------------------------------------------------------------------------


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    report.progress("building the networks, and timing a few updates", 0)
    values = report.values(call)
    from facegan.data.dataset import Dataset
    from facegan.planning.auto import decide
    from facegan.planning.dry_run import dry_run
    from facegan.recipes.table import recipe

    given = dict(call.settings)
    if "init" in values:
        given["init"] = values["init"]
    config, data = override(recipe(values["recipe"]), given), Dataset(values["dataset"])
    if not values.get("auto"):
        _check_memory(config, data)
        found = dry_run(data, config, to=values.get("to"))
        return plan_of(found)
    decision = decide(data, config, tuple(given))
    choices = [vars(choice) for choice in decision.choices]
    return {**plan_of(decision.measured), "choices": choices, "changes": _changes(decision.config)}


def _check_memory(config: TrainConfig, data: Dataset) -> None:
    """Raise ConfigError if pieces much larger than the recipe's do not fit, before the system ends anything.

    What they need is told from pieces of 2 and 8 pictures.
    """
    from facegan.devices import free_memory, pick_device
    from facegan.families import get_family
    from facegan.planning.auto import fit_batch, probe
    from facegan.planning.dry_run_text import size
    from facegan.recipes.choice import image_shape
    from facegan.recipes.table import recipe

    piece, usual = config.batch // config.accumulate, recipe(config.recipe).batch
    if piece <= 2 * usual or get_family(config.family).translates:
        return
    place = pick_device("auto")
    found, free = probe(config, image_shape(config, data), place), free_memory(place)
    if found is None or free is None or found.needs(piece) <= free:
        return
    pieces = fit_batch(override(config, {"accumulate": 1}), found, free)[0].get("accumulate", 1)
    raise ConfigError(
        f"{piece:,} pictures at a time need about {size(found.needs(piece))}, but {size(free)} are free; set "
        f"--accumulate to {pieces}, or choose a smaller --batch"
    )


def _changes(config: TrainConfig) -> dict[str, Any]:
    """Return what differs from the recipe, without the weights to begin with, which the page knows."""
    import json

    from facegan.runs.record import changed_settings

    found = changed_settings(json.loads(json.dumps(config.to_dict())))
    return {name: value for name, value in found.items() if name != "init"}


def plan_of(found: DryRun) -> dict[str, Any]:
    """Return a dry run as the page shows it."""
    from facegan.planning.dry_run_text import page
    from facegan.recipes.config import unfinished

    warnings = [
        text for text in (unfinished(found.config, found.image_shape), found.slow, found.disturbed) if text
    ]
    if found.pictures < FEW:
        warnings.append(
            f"{found.pictures} training pictures are few: a generator soon learns them by heart. Add photos, "
            "or begin with trained weights"
        )
    needed = (found.memory_peak or 0) + found.memory_before
    kept = min(found.models, found.config.keep_checkpoints)
    return {
        "recipe": found.config.recipe,
        "pictures": found.pictures,
        "device": found.device,
        "threads": found.threads,
        "speed": found.images_per_update / found.update_seconds,
        "seconds": found.training_seconds + found.drawing_seconds,
        "updates": found.updates,
        "kimg": found.config.kimg,
        "memory": None if found.memory_peak is None else needed,
        "memory_free": found.memory_free,
        "disk": found.models * found.model_bytes + kept * found.checkpoint_bytes + found.map_bytes,
        "warnings": warnings,
        "labels": list(found.labels),
        "forecast": forecast_of(found),
        "page": page(found),
    }


def forecast_of(found: DryRun) -> dict[str, Any]:
    """Return the quality to expect: points of the curve in this machine's time, and what may differ."""
    from facegan.planning.dry_run_text import MEASURE_NAMES
    from facegan.planning.forecast import forecast, moments

    known = forecast(found)
    if known.curve is None:
        return {"measure": "", "doubts": list(known.doubts)}
    run = known.curve.runs[0]
    rows = [(m.seconds, m.kimg, m.estimate) for m in moments(known)]
    return {
        "measure": MEASURE_NAMES[run.measure],
        "features": run.features,
        "floor": run.floor,
        "runs": len(known.curve.runs),
        "against": run.against,
        "points": [_point(*point) for point in known.points()],
        "moments": [_point(*row) for row in rows],
        "doubts": list(known.doubts),
    }


def _point(seconds: float, kimg: float, found: Any) -> dict[str, Any]:
    return {"seconds": seconds, "kimg": kimg, "value": found.value, "low": found.low, "high": found.high}


ACTION = Action("plan", "Look ahead at a training", _call, _run, quick=True)
