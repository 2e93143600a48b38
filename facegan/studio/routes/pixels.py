"""``/api/classifiers``: the classifiers that are here, their classes, and what they see."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.actions.photos import classifiers, source_of
from facegan.studio.refusals import NotFoundError, shown
from facegan.studio.web import answer, read_object, studio_of
from facegan.studio.wording import in_plain_words


def _classifier(request: Request) -> str:
    wanted: str = request.path_params["id"]
    if wanted not in classifiers():
        raise NotFoundError(f"there is no classifier '{shown(wanted)}' here")
    return wanted


async def listing(request: Request) -> Response:
    """Answer with the classifiers that are here."""
    return answer({"classifiers": [{"id": id, "title": title} for id, title in classifiers().items()]})


async def classes(request: Request) -> Response:
    """Answer with the names of a classifier's classes."""
    found, _ = await studio_of(request).hands.call(
        "classifier_classes", {"model": _classifier(request)}, seconds=120
    )
    return answer(found)


async def look(request: Request) -> Response:
    """Answer with what a classifier sees in a photo."""
    studio, given = studio_of(request), await read_object(request)
    name, path = source_of(studio.project, given.get("photo"))
    question = {"model": _classifier(request), "path": path}
    with in_plain_words({path: name}):
        found, _ = await studio.hands.call("classifier_look", question, seconds=120)
    return answer(found)


ROUTES = [
    Route("/api/classifiers", listing, methods=["GET"]),
    Route("/api/classifiers/{id}/classes", classes, methods=["GET"]),
    Route("/api/classifiers/{id}/look", look, methods=["POST"]),
]
