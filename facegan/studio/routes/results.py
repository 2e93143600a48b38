"""``/api/results``: what jobs made."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from facegan.studio.project import Item
from facegan.studio.web import NO_STORE, answer, studio_of

_SHOWN = {  # what a browser may show; all else is downloaded
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".json": "application/json",
}


async def _item(request: Request) -> Item:
    project = studio_of(request).project
    return await run_in_threadpool(project.find, "results", request.path_params["id"])


async def result(request: Request) -> Response:
    """Answer with a result."""
    return answer((await _item(request)).to_dict())


async def file(request: Request) -> Response:
    """Answer with a result's file, by its number; pages of strangers never run here."""
    item = await _item(request)
    path, _ = studio_of(request).project.result_file(item, request.path_params["number"])
    kind = _SHOWN.get(path.suffix.lower())
    headers = dict(NO_STORE)
    if kind is None or "download" in request.query_params:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(Path(path).name)}"
    return FileResponse(path, headers=headers, media_type=kind or "application/octet-stream")


async def delete(request: Request) -> Response:
    """Delete a result with its files."""
    item = await _item(request)
    await run_in_threadpool(studio_of(request).project.delete_result, item)
    return answer({"deleted": item.id})


ROUTES = [
    Route("/api/results/{id}", result, methods=["GET"]),
    Route("/api/results/{id}", delete, methods=["DELETE"]),
    Route("/api/results/{id}/file/{number:int}", file, methods=["GET"]),
]
