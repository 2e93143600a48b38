"""``/api/results``: what jobs made."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.call import only, setting
from facegan.studio.web import answer, item_of, read_object, send_file, studio_of


async def file(request: Request) -> Response:
    """Answer with a result's file, by its number; pages of strangers never run here."""
    item = await item_of(request, "results")
    project, number = studio_of(request).project, request.path_params["number"]
    return send_file(request, project.file_of(item.id, item.facts.get("files"), number))


async def change(request: Request) -> Response:
    """Keep a result, or name it."""
    given = await read_object(request)
    only(given, "kept", "label")
    project, item = studio_of(request).project, await item_of(request, "results")
    notes: dict[str, Any] = {}
    if "kept" in given:
        notes["kept"] = setting(given, "kept", False)
    if "label" in given:
        notes["label"] = setting(given, "label", "").strip()[:120]
    await run_in_threadpool(project.note_result, item, notes)
    return answer((await item_of(request, "results")).to_dict())


async def delete(request: Request) -> Response:
    """Delete a result with its files."""
    item = await item_of(request, "results")
    await run_in_threadpool(studio_of(request).project.delete_result, item)
    return answer({"deleted": item.id})


ROUTES = [
    Route("/api/results/{id}", change, methods=["PUT"]),
    Route("/api/results/{id}", delete, methods=["DELETE"]),
    Route("/api/results/{id}/file/{number:int}", file, methods=["GET"]),
]
