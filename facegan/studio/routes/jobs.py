"""``/api/jobs``: long work, and what it tells while it works."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from facegan.studio.jobs import Job
from facegan.studio.refusals import Refused
from facegan.studio.report import LAST, follow_events
from facegan.studio.web import NO_STORE, answer, read_object, studio_of

MAX_STREAMS = 200
_PULSE = 0.15  # seconds between two looks at a job's events
_COMMENT = 15.0  # seconds of silence after which a comment keeps the connection open
_streams = 0


async def _job(request: Request) -> Job:
    return await run_in_threadpool(studio_of(request).jobs.find, request.path_params["id"])


async def start(request: Request) -> Response:
    """Put a job into the queue."""
    given = await read_object(request)
    jobs = studio_of(request).jobs
    job = await run_in_threadpool(jobs.start, given.get("action"), given.get("settings", {}))
    return answer(await run_in_threadpool(jobs.told, job), 201)


async def preview(request: Request) -> Response:
    """Answer with the command line and the Python of a job that is not started."""
    given = await read_object(request)
    jobs = studio_of(request).jobs
    call = await run_in_threadpool(jobs.preview, given.get("action"), given.get("settings", {}))
    return answer({"command": call.command(), "python": call.python()})


async def stop(request: Request) -> Response:
    """Ask a job to save and stop."""
    job = await _job(request)
    await run_in_threadpool(studio_of(request).jobs.stop, job)
    return answer(job.to_dict())


async def again(request: Request) -> Response:
    """Start a job with the settings of an earlier one."""
    jobs = studio_of(request).jobs
    job = await run_in_threadpool(jobs.again, await _job(request))
    return answer(await run_in_threadpool(jobs.told, job), 201)


async def delete(request: Request) -> Response:
    """Delete a job that has ended; its results stay."""
    job = await _job(request)
    await run_in_threadpool(studio_of(request).jobs.delete, job)
    return answer({"deleted": job.id})


async def events(request: Request) -> Response:
    """Answer with a job's events as they come: server-sent events, which end with the job's last one."""
    job = await _job(request)
    text = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    after = int(text) if text.isdecimal() and len(text) < 12 else 0
    if _streams >= MAX_STREAMS:
        raise Refused(503, "too many pages follow jobs; close some")
    headers = {**NO_STORE, "X-Accel-Buffering": "no"}
    return StreamingResponse(_told(job, after), headers=headers, media_type="text/event-stream")


async def _told(job: Job, after: int) -> AsyncIterator[str]:
    global _streams
    _streams += 1
    offset, spoke = 0, time.monotonic()
    try:
        yield "retry: 1000\n\n"
        while job.folder.is_dir():
            found, offset = follow_events(job.folder, offset)
            new = [event for event in found if event["n"] > after]
            if new:
                yield "".join(f"id: {event['n']}\ndata: {json.dumps(event)}\n\n" for event in new)
                spoke = time.monotonic()
            if any(event["kind"] in LAST for event in found):
                return
            if time.monotonic() - spoke > _COMMENT:
                yield ": still here\n\n"
                spoke = time.monotonic()
            await asyncio.sleep(_PULSE)
    finally:
        _streams -= 1


ROUTES = [
    Route("/api/jobs", start, methods=["POST"]),
    Route("/api/jobs/{id}", delete, methods=["DELETE"]),
    Route("/api/jobs/{id}/again", again, methods=["POST"]),
    Route("/api/jobs/{id}/events", events, methods=["GET"]),
    Route("/api/jobs/{id}/stop", stop, methods=["POST"]),
    Route("/api/preview", preview, methods=["POST"]),
]
