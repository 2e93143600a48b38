"""What the view of training shows: recipes for a dataset, settings with their rules, runs with their curves.

All of it is read from tables and run folders, so that runs of the command line show as well. No torch.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from facegan.arguments import field_types
from facegan.data.dataset import Dataset
from facegan.data.inputs import INPUTS
from facegan.errors import ConfigError, FaceganError
from facegan.families import get_family
from facegan.families.translator import TranslatorFamily
from facegan.files import is_locked
from facegan.models import moments
from facegan.recipes.choice import accepts, pick_recipe, surroundings
from facegan.recipes.config import GROUPS, TrainSettings, unread_group
from facegan.recipes.curves import measures_of
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.checkpoints import list_checkpoints
from facegan.runs.page import duration
from facegan.runs.record import RunRecord, changed_settings, number, read_json, read_record
from facegan.runs.report import diversity_text, quality_text, stopped, train_command
from facegan.runs.report_data import event, grid_files, run_axes, run_charts
from facegan.settings import Item, help_of, walk
from facegan.studio.project import Item as ProjectItem

HIDDEN = ("recipe", "family", "init", "channels", "size")
"""Settings that the view has in another form, or that belong to a recipe."""

# --- before a run ----------------------------------------------------------------------------------------


def recipes_for(data: Dataset | None, device: str) -> dict[str, Any]:
    """Return all recipes, which of them take this dataset, and the one that suits it and the device."""
    found = None if data is None else surroundings(data, device)
    rows = [
        {
            "name": name,
            "summary": row.summary,
            "source": row.source,
            "kimg": row.config.kimg,
            "size": row.config.size,
            "translates": get_family(row.config.family).translates,
            "conditional": get_family(row.config.family).conditional,
            "domains": _of_domains(row.config.family),
            "known": bool(measures_of(name)),
            "fits": found is None or accepts(row.config, found),
        }
        for name, row in RECIPES.items()
    ]
    suited, why = "", ""
    if found is not None:
        try:
            suited, why = pick_recipe(found)
        except ConfigError as error:
            why = str(error)
    return {"recipes": rows, "suited": suited, "why": why}


def _of_domains(name: str) -> bool:
    """Return whether a family learns from two datasets: pictures of one become such of the other."""
    family = get_family(name)
    return isinstance(family, TranslatorFamily) and len(family.directions) > 1


def settings_of(name: str) -> dict[str, Any]:
    """Return the groups of settings of a recipe, and all of them with their rules and docs."""
    config = recipe(name)
    items = [
        item
        for item in walk(config)
        if item.group != unread_group(config)
        and item.name not in HIDDEN
        and ("." in item.name or item.name in field_types(TrainSettings))
    ]
    names = list(dict.fromkeys([*GROUPS, *(item.group for item in items)]))
    return {
        "recipe": name,
        "groups": [
            {"name": group, "title": GROUPS.get(group, f"settings of the {group}")}
            for group in names
            if any(item.group == group for item in items)
        ],
        "settings": [_setting(item, get_family(config.family).translates) for item in items],
    }


def _setting(item: Item, translates: bool) -> dict[str, Any]:
    """Return a setting as the page reads it; the quiet ones are common only where they have a use."""
    rules, hint = item.rules, field_types(item.owner)[item.key]
    kind, several = _kind(hint)
    bounds = {
        "minimum": rules.minimum if rules.minimum is None or math.isfinite(rules.minimum) else None,
        "above": rules.above,
        "maximum": rules.maximum if math.isfinite(rules.maximum) else None,
        "below": rules.below,
    }
    words = INPUTS if item.name == "input" else rules.choices
    choices = None if words is None else [*([""] if rules.default == "" else []), *words]
    return {
        "name": item.name,
        "key": item.key,
        "group": item.group,
        "value": list(item.value) if isinstance(item.value, tuple) else item.value,
        "kind": kind,
        "several": several,
        "optional": type(None) in get_args(hint),
        "choices": choices,
        "range": rules.range() if kind in ("int", "float") else "",
        **{name: value for name, value in bounds.items() if value is not None},
        "common": rules.common and (translates or not rules.quiet),
        "resumable": rules.resumable,
        "help": help_of(item.owner).get(item.key, ""),
    }


def _kind(hint: Any) -> tuple[str, bool]:
    """Return ``bool``, ``int``, ``float`` or ``text`` of a field's type, and whether it holds several."""
    names = {bool: "bool", int: "int", float: "float"}
    inner = [one for one in get_args(hint) if one in (bool, int, float, str)]
    several = getattr(hint, "__origin__", None) is tuple
    return names.get(inner[0] if inner else hint, "text"), several


# --- runs --------------------------------------------------------------------------------------------------


def jobs_of_runs(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return run -> the newest job that trains it; the run by its name within the project."""
    found: dict[str, Mapping[str, Any]] = {}
    for job in jobs:
        made = job.get("makes")
        if job.get("action") == "train" and isinstance(made, str):
            found.setdefault(made, job)
    return found


def summary(item: ProjectItem, record: RunRecord, job: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a line on a run: how far it is, what it measures, and whether it goes on."""
    config, total = record.config, number(record.config.get("kimg"))
    active = job is not None and job["state"] in ("queued", "running")
    speed = record.last("images_per_second")
    state = _state(item.path, record, total=total, active=active)
    left = None
    if state == "running" and speed and total:
        left = max(total - record.kimg, 0) * 1000 / speed
    metric = str(config.get("metric") or "")
    grids = sorted(grid_files(item.path / "samples"))
    return {
        "id": item.id,
        "name": item.name,
        "recipe": str(config.get("recipe") or config.get("family") or ""),
        "dataset": str((config.get("dataset") or {}).get("name", "")),
        "kimg": record.kimg,
        "total": total,
        "state": state,
        "job": job["id"] if job is not None else None,
        "error": (job.get("error") or "") if job is not None and state in ("stopped", "broken") else "",
        "images_per_second": speed,
        "seconds": record.last("seconds"),
        "seconds_left": left,
        "quality": record.last("quality"),
        "metric": metric,
        "metric_value": record.last(metric) if metric else None,
        "best": best_of(item.path),
        "alarms": sum(bool(event(e)["alarm"]) for e in record.events),
        "grids": grids,
        "moments": len(moments(item.path)),
    }


def waiting(name: str, job: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a line on a run that is to begin: its job waits, or gets ready; None if it has ended."""
    if job["state"] not in ("queued", "running"):
        return None
    numbers = ("total", "images_per_second", "seconds", "seconds_left", "quality", "metric_value", "best")
    settings = job.get("settings") or {}
    return {
        "id": name.rpartition("/")[2],
        "name": name,
        "recipe": str(settings.get("recipe", "")),
        "dataset": str(settings.get("dataset", "")),
        "kimg": 0.0,
        "state": "waiting",
        "job": job["id"],
        "error": "",
        "metric": "",
        "alarms": 0,
        "grids": [],
        "moments": 0,
        **dict.fromkeys(numbers),
    }


def _state(path: Path, record: RunRecord, *, total: float | None, active: bool) -> str:
    if active or is_locked(path / ".lock"):  # of any process that trains there
        return "running"
    if stopped(record):
        return "broken"
    return "finished" if total and record.kimg >= total else "stopped"


def best_of(path: Path) -> dict[str, Any] | None:
    """Return which checkpoint is the best by the run's metric, as ``best.json`` says."""
    found = read_json(path / "best.json")
    images = number(found.get("images_seen"))
    if images is None:
        return None
    return {"kimg": images / 1000, "metric": found.get("metric"), "value": number(found.get("value"))}


def detail(item: ProjectItem, record: RunRecord) -> dict[str, Any]:
    """Return everything that a run's page shows beside its summary."""
    charts, axes = run_charts(record)
    begun = bool(list_checkpoints(item.path / "checkpoints"))
    return {
        "charts": charts,
        "axes": [run_axes(record), *axes],
        "verdict": verdict(item, record),
        "changes": changed_settings(record.config),
        "length": duration(record.last("seconds")),
        "begun": begun,
        "command": f"{train_command(record.config, item.name)}{' --resume' * begun}",
        "started_as": str(record.config.get("command") or ""),
    }


def verdict(item: ProjectItem, record: RunRecord) -> dict[str, Any]:
    """Return what to make of a run in plain words: a headline, sentences, and the watchdog's lines."""
    warnings = [
        {"kimg": e["kimg"], "text": str(e["text"]).partition(":")[2].strip()}
        for e in map(event, record.events)
        if e["alarm"]
    ]
    if end := stopped(record):
        return {
            "headline": "This run has broken down.",
            "text": f"{end} Earlier models are kept.",
            "warnings": warnings,
        }
    curve, models = record.curve("quality"), list(moments(item.path))
    headline, text = quality_text(curve, record.last("quality_floor"), models, run=item.name)
    words = " ".join(filter(None, [text, diversity_text(record.curve("diversity"))]))
    return {"headline": headline, "text": words, "warnings": warnings}


def grid_of(item: ProjectItem, kimg: str) -> Path | None:
    """Return the file of the grid that a run drew at ``kimg``, a number of its listing; None without."""
    try:
        path = grid_files(item.path / "samples").get(float(kimg))
    except ValueError:
        return None
    return None if path is None or path.is_symlink() else path


class Records:
    """Run folders as they were last read; read again where a file has changed."""

    FILES = ("config.json", "stats.jsonl", "events.jsonl", "best.json", "samples", "models")

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[str, RunRecord]] = {}

    def version(self, path: Path) -> str:
        """Return what changes whenever the run's files do."""
        found = []
        for name in self.FILES:
            with contextlib.suppress(OSError):
                about = (path / name).stat()
                found.append(f"{about.st_mtime_ns:x}.{about.st_size:x}")
        return "-".join(found)

    def read(self, path: Path) -> tuple[str, RunRecord]:
        """Return the version and the record."""
        version = self.version(path)
        kept = self._kept.get(path)
        if kept is None or kept[0] != version:
            try:
                kept = (version, read_record(path))
            except FaceganError:
                kept = (version, RunRecord(path))
            self._kept[path] = kept
        return kept
