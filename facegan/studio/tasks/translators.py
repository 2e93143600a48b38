"""Translators: what they take, their inputs of photos, their graphs, and their pictures."""

from __future__ import annotations

from facegan import figures, images
from facegan.data.crops import PLACEMENTS
from facegan.data.inputs import INPUTS, derive
from facegan.errors import InputError
from facegan.exchange.translator_out import Way, onnx_graph
from facegan.exchange.translator_page import said
from facegan.inversion.targets import open_photos
from facegan.marks import COMPOSITE, made
from facegan.studio.tasks import Given, Result
from facegan.studio.tasks.models import loaded
from facegan.translation.photos import Crops
from facegan.translator import Translator


def translator_facts(arguments: Given, content: bytes) -> Result:
    """Return what the page needs to know of the translator named ``model``."""
    model = _translator(arguments)
    crop = (model.meta.get("alignment") or {}).get("kind", "none")
    return {
        "image_shape": list(model.image_shape),
        "directions": list(model.directions),
        "input": model.input,
        "known": not model.input or model.input in INPUTS,
        "said": said(model.input),
        "whole": crop in PLACEMENTS,
        "hash": model.hash,
        "licence": model.meta.get("licence", ""),
    }, b""


def translator_graph(arguments: Given, content: bytes) -> Result:
    """Return the ONNX graph of one of its directions."""
    model = _translator(arguments)
    return {}, onnx_graph(Way(model, model.direction(arguments["direction"])), weights="float16")


def translator_input(arguments: Given, content: bytes) -> Result:
    """Return what the translator is given of the photo at ``path``: PNGs of its crop and of its input.

    ``path`` is the server's own, or a sample. One that is ``ready`` is an input already.
    """
    model = _translator(arguments)
    ready = arguments["ready"]
    reader = Crops(model, arguments["align"], arguments["face"] or 1, ready=ready)
    photo = next(open_photos(arguments["path"], reader)).image
    given = derive(model.input, photo[None])[0] if model.input and not ready else photo
    return {"photo": images.base64_png(photo), "input": images.base64_png(given)}, b""


def translator_picture(arguments: Given, content: bytes) -> Result:
    """Return a PNG of what the translator makes of the picture ``content``, which is an input already."""
    model = _translator(arguments)
    c, h, w = model.image_shape
    given = images.read_image(content, "the drawing")
    if given.shape[:2] != (h, w):
        raise InputError(f"the drawing must have {w}x{h} px, the size of this translator's pictures")
    if given.shape[2] != c:
        given = images.luma(given) if c == 1 else figures.colour(given)
    direction = model.direction(arguments["direction"])
    mark = made(model.hash, source=COMPOSITE, direction=direction)
    return {}, images.png_bytes(model.translate(given[None], direction)[0], mark)


def _translator(arguments: Given) -> Translator:
    model = loaded(arguments["model"])
    if not isinstance(model, Translator):
        raise InputError("this model makes faces of noise; choose a translator")
    return model
