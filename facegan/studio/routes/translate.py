"""``/api/translators``: what a translator takes, its graph for the page, and its pictures without one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.studio.actions.photos import source_of
from facegan.studio.call import setting
from facegan.studio.project import Item
from facegan.studio.refusals import NotFoundError, shown
from facegan.studio.web import NO_STORE, answer, graph_file, item_of, picture, read_object, studio_of, text_of
from facegan.studio.wording import in_plain_words

MAX_GRAPHS = 24


async def _ask(
    request: Request,
    item: Item,
    task: str,
    *,
    content: bytes = b"",
    names: Mapping[str, str] | None = None,
    exports: bool = False,
    **arguments: Any,
) -> tuple[dict[str, Any], bytes]:
    """Return what a task says of a translator; messages speak of it, and of ``names``, as people do."""
    hands = studio_of(request).exporter if exports else studio_of(request).hands
    with in_plain_words({str(item.path): item.name, **(names or {})}):
        return await hands.call(task, {"model": item.loaded, **arguments}, content, seconds=600)


async def facts(request: Request) -> Response:
    """Answer with what a translator takes and makes."""
    found, _ = await _ask(request, await item_of(request, "models"), "translator_facts")
    return answer(found)


async def graph(request: Request) -> Response:
    """Answer with the ONNX graph of a direction, which is written once."""
    item = await item_of(request, "models")
    about, _ = await _ask(request, item, "translator_facts")
    direction = request.query_params.get("direction") or about["directions"][0]
    if direction not in about["directions"]:
        raise NotFoundError(f"this translator has no direction '{shown(direction)}'")
    file = studio_of(request).project.private / "graphs" / f"{about['hash'][:32]}-{direction}.onnx"
    if not file.is_file():
        _, content = await _ask(request, item, "translator_graph", exports=True, direction=direction)
        await run_in_threadpool(_keep, file, content)
    return graph_file(file, NO_STORE)


def _keep(file: Path, content: bytes) -> None:
    """Write a graph; of all graphs the newest are kept."""
    file.parent.mkdir(exist_ok=True)
    write_bytes(file, content)
    kept = sorted(file.parent.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[MAX_GRAPHS:]:
        path.unlink(missing_ok=True)


async def given(request: Request) -> Response:
    """Answer with what a translator is given of a photo: its crop, and its input."""
    asked = await read_object(request)
    name, path = source_of(studio_of(request).project, asked.get("photo"))
    options = {"face": setting(asked, "face", 0, most=1000), "align": setting(asked, "align", True)}
    options["ready"] = setting(asked, "ready", False)
    item = await item_of(request, "models")
    found, _ = await _ask(request, item, "translator_input", names={path: name}, path=path, **options)
    return answer(found)


async def drawn(request: Request) -> Response:
    """Answer with what a translator makes of a drawing: a PNG of its own size, in base64."""
    asked = await read_object(request)
    try:
        content = base64.b64decode(text_of(asked, "png"), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("png must be a picture in base64") from None
    item, direction = await item_of(request, "models"), text_of(asked, "direction", "")
    _, made = await _ask(request, item, "translator_picture", content=content, direction=direction)
    return picture(made)


ROUTES = [
    Route("/api/translators/{id}", facts, methods=["GET"]),
    Route("/api/translators/{id}/graph", graph, methods=["GET"]),
    Route("/api/translators/{id}/input", given, methods=["POST"]),
    Route("/api/translators/{id}/picture", drawn, methods=["POST"]),
]
