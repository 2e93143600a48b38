"""What all routes share: JSON in and out, and errors with their status."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from facegan.errors import InputError
from facegan.studio.project import Item
from facegan.studio.refusals import DISK_FULL, Refused, is_full
from facegan.studio.state import Studio
from facegan.studio.wording import plain_words

Result = TypeVar("Result")

NO_STORE = {"Cache-Control": "no-store"}
_SHOWN = {  # what a browser may show; all else is downloaded
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".json": "application/json",
}


def studio_of(request: Request) -> Studio:
    """Return the studio that answers a request."""
    studio: Studio = request.app.state.studio
    return studio


async def item_of(request: Request, kind: str) -> Item:
    """Return the item of a kind that the address names by its id; NotFoundError if there is none."""
    return await run_in_threadpool(studio_of(request).project.find, kind, request.path_params["id"])


async def while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what ``work`` returns; give it up when the browser has gone.

    The request's body has to be read before.

    Raises:
        Refused: The browser has gone, so that nobody reads this.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task
        raise Refused(499, "the browser has gone")
    finally:
        for one in (task, gone):
            one.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def answer(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return JSONResponse(value, status, NO_STORE)


def picture(content: bytes) -> Response:
    """Return the bytes of a PNG."""
    return Response(content, headers=NO_STORE, media_type="image/png")


def send_file(request: Request, path: Path) -> Response:
    """Return a file of a result: shown if it is a picture or a film, else a download.

    A page that somebody exported never runs at the studio's own address.
    """
    kind = _SHOWN.get(path.suffix.lower())
    headers = dict(NO_STORE)
    if kind is None or "download" in request.query_params:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(path.name)}"
    return FileResponse(path, headers=headers, media_type=kind or "application/octet-stream")


class _InLargePieces(FileResponse):
    chunk_size = 2**20


def graph_file(path: Path, headers: dict[str, str]) -> Response:
    """Return a file of megabytes for the page's engine."""
    return _InLargePieces(path, headers=headers, media_type="application/octet-stream")


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request brings.

    Raises:
        InputError: The body is no JSON, or no object.
    """
    try:
        value = json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InputError("the request's body is not valid JSON") from None
    if not isinstance(value, dict):
        raise InputError("the request's body must be a JSON object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def text_of(values: Any, name: str, default: str | None = None) -> str:
    """Return the text ``name`` of a request's object; InputError if it is missing or something else."""
    value = values.get(name, default)
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text")
    return value


async def on_facegan_error(request: Request, error: Exception) -> Response:
    """Answer an error of the user with its sentence, in which paths are those within the project."""
    root = f"{studio_of(request).project.root}/"
    found = answer({"error": plain_words(error, {root: ""})}, getattr(error, "status", 400))
    if found.status_code == 408:
        found.headers["Connection"] = "close"
    return found


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer an unknown address or method in one sentence."""
    status = getattr(error, "status_code", 400)
    texts = {404: "there is nothing at this address", 405: "this address does not take that method"}
    return answer({"error": texts.get(status, str(getattr(error, "detail", error)))}, status)


async def on_system_error(request: Request, error: Exception) -> Response:
    """Answer a full disk in one sentence; what else the system refuses is a bug."""
    if is_full(error):
        return answer({"error": DISK_FULL}, 507)
    traceback.print_exception(error)
    return answer({"error": f"the system refuses this ({getattr(error, 'strerror', '') or error})"}, 500)


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer a bug; uvicorn writes its traceback to the terminal."""
    return answer({"error": "the studio made a mistake; the terminal shows which"}, 500)
