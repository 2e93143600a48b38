"""The studio as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from facegan.errors import FaceganError
from facegan.studio.guard import Guard
from facegan.studio.pages import page_routes
from facegan.studio.routes import all_routes
from facegan.studio.state import Studio
from facegan.studio.web import on_crash, on_facegan_error, on_http_error, on_system_error

_EXPIRE_EVERY = 3600.0  # seconds between two looks for uploads that nobody uses


def application(
    studio: Studio, *, port: int, hosts: Collection[str] = (), any_address: bool = False
) -> Guard:
    """Return the application, with its guard in front of all.

    Args:
        studio: the project, and what works for it.
        port: where the server listens.
        hosts: names by which it may be called, besides those of this machine.
        any_address: whether it may be called by any numeric address.
    """

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        studio.jobs.begin()
        tasks = [asyncio.create_task(work(studio)) for work in (_ask_device, _expire_uploads)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            studio.jobs.end()
            await studio.hands.close()
            await studio.exporter.close()
            await studio.reader.close()

    app = Starlette(
        routes=[*page_routes(), *all_routes()],
        exception_handlers={
            FaceganError: on_facegan_error,
            HTTPException: on_http_error,
            OSError: on_system_error,
            Exception: on_crash,
        },
        lifespan=life,
    )
    app.router.redirect_slashes = False
    app.state.studio = studio
    return Guard(app, studio.token, port=port, hosts=hosts, any_address=any_address)


async def _expire_uploads(studio: Studio) -> None:
    """Make room from time to time."""
    while True:
        with contextlib.suppress(OSError):  # a full disk is told by the requests
            await run_in_threadpool(studio.expire_uploads, time.time())
        await asyncio.sleep(_EXPIRE_EVERY)


async def _ask_device(studio: Studio) -> None:
    """Let the drawing process import torch, so that the first picture comes soon, and say where it draws."""
    with contextlib.suppress(FaceganError):
        found, _ = await studio.hands.call("machine", {}, seconds=300)
        studio.device = found["device"]
