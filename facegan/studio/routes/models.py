"""``/api/models``: what a model is, and pictures of its seeds."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.call import only, setting
from facegan.studio.points import MAX_SEED
from facegan.studio.project import Item
from facegan.studio.web import answer, picture, read_object, studio_of, while_there


async def model_of(request: Request) -> tuple[Item, str]:
    """Return the model that an address names, and the name by which facegan loads it."""
    project = studio_of(request).project
    item = await run_in_threadpool(project.find, "models", request.path_params["id"])
    return item, item.loaded


async def facts(request: Request) -> Response:
    """Answer with what a model is."""
    item, name = await model_of(request)
    found, _ = await while_there(request, studio_of(request).hands.call("facts", {"model": name}))
    return answer({**item.to_dict(), **found})


async def image(request: Request) -> Response:
    """Answer with the picture of a seed."""
    given = await read_object(request)
    only(given, "seed")
    _, name = await model_of(request)
    question = {"model": name, "seed": setting(given, "seed", 0, most=MAX_SEED)}
    _, content = await while_there(request, studio_of(request).hands.call("seed_picture", question))
    return picture(content)


ROUTES = [
    Route("/api/models/{id}", facts, methods=["GET"]),
    Route("/api/models/{id}/image", image, methods=["POST"]),
]
