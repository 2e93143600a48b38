"""``facegan atlas``: a map of the latent space, as one picture and one page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import tyro

from facegan.cli.evaluate import Progress, say
from facegan.cli.main import run_function
from facegan.cli.options import apply_labels, result_metadata
from facegan.cli.positional import only_model, options_last
from facegan.errors import InputError
from facegan.files import check_ending, derived, writing

FORMATS = (".png", ".jpg", ".webp")
MOST_SEED = 2**53 - 1  # of numbers in a browser


def main(
    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL]")] = (),
    model: str = "",
    count: int = 0,
    *,
    seed: str = "0",
    features: Literal["faces", "pixels", "inception"] = "faces",
    columns: int = 0,
    tile: int = 0,
    truncation: float = 1.0,
    out: str = "atlas.png",
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Lay thousands of faces out by likeness: one picture, and beside it a page (.html) that zooms and pans.

    The page works offline in any browser, with mouse, touch and keyboard; a click on a face shows its seed
    and the command that makes it.

    Args:
        models: the model, first or as --model.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        count: how many faces, where --seed is one number: 0 is 2500; some more if that fills the last row.
        seed: the first seed (7), a range (0-4095) or a list (1,5,9-12); seed:7 is the same.
        features: what compares faces: faces (the bundled network), pixels or inception.
        columns: faces in a row; 0 makes the picture about square.
        tile: width of a face in px; 0 is as it is, or less where that is more than 64 megapixels.
        truncation: below 1 draws towards the average face.
        out: the picture, .png, .jpg or .webp; the page has the same name with .html.
        labels: of a conditional model, such as smiling=1,male=0; random draws them as in the training photos.
        device: cpu, cuda or mps.
    """
    from facegan.files import write_bytes
    from facegan.generator import check_truncation
    from facegan.latent.atlas import atlas
    from facegan.latent.atlas_page import render_atlas
    from facegan.models import load
    from facegan.vectors import spell_seeds

    model = only_model(models, model, command="atlas")
    for name, value in (("count", count), ("columns", columns), ("tile", tile)):
        if value < 0:
            raise InputError(f"--{name} {value}: must be 0 or more")
    check_ending("--out", out, FORMATS)
    page = derived(out, ".html")
    network = apply_labels(check_truncation(truncation, load(model, device)), labels)
    _, h, w = network.image_shape
    seeds = chosen_seeds(seed, count, columns, aspect=w / h)
    done = atlas(
        network,
        seeds,
        features=features,
        columns=columns,
        tile=tile,
        truncation=truncation,
        on_progress=Progress(),
    )
    text = result_metadata(
        network.hash, truncation, seed=spell_seeds(seeds), features=features, labels=labels
    )
    options = f" --truncation {truncation:g}" if truncation != 1 else ""
    options += f" --labels {shlex.quote(labels)}" if labels else ""
    with writing("--out", out):
        _save(Path(out), done.picture, text)
        write_bytes(page, render_atlas(done, model, options, features=features))
    say(f"neighbours differ {done.likeness:.0%} as much as random pairs")
    size = page.stat().st_size / 1e6
    print(f"{len(seeds):,} faces, {done.rows} rows of {done.columns} -> {out}, {page} ({size:.1f} MB)")


def chosen_seeds(seed: str, count: int, columns: int = 0, *, aspect: float = 1.0) -> list[int]:
    """A list or range as it is; of a first seed, as many as fill the grid of ``count`` or more."""
    from facegan.latent.atlas import MAX_FACES
    from facegan.latent.layout import shape_for
    from facegan.vectors import parse_seeds

    seeds = parse_seeds(seed)
    if seed.strip().isdecimal():
        count = min(count or 2500, MAX_FACES + 1)
        rows, columns = shape_for(count, columns, aspect)
        count = rows * columns if count <= MAX_FACES and rows * columns <= MAX_FACES else count
        seeds = list(range(seeds[0], seeds[0] + count))
    elif count not in (0, len(seeds)):
        raise InputError(f"--seed {seed} means {len(seeds)} faces already; leave out --count {count}")
    if len(seeds) > MAX_FACES:
        raise InputError(f"--count {len(seeds)}: a map holds {MAX_FACES:,} faces at most")
    if max(seeds) > MOST_SEED:
        raise InputError(f"--seed {seed}: the page names faces in a browser, which counts to {MOST_SEED}")
    return seeds


def _save(path: Path, picture: object, text: dict[str, str]) -> None:
    """Atomically; a PNG with its metadata inside."""
    import io

    import numpy as np
    from PIL import Image

    from facegan import images
    from facegan.files import write_bytes

    assert isinstance(picture, np.ndarray)
    if path.suffix.lower() == ".png":
        images.save_png(path, picture, text)
        return
    buffer = io.BytesIO()
    plain = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    plain.save(buffer, "JPEG" if path.suffix.lower() == ".jpg" else "WEBP", quality=90)
    write_bytes(path, buffer.getvalue())


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
