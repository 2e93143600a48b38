"""A direction of a translator as one web page: a camera, files, and a canvas to draw on."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from facegan.exchange.onnx_out import onnx_runner
from facegan.exchange.page_out import assembled, blob, name_of, packed, runtime
from facegan.exchange.parity import Run
from facegan.exchange.translator_out import Way, compared_pictures, onnx_graph
from facegan.images import base64_png
from facegan.marks import COMPOSITE, SOURCE_TYPES, packet_template
from facegan.version import __version__

SAID = {
    "edges": "Draw a face in thin black lines, or take a line drawing as it is.",
    "grey": "Take a photo: it is made grey first.",
    "blur": "Take a photo: it is blurred first.",
    "hole": "Take a photo, and cover a part of it with the grey pen.",
    "": "Take a photo, or draw.",
}
"""The kind of its inputs -> what to do on the page."""
_TESTS = 4
_TEST_VALUES = 2**20  # of all embedded pictures: fewer of them where they are large


def page(way: Way, part: str = "all", weights: str = "float16", *, title: str = "") -> bytes:
    """Return the content of an ``.html`` file.

    Args:
        way: the translator's direction.
        part: ``all``.
        weights: how they are stored: float32 or float16.
        title: the heading; "" is the model's own name.
    """
    model = way.model
    blobs = runtime()
    blobs["translate"] = packed(onnx_graph(way, part, weights))
    name = title or name_of(model)
    fields = {
        "name": html.escape(name),
        "size": "x".join(map(str, dict.fromkeys(model.image_shape[:0:-1]))),
        "licence": html.escape(model.meta.get("licence", "") or "unknown"),
        "hash": model.hash[:12],
        "what": html.escape(said(way.input)),
        "title": f"{html.escape(name)}: pictures of pictures",
    }
    return assembled("translator", fields, blobs, data={"name": name, **_facts(way)})


def said(kind: str) -> str:
    """Return what to do on the page, by the kind of the translator's inputs."""
    if kind.startswith("small-"):
        return "Take a photo: it is made small first."
    return SAID.get(kind, SAID[""])


def _facts(way: Way) -> dict[str, Any]:
    """Return what the page's script knows of the model."""
    model = way.model
    count = max(1, min(_TESTS, _TEST_VALUES // int(np.prod(model.image_shape))))
    pictures = compared_pictures(way, count)
    made = model.translate(pictures, way.direction)
    pngs = [[base64_png(picture) for picture in pair] for pair in zip(pictures, made, strict=True)]
    return {
        "image_shape": list(model.image_shape),
        "facegan": __version__,
        "model_hash": model.hash,
        "direction": way.direction,
        "input": model.input,
        "packet": packet_template(COMPOSITE),
        "source": SOURCE_TYPES + COMPOSITE,
        "tests": [{"input": given, "png": result} for given, result in pngs],
    }


def page_runner(content: bytes) -> Run | None:
    """Return what runs the graph of a page with onnxruntime; None where that is not installed."""
    return onnx_runner(blob(content, "translate"))
