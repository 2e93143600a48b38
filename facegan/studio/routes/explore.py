"""``/api/explore``: models for the page's own engine, and what it cannot compute by itself."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.marks import MAX_RECALL
from facegan.models import resolve
from facegan.runs.record import read_json
from facegan.studio import points
from facegan.studio.project import Project, new_id
from facegan.studio.refusals import NotFoundError
from facegan.studio.web import answer, graph_file, item_of, read_object, studio_of, text_of
from facegan.version import __version__

PARTS = ("map", "synthesize", "vectors", "components")
MAX_TRAY = 200
_SECONDS = 900.0  # for a model that is exported for the first time
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # addresses name the version


# --- a model for the page's engine -----------------------------------------------------------------------


async def engine(request: Request) -> Response:
    """Answer with what the page's engine has to know of a model."""
    question = await _question(request)
    about = await run_in_threadpool(read_json, Path(question["folder"]) / "facts.json")
    if not about.get("directions"):  # they may have been found since
        about, _ = await studio_of(request).hands.call("engine", question, seconds=_SECONDS)
    return answer({**about, "id": request.path_params["id"]})


async def prepare(request: Request) -> Response:
    """Export a model for the page's engine, unless that has been done; answer whether it can run there."""
    question, exporter = await _question(request), studio_of(request).exporter
    about = await run_in_threadpool(read_json, Path(question["folder"]) / "facts.json")
    if about.get("runs") is not None:
        return answer({"runs": about["runs"]})
    found, _ = await exporter.call("prepare", question, seconds=_SECONDS)
    if exporter.is_idle:
        await exporter.close()  # it has a copy of torch and of the model
    return answer(found)


async def part(request: Request) -> Response:
    """Answer with a graph, or with the vectors of directions or components."""
    name = request.path_params["part"]
    if name not in PARTS:
        raise NotFoundError(f"a model's contents are one of {', '.join(PARTS)}")
    question = await _question(request)
    file = Path(question["folder"]) / name
    if name == "components" and not file.is_file():
        await studio_of(request).hands.call("components", question, seconds=_SECONDS)
    if not file.is_file() or not file.stat().st_size:
        raise NotFoundError(f"this model has no {name} for the page; open it in Explore again")
    return graph_file(file, _FOREVER)


async def _question(request: Request) -> dict[str, Any]:
    """Return the name of a model, and the folder with what the page's engine needs of it."""
    name = (await item_of(request, "models")).loaded
    return {"model": name, "folder": str(await run_in_threadpool(_folder, studio_of(request).project, name))}


def _folder(project: Project, name: str) -> Path:
    file = resolve(name)
    about = os.stat(file)
    text = f"{file}\0{about.st_mtime_ns}\0{about.st_size}\0{__version__}"
    return project.private / "engine" / hashlib.sha256(text.encode()).hexdigest()[:24]


# --- words and saved vectors -------------------------------------------------------------------------------


async def words(request: Request) -> Response:
    """Answer with the vector of words, such as "smiling woman - woman + man"."""
    given = await read_object(request)
    point = points.check_point({"words": text_of(given, "words")})
    question = {**await _question(request), **point}
    _, content = await studio_of(request).hands.call("words", question, seconds=300)
    return answer({"w": base64.b64encode(content).decode()})


async def moves(request: Request) -> Response:
    """Answer with the strengths of directions that words mean, such as "a bit older, no glasses"."""
    given = await read_object(request)
    point = points.check_point({"words": text_of(given, "words")})
    found, _ = await studio_of(request).hands.call("edit_words", {**await _question(request), **point})
    return answer(found)


async def vector(request: Request) -> Response:
    """Answer with a vector that a result has saved."""
    number = request.path_params["number"]
    file = await run_in_threadpool(_npz, studio_of(request).project, request.path_params["result"])
    question = {**await _question(request), "file": file, "number": number}
    found, content = await studio_of(request).hands.call("saved", question)
    return answer({**found, "w": base64.b64encode(content).decode()})


def _npz(project: Project, wanted: str) -> str:
    """Return the file of vectors of a result."""
    item = project.find("results", wanted)
    if (found := project.file_as(item, "vectors")) is None:
        raise NotFoundError(f"result '{item.id}' has no vectors")
    return str(found[1])


def _files(project: Project, looks: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the file of vectors of each result that looks name."""
    names = {
        leaf["vector"] for look in looks for leaf in points.leaves(look["face"]["point"]) if "vector" in leaf
    }
    return {name: _npz(project, name) for name in names}


# --- faces -------------------------------------------------------------------------------------------------


async def faces(request: Request) -> Response:
    """Answer with pictures of looks, for pages that cannot run the model themselves."""
    looks = _looks(await read_object(request), points.MAX_FACES)
    question = await _with_files(request, looks)
    found, _ = await studio_of(request).hands.call("faces", {**question, "looks": looks}, seconds=300)
    return answer(found)


async def keep(request: Request) -> Response:
    """Keep a picture among the results, with its vector."""
    given = await read_object(request)
    look, kept = points.check_look(given.get("look")), text_of(given, "recall", "")[:MAX_RECALL]
    about = {"action": "explore", "title": text_of(given, "title", "A face")[:200]}
    about |= {key: text_of(given, key, "")[:5000] for key in ("command", "python")}
    settings = dict(parse_qsl(kept.partition("?")[2]))
    question = {**await _with_files(request, [look]), "look": look, "recall": kept}
    endings = {".png": "face", ".npz": "vectors"}
    return await _saved(request, "keep", question, endings=endings, about=about, settings=settings)


async def vectors(request: Request) -> Response:
    """Keep the vectors of looks as a result, for films and other work that takes saved vectors."""
    given = await read_object(request)
    looks = _looks(given, points.MAX_FACES)
    question = {**await _with_files(request, looks), "looks": looks}
    about = {"action": "vectors", "title": f"{len(looks)} faces"}
    endings = {".npz": "vectors"}
    return await _saved(request, "vectors", question, endings=endings, about=about, settings={"looks": looks})


async def _saved(
    request: Request,
    task: str,
    question: dict[str, Any],
    *,
    endings: dict[str, str],
    about: dict[str, Any],
    settings: dict[str, Any],
) -> Response:
    """Answer with a new result, of which a task writes the files: ending -> role."""
    studio, name = studio_of(request), new_id(about["action"])
    folder = studio.project.results_folder
    await run_in_threadpool(folder.mkdir, exist_ok=True)
    found, _ = await studio.hands.call(task, {**question, "place": str(folder / name)})
    files = [{"name": f"{name}{ending}", "role": role} for ending, role in endings.items()]
    settings = {"model": request.path_params["id"], **settings}
    about = {**about, "settings": settings, "result": found}
    return answer(await run_in_threadpool(studio.project.save_result, name, files, about), 201)


def _looks(given: dict[str, Any], most: int) -> list[dict[str, Any]]:
    looks = given.get("looks")
    if not isinstance(looks, list) or not 1 <= len(looks) <= most:
        raise InputError(f"looks: give 1 to {most} of them")
    return [points.check_look(look) for look in looks]


async def _with_files(request: Request, looks: list[dict[str, Any]]) -> dict[str, Any]:
    files = await run_in_threadpool(_files, studio_of(request).project, looks)
    return {**await _question(request), "files": files}


# --- favourites ---------------------------------------------------------------------------------------------


async def tray(request: Request) -> Response:
    """Answer with the favourites of a model."""
    item = await item_of(request, "models")
    about = await run_in_threadpool(read_json, _tray(studio_of(request).project, item.id))
    return answer({"looks": about.get("looks", [])})


async def put_tray(request: Request) -> Response:
    """Keep the favourites of a model."""
    item = await item_of(request, "models")
    given = await read_object(request)
    looks = _looks(given, MAX_TRAY) if given.get("looks") else []
    file = _tray(studio_of(request).project, item.id)
    await run_in_threadpool(write_bytes, file, json.dumps({"model": item.id, "looks": looks}).encode())
    return answer({"looks": looks})


def _tray(project: Project, model: str) -> Path:
    return project.private / "trays" / f"{hashlib.sha256(model.encode()).hexdigest()[:24]}.json"


ROUTES = [
    Route("/api/explore/{id}", engine, methods=["GET"]),
    Route("/api/explore/{id}/faces", faces, methods=["POST"]),
    Route("/api/explore/{id}/keep", keep, methods=["POST"]),
    Route("/api/explore/{id}/moves", moves, methods=["POST"]),
    Route("/api/explore/{id}/part/{part}", part, methods=["GET"]),
    Route("/api/explore/{id}/prepare", prepare, methods=["POST"]),
    Route("/api/explore/{id}/tray", tray, methods=["GET"]),
    Route("/api/explore/{id}/tray", put_tray, methods=["PUT"]),
    Route("/api/explore/{id}/vector/{result}/{number:int}", vector, methods=["GET"]),
    Route("/api/explore/{id}/vectors", vectors, methods=["POST"]),
    Route("/api/explore/{id}/words", words, methods=["POST"]),
]
