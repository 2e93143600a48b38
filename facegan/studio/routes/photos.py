"""``/api/photos``: sets of photos, the faces in them, decisions about them, and pictures of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.data.review import Decision
from facegan.errors import FaceganError, InputError
from facegan.studio.actions.prepare import crop_settings
from facegan.studio.photo_sets import Brought, PhotoSet, PhotoSets
from facegan.studio.refusals import NotFoundError
from facegan.studio.web import NO_STORE, answer, item_of, picture, read_object, studio_of, text_of

MAX_SIDE = 1600
"""Pixels of a photo's longer side in the page."""
MAX_DECISIONS = 10_000
MAX_FILES = 20_000
_KEPT = {"Cache-Control": "private, max-age=86400"}


def _sets(request: Request) -> PhotoSets:
    return PhotoSets(studio_of(request).project)


async def sets(request: Request) -> Response:
    """Answer with the sets of photos, the newest first."""
    found = await run_in_threadpool(_sets(request).all)
    return answer({"sets": [each.to_dict() for each in found]})


async def add(request: Request) -> Response:
    """Put uploads into a set; archives that cannot be read are told and left out."""
    studio, given = studio_of(request), await read_object(request)
    brought, refused = [], []
    for upload_id, path in _files(given):
        upload = studio.uploads.find(upload_id)
        if upload.kind == "archive":
            try:
                await studio.reader.call("check_archive", {"path": str(upload.path)}, seconds=300)
            except FaceganError as error:
                refused.append({"name": path, "error": str(error)})
                await run_in_threadpool(studio.uploads.delete, upload)
                continue
        brought.append(Brought(upload, path))
    wanted = given.get("into", "")
    into = _sets(request).find(wanted) if wanted else None
    if not brought and refused:
        raise InputError("; ".join(f"{each['name']}: {each['error']}" for each in refused[:3]))
    made = await run_in_threadpool(_sets(request).add, brought, into)
    return answer({**made.to_dict(), "refused": refused}, 201)


def _files(given: dict[str, Any]) -> list[tuple[str, str]]:
    files = given.get("files")
    if not isinstance(files, list) or len(files) > MAX_FILES:
        raise InputError(f"files must be a list of at most {MAX_FILES:,} uploads")
    return [(text_of(each, "id"), text_of(each, "path")[:1000]) for each in map(_object, files)]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError("each must be an object")
    return value


async def remove(request: Request) -> Response:
    """Delete a set of photos; datasets that were made of it stay."""
    photos = _sets(request).find(request.path_params["id"])
    await run_in_threadpool(_sets(request).delete, photos)
    return answer({"deleted": photos.id})


async def review(request: Request) -> Response:
    """Answer with the decisions about a set's pictures, or keep new ones in their place."""
    photos = _sets(request).find(request.path_params["id"])
    if request.method == "PUT":
        given = (await read_object(request)).get("decisions")
        if not isinstance(given, list) or len(given) > MAX_DECISIONS:
            raise InputError(f"decisions must be a list of at most {MAX_DECISIONS:,}")
        await run_in_threadpool(photos.decide, [_decision(_object(each)) for each in given])
    decisions = await run_in_threadpool(photos.decisions)
    told = [{"source": d.file, "keep": d.keep, "box": list(d.box) if d.box else None} for d in decisions]
    return answer({"decisions": told})


def _decision(given: dict[str, Any]) -> Decision:
    source, keep = text_of(given, "source"), given.get("keep")
    if not source.strip() or not source.isprintable() or len(source) > 1000 or not isinstance(keep, bool):
        raise InputError("a decision has the source of a picture, and keep, which is true or false")
    return Decision(source, keep, _box(given.get("box")))


def _box(given: Any) -> tuple[float, float, float, float] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 4:
        raise InputError("a box is x, y, width and height")
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) or not -1e6 < v < 1e6 for v in given):
        raise InputError("a box has four numbers of px")
    x, y, width, height = map(float, given)
    if min(width, height) < 1:
        raise InputError("a box must be at least 1 px wide and high")
    return x, y, width, height


# --- datasets ----------------------------------------------------------------------------------------


async def _folder(request: Request) -> Path:
    """Return the dataset that an address names, or the draft of a set of photos."""
    kind, wanted = request.path_params["kind"], request.path_params["id"]
    if kind == "sets":
        photos = _sets(request).find(wanted)
        if (photos.draft / "dataset.json").is_file():
            return photos.draft
        raise NotFoundError("no faces have been found in these photos yet")
    if kind != "datasets":
        raise NotFoundError("there is nothing at this address")
    return (await item_of(request, "datasets")).path


async def rows(request: Request) -> Response:
    """Answer with what a dataset is, and a page of its pictures."""
    question: dict[str, Any] = {"path": str(await _folder(request))}
    given = request.query_params
    question |= {name: given[name] for name in ("split", "where", "sort") if name in given}
    for name, most in (("start", 10**6), ("count", 400), ("min_confidence", 1)):
        if name in given:
            try:
                question[name] = max(0, min(float(given[name]), most))
            except ValueError:
                raise InputError(f"{name} must be a number") from None
    found, _ = await studio_of(request).reader.call("dataset_rows", question, seconds=120)
    return answer(found)


async def crop(request: Request) -> Response:
    """Answer with one picture of a dataset."""
    question = {"path": str(await _folder(request)), "split": request.path_params["split"]}
    question |= {"n": request.path_params["n"]}
    _, content = await studio_of(request).reader.call("dataset_picture", question)
    return Response(
        content, headers=_KEPT if "v" in request.query_params else NO_STORE, media_type="image/png"
    )


# --- photos ------------------------------------------------------------------------------------------


async def _place(request: Request, source: str) -> dict[str, Any]:
    """Return where the photo is that a set or a dataset has under this source."""
    studio, kind = studio_of(request), request.path_params["kind"]
    if kind == "sets":
        return _in_set(_sets(request).find(request.path_params["id"]), source)
    question = {"path": str(await _folder(request)), "root": str(studio.project.root), "source": source}
    found, _ = await studio.reader.call("photo_place", question)
    return found


def _in_set(photos: PhotoSet, source: str) -> dict[str, Any]:
    archive, _, member = source.partition("!")
    for name, batch in zip(photos.sources(), photos.batches, strict=True):
        if name == archive and member:
            return {"file": str(photos.place / batch["file"]), "member": member}
    raise NotFoundError("these photos have no such picture")


async def view(request: Request) -> Response:
    """Answer with a photo as PNG, of at most ``side`` pixels."""
    given = request.query_params
    side = given.get("side", "400")
    if not side.isdecimal() or not 16 <= int(side) <= MAX_SIDE:
        raise InputError(f"side must be from 16 to {MAX_SIDE}")
    place = await _place(request, given.get("source", ""))
    found, content = await studio_of(request).reader.call("view_photo", {**place, "side": int(side)})
    response = picture(content)
    response.headers["X-Size"] = f"{found['width']}x{found['height']}"
    return response


async def faces(request: Request) -> Response:
    """Answer with all faces of a photo, and what a crop would cut out of it."""
    return answer(await _looked(request, "faces_in_photo"))


async def cut(request: Request) -> Response:
    """Answer with the crop of a photo, or of one box of it, as PNG."""
    return await _looked(request, "cut_photo")  # type: ignore[no-any-return]


async def _looked(request: Request, task: str) -> Any:
    given = await read_object(request)
    crop_given = _object(given.get("crop", {}))
    question = {**await _place(request, text_of(given, "source")), "crop": crop_settings(crop_given)}
    if not 28 <= question["crop"].get("size", 64) <= 1024:
        raise InputError("size must be from 28 to 1024")
    if box := _box(given.get("box")):
        question["box"] = box
    question["keep"] = given.get("keep") is True
    found, content = await studio_of(request).reader.call(task, question)
    return picture(content) if content else found


ROUTES = [
    Route("/api/photos", sets, methods=["GET"]),
    Route("/api/photos", add, methods=["POST"]),
    Route("/api/photos/{id}", remove, methods=["DELETE"]),
    Route("/api/photos/{id}/review", review, methods=["GET", "PUT"]),
    Route("/api/photos/{kind}/{id}/rows", rows, methods=["GET"]),
    Route("/api/photos/{kind}/{id}/crop/{split}/{n:int}", crop, methods=["GET"]),
    Route("/api/photos/{kind}/{id}/view", view, methods=["GET"]),
    Route("/api/photos/{kind}/{id}/faces", faces, methods=["POST"]),
    Route("/api/photos/{kind}/{id}/cut", cut, methods=["POST"]),
]
