"""``/api/photo``: the faces in a photo, and edits of a face that a job has found in a model."""

from __future__ import annotations

import io
import json

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from facegan.errors import InputError
from facegan.files import sample_names, style_names
from facegan.studio.actions.photos import LIVE, Found, found_face, source_of
from facegan.studio.hands import Hands
from facegan.studio.points import check_moves
from facegan.studio.refusals import NotFoundError, shown
from facegan.studio.web import NO_STORE, answer, picture, read_object, studio_of, text_of
from facegan.studio.wording import in_plain_words

FORMATS = ("png", "npz", "safetensors")


async def samples(request: Request) -> Response:
    """Answer with the names of the package's sample photos and styles."""
    return answer({"photos": sample_names(), "styles": style_names()})


async def sample(request: Request) -> Response:
    """Answer with one of the package's sample pictures."""
    name = request.path_params["name"]
    if name not in (*sample_names(), *style_names()):
        raise NotFoundError(f"the package has no sample '{shown(name)}'")
    return FileResponse(source_of(studio_of(request).project, f"sample:{name}")[1], headers=NO_STORE)


async def live(request: Request) -> Response:
    """Answer with the newest picture of a job that works."""
    job = await run_in_threadpool(studio_of(request).jobs.find, request.path_params["id"])
    try:
        return picture(await run_in_threadpool((job.folder / LIVE).read_bytes))
    except OSError:
        raise NotFoundError("this job has shown no picture yet") from None


async def faces(request: Request) -> Response:
    """Answer with the faces in a photo, as a model would see them."""
    studio, given = studio_of(request), await read_object(request)
    name, path = source_of(studio.project, given.get("photo"))
    item = await run_in_threadpool(studio.project.find, "models", text_of(given, "model"))
    with in_plain_words({str(item.path): item.name, path: name}):
        crop, _ = await studio.hands.call("edit_crop", {"model": item.loaded}, seconds=120)
        found, _ = await studio.reader.call("edit_faces", {"path": path, "crop": crop}, seconds=60)
    return answer(found)


# --- a face that was found ---------------------------------------------------------------------------------


async def _found(request: Request) -> tuple[Found, Hands]:
    studio = studio_of(request)
    found = await run_in_threadpool(found_face, studio.project, request.path_params["id"])
    return found, studio.hands


async def one(request: Request) -> Response:
    """Answer with the directions along which a face can be changed."""
    found, hands = await _found(request)
    known, _ = await hands.call("edit_directions", {"model": found.model}, seconds=120)
    return answer({**known, "model": found.item.id, "tuned": found.tuned})


async def words(request: Request) -> Response:
    """Answer with what words mean: strengths by direction."""
    found, hands = await _found(request)
    text = text_of(await read_object(request), "text")
    if not text.strip() or len(text) > 1000:
        raise InputError("say what to change, such as: smiling, a bit older")
    result, _ = await hands.call("edit_words", {"model": found.model, "words": text}, seconds=120)
    return answer(result)


async def image(request: Request) -> Response:
    """Answer with a PNG of the face, changed by ``moves``."""
    found, hands = await _found(request)
    moves = check_moves((await read_object(request)).get("moves", {}))
    question = {**found.question(), "moves": moves, "recall": ""}
    _, content = await hands.call("edit_image", question, seconds=120)
    return picture(content)


async def file(request: Request) -> Response:
    """Answer with the face, changed by ``moves`` in the address, as a file: a picture, or w."""
    found, hands = await _found(request)
    kind = request.path_params["format"]
    if kind not in FORMATS:
        raise NotFoundError(f"a face comes as {' or '.join(FORMATS)}")
    try:
        moves = check_moves(json.loads(request.query_params.get("moves", "{}")))
    except (ValueError, RecursionError):
        raise InputError("moves must be a JSON object") from None
    headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="face.{kind}"'}
    question = {**found.question(), "moves": moves}
    if kind == "png":
        edits = ", ".join(f"{name}={value:g}" for name, value in moves.items() if value)
        recall = json.dumps({"action": "edit", "settings": {"face": found.id, "edits": edits}})
        _, content = await hands.call(
            "edit_image", {**question, "recall": recall if edits else ""}, seconds=120
        )
        return Response(content, headers=headers, media_type="image/png")
    about, content = await hands.call("edit_place", question, seconds=120)
    w = np.frombuffer(content, "<f4").reshape(1, *about["shape"])
    written = _npz(w, about["hash"]) if kind == "npz" else _safetensors(w, about["hash"])
    return Response(written, headers=headers, media_type="application/octet-stream")


def _npz(w: np.ndarray, model_hash: str) -> bytes:
    """Return what ``facegan generate MODEL --vectors FILE.npz`` takes."""
    file, arrays = io.BytesIO(), {"w+": w, "names": np.array(["photo"]), "model_hash": np.array(model_hash)}
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _safetensors(w: np.ndarray, model_hash: str) -> bytes:
    from safetensors.numpy import save

    content: bytes = save({"w": w}, {"model_hash": model_hash, "space": "w+"})
    return content


ROUTES = [
    Route("/api/jobs/{id}/live", live, methods=["GET"]),
    Route("/api/photo/faces", faces, methods=["POST"]),
    Route("/api/photo/{id}", one, methods=["GET"]),
    Route("/api/photo/{id}/image", image, methods=["POST"]),
    Route("/api/photo/{id}/file/{format}", file, methods=["GET"]),
    Route("/api/photo/{id}/words", words, methods=["POST"]),
    Route("/api/samples", samples, methods=["GET"]),
    Route("/api/samples/{name}", sample, methods=["GET"]),
]
