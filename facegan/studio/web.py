"""What all routes share: JSON in and out, and errors with their status."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from facegan.errors import InputError
from facegan.studio.state import Studio

NO_STORE = {"Cache-Control": "no-store"}


def studio_of(request: Request) -> Studio:
    """Return the studio that answers a request."""
    studio: Studio = request.app.state.studio
    return studio


def answer(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return JSONResponse(value, status, NO_STORE)


def picture(content: bytes, kind: str = "image/png") -> Response:
    """Return the bytes of a picture."""
    return Response(content, headers=NO_STORE, media_type=kind)


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request brings.

    Raises:
        InputError: The body is no JSON, or no object.
    """
    try:
        value = json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InputError("the request's body is not valid JSON") from None
    if not isinstance(value, dict):
        raise InputError("the request's body must be a JSON object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def text_of(values: Any, name: str, default: str | None = None) -> str:
    """Return the text ``name`` of a request's object; InputError if it is missing or something else."""
    value = values.get(name, default)
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text")
    return value


async def on_facegan_error(request: Request, error: Exception) -> Response:
    """Answer an error of the user with its sentence."""
    return answer({"error": str(error)}, getattr(error, "status", 400))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer an unknown address or method in one sentence."""
    status = getattr(error, "status_code", 400)
    texts = {404: "there is nothing at this address", 405: "this address does not take that method"}
    return answer({"error": texts.get(status, str(getattr(error, "detail", error)))}, status)


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer a bug; the server writes its traceback to the terminal."""
    return answer({"error": "the studio made a mistake; the terminal shows which"}, 500)
