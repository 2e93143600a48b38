"""The page of a map: one file that zooms and pans, and says of every face which seed it is."""

from __future__ import annotations

import base64
import html
import io
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from facegan.latent.atlas import Atlas, pyramid
from facegan.runs.page import render
from facegan.vectors import spell_seeds

SIDE = 512  # px of a part of a level
_QUALITY = 82


def render_atlas(done: Atlas, model: str, options: str = "", *, features: str = "faces") -> bytes:
    """HTML of one file. ``model`` and ``options`` go into its commands, as on the command line."""
    count, name = len(done.seeds), shlex.quote(model)
    data = {
        "columns": done.columns,
        "tile": done.tile,
        "seeds": done.seeds,
        "side": SIDE,
        "levels": [_level(picture) for picture in pyramid(done.picture, SIDE)],
        "command": f"facegan generate {name} seed:{{seed}}{options} --out seed{{seed}}.png",
        "film": f"facegan film {name} seed:{{seeds}}{options} --out film.mp4",
    }
    spelled = spell_seeds(sorted(done.seeds))
    spelled = spelled if len(spelled) <= 40 else f"{spelled[:40]}…"
    fields = {
        "title": html.escape(f"{Path(model).name}: a map"),
        "name": html.escape(Path(model).name),
        "subtitle": html.escape(f"{count:,} generated faces, seeds {spelled}"),
        "reading": html.escape(_reading(done, features)),
    }
    return render("atlas", fields, data, package="facegan.latent")


def _reading(done: Atlas, features: str) -> str:
    told = {"faces": "a network that knows faces", "pixels": "their pixels"}.get(features, features)
    text = f"None of these people exist. Faces lie near faces that are like them, judged by {told}."
    return text + f" Neighbours differ {done.likeness:.0%} as much as random pairs do." * (
        len(done.seeds) > 1
    )


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
    made = Image.fromarray(np.ascontiguousarray(plain)).convert("RGB")
    made.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
