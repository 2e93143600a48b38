"""A map of the latent space, as one picture and one page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.explore.config import AtlasConfig, configure
from facegan.explore.result import Explored
from facegan.figures import origin
from facegan.files import check_ending, check_places, derived, write_bytes, writing
from facegan.generator import Generator
from facegan.images import save_picture
from facegan.latent.face_map import Atlas, render_atlas
from facegan.latent.face_map import atlas as lay_out
from facegan.latent.layout import MAX_FACES, Progress, shape_for
from facegan.models import as_model, with_labels
from facegan.sampler import check_truncation
from facegan.seeds import parse_seeds, spell_seeds

FORMATS = (".png", ".jpg", ".webp")
MAX_PAGE_SEED = 2**53 - 1  # of numbers in a browser


def atlas(
    model: Generator | str | Path,
    *,
    labels: str = "",
    device: str = "cpu",
    on_progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Explored:
    """Lay thousands of faces out by likeness: one picture, and beside it a page (.html) that zooms and pans.

    The page works offline in any browser; a click on a face shows its seed and the command that makes it.

    >>> facegan.atlas("celeba64", count=1000, out="atlas.png")

    Args:
        model: what ``load`` takes, or a Generator.
        labels: of a conditional model, such as ``smiling=1``; ``random`` draws each seed its own.
        device: cpu, cuda or mps, of a model that is loaded.
        on_progress: receives what is done, how much, and of how much; without it a bar shows it.
        say: receives lines on the labels taken and on the likeness of neighbours.
        **settings: those of :class:`~facegan.explore.config.AtlasConfig`.
    """
    config = configure(AtlasConfig, settings)
    check_ending("--out", config.out, FORMATS)
    page = derived(config.out, ".html")
    if config.layout:
        check_ending("--layout", config.layout, [".json"])
    check_places({"--out": [config.out, page], "--layout": config.layout}, [])
    network = check_truncation(config.truncation, as_model(model, device))
    network = with_labels(network, labels, say=say)
    _, h, w = network.image_shape
    seeds = choose_seeds(config, w / h)
    done = lay_out(
        network,
        seeds,
        features=config.features,
        columns=config.columns,
        tile=config.tile,
        truncation=config.truncation,
        on_progress=on_progress,
    )
    about = {"seed": spell_seeds(seeds), "features": config.features, "labels": labels}
    options = f" --truncation {config.truncation:g}" * (config.truncation != 1)
    options += f" --labels {shlex.quote(labels)}" if labels else ""
    name = network.bundled or "MODEL" if isinstance(model, Generator) else str(model)
    with writing("--out", config.out):
        note = origin(network.hash, config.truncation, **about, mark=config.mark)
        save_picture(config.out, done.picture, note)
        write_bytes(page, render_atlas(done, name, options, features=config.features, mark=note))
    if config.layout:
        with writing("--layout", config.layout):
            write_bytes(config.layout, _layout(done, network.hash))
    if say is not None:
        say(f"neighbours differ {done.likeness:.0%} as much as random pairs")
    size = page.stat().st_size / 1e6
    text = f"{len(seeds):,} faces, {done.rows} rows of {done.columns} -> {config.out}, {page} ({size:.1f} MB)"
    files = (Path(config.out), page, *([Path(config.layout)] if config.layout else []))
    return Explored(network, files, text)


def _layout(done: Atlas, model: str) -> bytes:
    """Return JSON of where each face lies; sizes are height and width in px."""
    about = {"model": model, "columns": done.columns, "tile": done.tile, "size": done.picture.shape[:2]}
    return json.dumps({**about, "likeness": round(done.likeness, 6), "seeds": done.seeds}).encode()


def choose_seeds(config: AtlasConfig, aspect: float = 1.0) -> list[int]:
    """Return a list or range as it is; of a first seed, as many as fill the grid of ``count`` or more."""
    seed, count, seeds = config.seed, config.count, parse_seeds(config.seed)
    if seed.strip().isdecimal():
        count = min(count or 2500, MAX_FACES + 1)
        rows, columns = shape_for(count, config.columns, aspect)
        count = rows * columns if count <= MAX_FACES and rows * columns <= MAX_FACES else count
        seeds = list(range(seeds[0], seeds[0] + count))
    elif count not in (0, len(seeds)):
        raise InputError(f"--seed {seed} means {len(seeds)} faces already; leave out --count {count}")
    if len(seeds) > MAX_FACES:
        raise InputError(f"--count {len(seeds)}: a map holds {MAX_FACES:,} faces at most")
    if max(seeds) > MAX_PAGE_SEED:
        raise InputError(f"--seed {seed}: the page names faces in a browser, which counts to {MAX_PAGE_SEED}")
    return seeds
