"""What made a picture, for the view that can make it again: from its mark, or from the project's results."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from facegan.marks import RECALL
from facegan.models import moment_name, moments
from facegan.studio.actions import ACTIONS
from facegan.studio.project import Item, Project, hash_of_model, model_facts
from facegan.studio.refusals import NotFoundError

_EDIT = re.compile(r"\s*(.+?) ([+-]\d+(?:\.\d+)?)\s*")
_COMPONENT = re.compile(r"(pca|sefa) component (\d+)")


def find_result(project: Project, path: Path) -> Item | None:
    """Return the result that has a file with the same bytes; None if none has."""
    size, digest = path.stat().st_size, ""
    for item in project.results():
        for number, about in enumerate(item.facts.get("files") or ()):
            if not isinstance(about, dict) or about.get("bytes") != size:
                continue
            try:
                file = project.file_of(item.id, item.facts.get("files"), number)
            except NotFoundError:
                continue
            digest = digest or _sha256(path)
            if _sha256(file) == digest:
                return item
    return None


def find_model(project: Project, wanted: str) -> str:
    """Return the id of the model with that hash; "" if the project has none.

    Files say it in their headers; the weights of earlier files, which name another hash, are read only if no
    header has it.
    """
    older = []
    for name, path in _models(project) if wanted else ():
        head = model_facts(path) or {}
        if wanted in (head.get("identity"), head.get("hash")):
            return name
        if head and not head["identity"]:
            older.append((name, path))
    return next((name for name, path in older if (hash_of_model(path) or {}).get("hash") == wanted), "")


def settings_of(mark: Mapping[str, str], project: Project) -> dict[str, Any]:
    """Return what a mark restores.

    Args:
        mark: ``Mark.to_dict()`` of a file.
        project: whose models are looked through.

    Returns:
        ``model``: the id of the project's model that made it, or "". ``job``: an action and its settings, or
        None. ``view`` and ``state``: a view's address, or "" and nothing.
    """
    model = find_model(project, mark.get("model", ""))
    kept = mark.get(RECALL, "")
    found: dict[str, Any] = {"model": model, "job": None, "view": "", "state": {}}
    if job := _job(kept):
        if model and "model" in job["settings"]:
            job["settings"]["model"] = model
        return {**found, "job": job, "model": model or _there(project, job["settings"].get("model"))}
    if named := re.fullmatch(r"([a-z]{1,20})\?(.*)", kept, re.DOTALL):
        return {**found, "view": named[1], "state": dict(parse_qsl(named[2]))}
    state = {name: mark[name] for name in ("truncation", "labels") if mark.get(name)}
    if seeds := re.findall(r"\d+(?:-\d+)?", mark.get("seed", "")):
        state |= {"seed": seeds[0].partition("-")[0], "seeds": ",".join(seeds)}
    if moves := moves_of(mark.get("edits", "")):
        state["moves"] = ",".join(f"{name}:{strength:g}" for name, strength in moves.items())
    return {**found, "view": "explore", "state": state} if "seed" in state else found


def moves_of(edits: str) -> dict[str, float]:
    """Return direction -> strength of a text such as ``wearing hat +1.5, pca component 2 -2``.

    Exported pages write names as people read them. The networks' names of attributes are those of CelebA.
    """
    moves = {}
    for part in edits.split(","):
        if named := _EDIT.fullmatch(part):
            component = _COMPONENT.fullmatch(named[1])
            words = [word if word == "o" else word[:1].upper() + word[1:] for word in named[1].split()]
            moves["".join(component.groups()) if component else "_".join(words)] = float(named[2])
    return moves


def _job(kept: str) -> dict[str, Any] | None:
    """Return the action and settings of a mark, which is a stranger's text; None if it has none."""
    try:
        job = json.loads(kept)
        action, settings = job["action"], job["settings"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    known = isinstance(action, str) and action in ACTIONS and isinstance(settings, dict)
    return {"action": action, "settings": settings} if known else None


def _there(project: Project, model: Any) -> str:
    """Return the id of a model if the project has it, else ""."""
    try:
        return project.find("models", model).id
    except NotFoundError:
        return ""


def _models(project: Project) -> Iterator[tuple[str, Path]]:
    """Yield id and file of each model, of runs all moments, the newest first."""
    for item in project.models():
        if "run" not in item.facts:
            yield item.id, item.path
            continue
        for number, (kimg, path) in enumerate(reversed(moments(item.path).items())):
            yield f"{item.id}@{moment_name(kimg)}" if number else item.id, path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
