"""``POST /api/recall``: what made a file that the browser has brought."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.recall import find_result, settings_of
from facegan.studio.web import answer, read_object, studio_of


async def recall(request: Request) -> Response:
    """Answer with the file's mark, the project's result that it is, and what both restore."""
    studio = studio_of(request)
    upload = studio.uploads.find((await read_object(request)).get("upload"))
    told, _ = await studio.reader.call("mark", {"path": str(upload.path)}, seconds=30)
    mark = told["mark"]
    result = await run_in_threadpool(find_result, studio.project, upload.path)
    found = await run_in_threadpool(settings_of, mark or {}, studio.project)
    about = {"upload": upload.id, "mark": mark, "result": result.to_dict() if result else None}
    return answer({**about, **found})


ROUTES = [Route("/api/recall", recall, methods=["POST"])]
