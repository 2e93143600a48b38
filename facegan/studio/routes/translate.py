"""``/api/translators``: what a translator takes, its graph for the page, and its pictures without one."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.studio.actions.photos import source_of
from facegan.studio.call import setting
from facegan.studio.refusals import NotFoundError, shown
from facegan.studio.web import NO_STORE, answer, picture, read_object, studio_of, text_of
from facegan.studio.wording import in_plain_words

MAX_GRAPHS = 24


async def _name(request: Request) -> str:
    project = studio_of(request).project
    item = await run_in_threadpool(project.find, "models", request.path_params["id"])
    return item.loaded


async def facts(request: Request) -> Response:
    """Answer with what a translator takes and makes."""
    found, _ = await studio_of(request).hands.call(
        "translator_facts", {"model": await _name(request)}, seconds=120
    )
    return answer(found)


async def graph(request: Request) -> Response:
    """Answer with the ONNX graph of a direction, which is written once."""
    studio, name = studio_of(request), await _name(request)
    about, _ = await studio.hands.call("translator_facts", {"model": name}, seconds=120)
    direction = request.query_params.get("direction") or about["directions"][0]
    if direction not in about["directions"]:
        raise NotFoundError(f"this translator has no direction '{shown(direction)}'")
    file = studio.project.private / "graphs" / f"{about['hash'][:32]}-{direction}.onnx"
    if not file.is_file():
        question = {"model": name, "direction": direction}
        _, content = await studio.exporter.call("translator_graph", question, seconds=600)
        await run_in_threadpool(_keep, file, content)
    return FileResponse(file, headers=NO_STORE, media_type="application/octet-stream")


def _keep(file: Path, content: bytes) -> None:
    """Write a graph; of all graphs the newest are kept."""
    file.parent.mkdir(exist_ok=True)
    write_bytes(file, content)
    kept = sorted(file.parent.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[MAX_GRAPHS:]:
        path.unlink(missing_ok=True)


async def given(request: Request) -> Response:
    """Answer with what a translator is given of a photo: its crop, and its input."""
    studio, asked = studio_of(request), await read_object(request)
    name, path = source_of(studio.project, asked.get("photo"))
    question = {
        "model": await _name(request),
        "path": path,
        "face": setting(asked, "face", 0, most=1000),
        "align": setting(asked, "align", True),
    }
    with in_plain_words({path: name}):
        found, _ = await studio.hands.call("translator_input", question, seconds=120)
    return answer(found)


async def drawn(request: Request) -> Response:
    """Answer with what a translator makes of a drawing: a PNG of its own size, in base64."""
    asked = await read_object(request)
    try:
        content = base64.b64decode(text_of(asked, "png"), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("png must be a picture in base64") from None
    question = {"model": await _name(request), "direction": text_of(asked, "direction", "")}
    _, made = await studio_of(request).hands.call("translator_picture", question, content, seconds=60)
    return picture(made)


ROUTES = [
    Route("/api/translators/{id}", facts, methods=["GET"]),
    Route("/api/translators/{id}/graph", graph, methods=["GET"]),
    Route("/api/translators/{id}/input", given, methods=["POST"]),
    Route("/api/translators/{id}/picture", drawn, methods=["POST"]),
]
