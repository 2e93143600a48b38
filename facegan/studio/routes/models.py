"""``/api/models``: what a model is, and its pictures."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.errors import InputError
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


async def images(request: Request) -> Response:
    """Answer with pictures of seeds or vectors: a PNG of one, JSON of several."""
    given = await read_object(request)
    _, name = await model_of(request)
    question = {"model": name, **_checked(given)}
    found, content = await while_there(request, studio_of(request).hands.call("pictures_of", question))
    return answer(found) if found else picture(content)


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of pictures that a request may bring, with their types checked."""
    kinds: dict[str, Any] = {"seeds": list, "vectors": list, "labels": str, "truncation": (int, float)}
    for name, value in given.items():
        if name not in kinds:
            raise InputError(f"there is no setting '{name[:40]}'; there are: {', '.join(kinds)}")
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise InputError(f"{name}: this type does not fit")
    return given


ROUTES = [
    Route("/api/models/{id}", facts, methods=["GET"]),
    Route("/api/models/{id}/images", images, methods=["POST"]),
]
