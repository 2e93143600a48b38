"""A model as one web page, which draws by itself: onnxruntime-web, both parts of the model, directions.

The page asks for nothing from anywhere, so that it opens by double-click, offline. Its script and style are
the files of the folder ``page``, of which the studio uses the modules as they are; large contents are gzip in
base64, each in a script element of its own.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from importlib import resources
from typing import Any

import numpy as np

from facegan.exchange.onnx_out import onnx_graph, onnx_runner
from facegan.exchange.parity import Run
from facegan.exchange.tracing import described
from facegan.generator import Generator
from facegan.images import base64_png
from facegan.latent.directions import Directions
from facegan.marks import GENERATED, SOURCE_TYPES, packet_template
from facegan.runs.page import document
from facegan.translator import Translator

_FILES = resources.files("facegan.exchange")
_RUNTIME = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
_LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
_MODULES = ("bytes.js", "encoders.js", "latents.js", "engine.js")
_SCRIPTS = {
    "page": (*_MODULES, "embedded.js", "common.js", "film.js", "page.js"),
    "translator": (*_MODULES, "translating.js", "embedded.js", "common.js", "translator.js"),
}
_TESTS = 8
_TEST_VALUES = 2**21  # of all embedded pictures: fewer of them where they are large


def page(
    model: Generator,
    part: str = "all",
    weights: str = "float16",
    *,
    directions: Directions | None = None,
    title: str = "",
) -> bytes:
    """Return the content of an ``.html`` file.

    Args:
        model: the generator.
        part: ``all``: pages hold both parts.
        weights: how they are stored: float32 or float16.
        directions: for the sliders; without them, the page has none.
        title: the heading; "" is the model's own name.
    """
    blobs = runtime()
    for name in ("map", "synthesize"):
        blobs[name] = packed(onnx_graph(model, name, weights))
    if directions:
        blobs["vectors"] = packed(vectors_of(directions))
    size = "x".join(map(str, dict.fromkeys(model.image_shape[:0:-1])))
    name = title or name_of(model)
    fields = {
        "name": html.escape(name),
        "size": size,
        "licence": html.escape(model.meta.get("licence", "unknown")),
        "hash": model.hash[:12],
        "title": f"{html.escape(name)}: pictures of a generator",
    }
    return assembled(
        "page", fields, blobs, data={"name": name, **facts_of(model, directions), "tests": _tests(model)}
    )


def name_of(model: Generator | Translator) -> str:
    """Return what a page calls a model: its bundled name, its recipe, or its family."""
    name = model.bundled or model.meta.get("provenance", {}).get("recipe") or model.meta["family"]
    return str(name)


def assembled(kind: str, fields: dict[str, str], blobs: dict[str, bytes], *, data: dict[str, Any]) -> bytes:
    """Return a page whose body is ``kind``.html with its ``fields`` (HTML) and large contents filled in."""
    large = "\n".join(
        f'<script type="text/plain" id="{key}">{base64.b64encode(content).decode()}</script>'
        for key, content in blobs.items()
    )
    filled = {**fields, "blobs": large}
    # One pass, so that nothing in an inserted text is taken for a place to fill.
    body = re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], _text(f"{kind}.html"))
    css = _text("page.css") + (_text(f"{kind}.css") if kind != "page" else "")
    return document(
        fields["title"],
        body,
        css=css,
        script=_script(_SCRIPTS[kind]),
        data=data,
        sources="'wasm-unsafe-eval' blob:",
    )


def _script(names: tuple[str, ...]) -> str:
    """Return modules joined into one script, without what they import from and export to each other."""
    lines = "".join(map(_text, names)).splitlines(keepends=True)
    kept = (re.sub(r"^export ", "", line) for line in lines if not line.startswith("import "))
    return "'use strict';\n" + "".join(kept)


def runtime() -> dict[str, bytes]:
    """Return the large contents of every page: ONNX Runtime Web with its licences."""
    found = {name: _web(f"{file}.gz") for name, file in _RUNTIME.items()}
    found["notices"] = packed(b"\n\n".join(gzip.decompress(_web(f"{f}.gz")) for f in _LICENCES))
    return found


def vectors_of(directions: Directions) -> bytes:
    """Return the vectors of directions as an engine in a browser takes them: float32, ``K,num_ws,w_dim``."""
    return directions.vectors.float().numpy().astype("<f4").tobytes()


def facts_of(model: Generator, directions: Directions | None) -> dict[str, Any]:
    """Return what an engine in a browser knows of the model: ``Facts`` in ``page/engine.js``, and marks."""
    facts = {k: _value(v) for k, v in described(model, "all").items()}
    return {
        **facts,
        # Without an average of its own, it is the image of the prior's mean, also with other labels.
        "average_stored": model.network.average_w is not None,
        "directions": [
            {"index": i, "name": directions.names[i], "kind": directions.kinds[i]} for i in directions.order()
        ]
        if directions
        else [],
        "packet": packet_template(),
        "source": SOURCE_TYPES + GENERATED,
    }


def _tests(model: Generator) -> list[dict[str, Any]]:
    """Return pictures with which the page tests itself."""
    count = max(1, min(_TESTS, _TEST_VALUES // int(np.prod(model.image_shape))))
    return [{"seed": seed, "png": base64_png(picture)} for seed, picture in enumerate(model.sample(count))]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _web(name: str) -> bytes:
    return _FILES.joinpath("web", name).read_bytes()


def _text(name: str) -> str:
    return _FILES.joinpath("page", name).read_text(encoding="utf-8")


def packed(content: bytes) -> bytes:
    """Return a content as pages hold it, by gzip, which all browsers can undo."""
    return gzip.compress(content, 9, mtime=0)


def blob(content: bytes, name: str) -> bytes:
    """Return one of the large contents of a page."""
    found = re.search(rb'<script type="text/plain" id="%s">([^<]*)</script>' % name.encode(), content)
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1]))


def page_runner(content: bytes) -> Run | None:
    """Return what runs both graphs of a page with onnxruntime; None where that is not installed."""
    mapping, synthesis = (onnx_runner(blob(content, name)) for name in ("map", "synthesize"))
    if mapping is None or synthesis is None:
        return None
    return lambda inputs: synthesis({"w": np.ascontiguousarray(mapping(inputs))})
