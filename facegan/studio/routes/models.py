"""``/api/models``: what a model is, and pictures of its seeds."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.call import only, setting
from facegan.studio.points import MAX_SEED
from facegan.studio.web import answer, item_of, picture, read_object, studio_of, while_there


async def facts(request: Request) -> Response:
    """Answer with what a model is."""
    item = await item_of(request, "models")
    found, _ = await while_there(request, studio_of(request).hands.call("facts", {"model": item.loaded}))
    return answer({**item.to_dict(), **found})


async def image(request: Request) -> Response:
    """Answer with the picture of a seed."""
    given = await read_object(request)
    only(given, "seed")
    model = (await item_of(request, "models")).loaded
    question = {"model": model, "seed": setting(given, "seed", 0, most=MAX_SEED)}
    _, content = await while_there(request, studio_of(request).hands.call("seed_picture", question))
    return picture(content)


ROUTES = [
    Route("/api/models/{id}", facts, methods=["GET"]),
    Route("/api/models/{id}/image", image, methods=["POST"]),
]
