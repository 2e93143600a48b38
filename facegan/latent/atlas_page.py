"""The page of a map: one file that zooms and pans, and says of every face which seed it is."""

from __future__ import annotations

import base64
import html
import io
import shlex
from typing import Any

import numpy as np

from facegan.latent.atlas import Atlas, pyramid
from facegan.latent.points import spell_seeds
from facegan.training.page import render

SIDE = 512  # px of a part of a level
_QUALITY = 82


def render_atlas(done: Atlas, model: str, options: str = "", features: str = "faces") -> bytes:
    """HTML of one file. ``model`` and ``options`` are what the commands on it name, as on the command line."""
    count = len(done.seeds)
    data = {
        "columns": done.columns, "tile": done.tile, "seeds": done.seeds, "side": SIDE,
        "levels": [_level(picture) for picture in pyramid(done.picture, SIDE)],
        "command": f"facegan generate {shlex.quote(model)} --seed {{seed}} --count 1{options} --out seed{{seed}}.png",
        "film": f"facegan film {shlex.quote(model)} {{seeds}}{options} --out film.mp4",
    }  # fmt: skip
    spelled = spell_seeds(sorted(done.seeds))
    spelled = spelled if len(spelled) <= 40 else f"{spelled[:40]}…"
    fields = {
        "title": html.escape(f"{model}: a map"),
        "name": html.escape(model),
        "subtitle": html.escape(f"{count:,} generated faces, seeds {spelled}"),
        "reading": html.escape(_reading(done, features)),
    }
    return render("atlas.html", fields, data, "atlas.js", "facegan.latent")


def _reading(done: Atlas, features: str) -> str:
    told = {"faces": "a network that knows faces", "pixels": "their pixels"}.get(features, features)
    alike = f" Neighbours differ {done.likeness:.0%} as much as random pairs do." if len(done.seeds) > 1 else ""
    return f"None of these people exist. Faces lie near faces that are like them, judged by {told}.{alike}"


def _level(picture: np.ndarray) -> dict[str, Any]:
    """Its size and its parts, row by row, as data URIs."""
    h, w = picture.shape[:2]
    return {
        "size": [h, w],
        "uris": [
            _uri(picture[y : y + SIDE, x : x + SIDE]) for y in range(0, h, SIDE) for x in range(0, w, SIDE)
        ],
    }


def _uri(picture: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    plain = picture[..., 0] if picture.shape[2] == 1 else picture
    Image.fromarray(np.ascontiguousarray(plain)).convert("RGB").save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
