"""``/api/models/ID/card`` and ``/file``: what a model says of itself, and its own file to take home."""

from __future__ import annotations

import re
import shlex
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from facegan.models import resolve
from facegan.studio.web import NO_STORE, answer, item_of, studio_of


async def card(request: Request) -> Response:
    """Answer with a model's card, its facts, and the command line and the Python that show them."""
    item = await item_of(request, "models")
    title = re.sub(r"[^A-Za-z0-9._-]+", "-", item.name.rpartition("/")[2]).strip(".-") or "model"
    question = {"model": item.loaded, "title": title}
    found, _ = await studio_of(request).hands.call("card", question, seconds=120)
    words = {
        "command": shlex.join(["facegan", "show", item.name]),
        "python": f"import facegan\n\nfacegan.describe_model({item.name!r})\n",
    }
    return answer({**found, **words})


async def file(request: Request) -> Response:
    """Answer with a model's own file."""
    item = await item_of(request, "models")
    path = await run_in_threadpool(resolve, item.loaded)
    saved = f"{re.sub(r'[^A-Za-z0-9._@-]', '-', item.id)}.safetensors"
    headers = {**NO_STORE, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(saved)}"}
    return FileResponse(path, headers=headers, media_type="application/octet-stream")


ROUTES = [
    Route("/api/models/{id}/card", card, methods=["GET"]),
    Route("/api/models/{id}/file", file, methods=["GET"]),
]
