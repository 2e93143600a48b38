"""``GET /api/project``: everything that the page lists."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.state import Studio
from facegan.studio.web import answer, studio_of
from facegan.version import __version__


def _listing(studio: Studio) -> dict[str, object]:
    project = studio.project
    runs = project.runs()
    lists = {"datasets": project.datasets(), "runs": runs, "models": project.models(runs)}
    lists["results"] = project.results()
    return {
        "name": project.root.name,
        "version": __version__,
        "device": studio.device,
        **{kind: [item.to_dict() for item in items] for kind, items in lists.items()},
        "jobs": studio.jobs.listing(),
    }


async def project(request: Request) -> Response:
    """Answer with the project."""
    return answer(await run_in_threadpool(_listing, studio_of(request)))


ROUTES = [Route("/api/project", project)]
