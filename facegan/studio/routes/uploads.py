"""``/api/uploads``: files that the browser brings."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.errors import FaceganError
from facegan.studio.web import answer, picture, studio_of, while_there

PREVIEW = 512
"""Pixels of a preview's longer side."""


async def bring(request: Request) -> Response:
    """Keep the body as a file; a picture is decoded once, so that what cannot be read is told at once."""
    studio = studio_of(request)
    name = unquote(request.headers.get("x-name", ""), errors="replace")
    upload = await studio.uploads.receive(request.stream(), name)
    if upload.kind == "picture":
        try:
            facts, _ = await studio.reader.call("decode", {"path": str(upload.path)})
        except FaceganError:
            studio.uploads.delete(upload)
            raise
        upload = studio.uploads.note(upload, facts)
    return answer(upload.to_dict(), 201)


async def preview(request: Request) -> Response:
    """Answer with a picture that was brought, as a small PNG of our own."""
    studio = studio_of(request)
    upload = studio.uploads.find(request.path_params["id"])
    question = {"path": str(upload.path), "side": PREVIEW}
    work = studio.reader.call("decode", question)
    _, content = await while_there(request, work)
    return picture(content)


async def delete(request: Request) -> Response:
    """Delete a file that was brought."""
    studio = studio_of(request)
    upload = studio.uploads.find(request.path_params["id"])
    await run_in_threadpool(studio.uploads.delete, upload)
    return answer({"deleted": upload.id})


ROUTES = [
    Route("/api/uploads", bring, methods=["POST"]),
    Route("/api/uploads/{id}", preview, methods=["GET"]),
    Route("/api/uploads/{id}", delete, methods=["DELETE"]),
]
