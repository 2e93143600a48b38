"""``/api/training``: recipes, settings, and runs with their curves and grids, whoever began them."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from facegan.data.dataset import Dataset
from facegan.runs.compare import differing
from facegan.studio import training
from facegan.studio.refusals import NotFoundError, shown
from facegan.studio.state import Studio
from facegan.studio.web import NO_STORE, answer, item_of, studio_of

MAX_COMPARED = 8
"""Runs beside each other."""
_ASIDE = ("dataset.content_hash", "to.content_hash")
_records = training.Records()


async def recipes(request: Request) -> Response:
    """Answer with all recipes, and those that suit ``dataset``."""
    studio, wanted = studio_of(request), request.query_params.get("dataset", "")

    def found() -> dict[str, Any]:
        data = Dataset(studio.project.find("datasets", wanted).path) if wanted else None
        return training.recipes_for(data, studio.device.partition(" ")[0] or "cpu")

    return answer(await run_in_threadpool(found))


async def settings(request: Request) -> Response:
    """Answer with the settings of a recipe, and their rules."""
    return answer(await run_in_threadpool(training.settings_of, request.query_params.get("recipe", "")))


def _jobs(studio: Studio) -> dict[str, Any]:
    return training.jobs_of_runs(studio.jobs.listing())


def _summaries(studio: Studio) -> list[dict[str, Any]]:
    jobs = _jobs(studio)
    found = [
        training.summary(item, _records.read(item.path)[1], jobs.get(item.name))
        for item in studio.project.runs()
    ]
    begun = {row["name"] for row in found}
    waiting = [training.waiting(name, job) for name, job in jobs.items() if name not in begun]
    return [*filter(None, waiting), *found]


async def runs(request: Request) -> Response:
    """Answer with a line on each run."""
    return answer({"runs": await run_in_threadpool(_summaries, studio_of(request))})


async def run(request: Request) -> Response:
    """Answer with a run; without its curves where they are still those of ``version``."""
    studio, version = studio_of(request), request.query_params.get("version", "")

    def found() -> dict[str, Any]:
        item = studio.project.find("runs", request.path_params["id"])
        now, record = _records.read(item.path)
        about = {**training.summary(item, record, _jobs(studio).get(item.name)), "version": now}
        return about if now == version else {**about, **training.detail(item, record)}

    return answer(await run_in_threadpool(found))


async def grid(request: Request) -> Response:
    """Answer with the sheet of samples that a run drew at a number of kimg."""
    item = await item_of(request, "runs")
    file = await run_in_threadpool(training.grid_of, item, request.path_params["kimg"])
    if file is None:
        raise NotFoundError(f"this run has no sheet at '{shown(request.path_params['kimg'])}' kimg")
    return FileResponse(file, headers=NO_STORE, media_type="image/png")


async def compare(request: Request) -> Response:
    """Answer with the settings in which several runs differ."""
    studio = studio_of(request)
    wanted = request.query_params.get("runs", "").split(",")[:MAX_COMPARED]

    def found() -> dict[str, Any]:
        items = [studio.project.find("runs", one) for one in wanted]
        rows = differing([_records.read(item.path)[1] for item in items])
        plain = {n: row for n, row in rows.items() if not n.startswith("machine.") and n not in _ASIDE}
        return {
            "runs": [item.name for item in items],
            "rows": [{"name": n, "values": v} for n, v in plain.items()],
        }

    return answer(await run_in_threadpool(found))


ROUTES = [
    Route("/api/training/recipes", recipes),
    Route("/api/training/settings", settings),
    Route("/api/training/runs", runs),
    Route("/api/training/runs/{id}", run),
    Route("/api/training/runs/{id}/grids/{kimg}", grid),
    Route("/api/training/compare", compare),
]
