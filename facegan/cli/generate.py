"""``facegan generate``: pictures from seeds, constants or saved vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from facegan.cli.main import run_function
from facegan.errors import InputError

MOST_IN_A_GRID = 10_000


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    count: int = 25,
    seed: str = "0",
    truncation: float = 1.0,
    constant: str = "",
    vectors: str = "",
    out: str = "faces.png",
    latents: str = "",
    columns: int = 0,
    scale: int = 1,
    numbered: bool = False,
    device: str = "cpu",
) -> None:
    """Generate pictures.

    Args:
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name.
        count: how many pictures, where --seed is one number.
        seed: the first seed (7), a range (0-99) or a list (1,5,9-12).
        truncation: below 1 draws towards the average face: less varied, more typical.
        constant: pictures of constant vectors instead, such as 0,0.5,1.
        vectors: pictures of vectors saved by --latents instead.
        out: a .png (one grid), a folder (single PNG files), or an .npz (uint8 N,H,W,C).
        latents: save the vectors as .npz.
        columns: of the grid; 0 makes it about square.
        scale: repeat each pixel so often, in PNG.
        numbered: number the grid's pictures from 1, for choosing members of arithmetic.
        device: cpu, cuda or mps.
    """
    from facegan.latent.points import (
        Vectors,
        constant_vectors,
        load_vectors,
        parse_seeds,
        save_vectors,
        seed_vectors,
    )  # fmt: skip
    from facegan.runs import load

    if count < 1 or scale < 1 or columns < 0:
        raise InputError("--count and --scale must be at least 1, --columns 0 or more")
    if not 0 <= truncation <= 10:
        raise InputError(f"--truncation must be from 0 to 10, not {truncation}")
    if constant and vectors:
        raise InputError("--constant and --vectors exclude each other")
    target = Path(out)
    if target.suffix.lower() not in (".png", ".npz", ""):
        raise InputError(f"--out {out}: choose a .png, an .npz or a folder")
    network = load(model, device)
    if constant:
        chosen = constant_vectors(network, constant)
    elif vectors:
        chosen = load_vectors(vectors, network.latent.dim)
    else:
        seeds = parse_seeds(seed)
        chosen = seed_vectors(network, range(seeds[0], seeds[0] + count) if len(seeds) == 1 else seeds)
    if latents:
        save_vectors(latents, Vectors(chosen.z, chosen.names, network.hash))
    pictures = network.stream(chosen.z, truncation)
    kind = "constant" if constant else "vector" if vectors else "seed"
    papers = {"model": network.hash, "truncation": f"{truncation:g}"}
    try:
        if target.suffix.lower() == ".png":
            _grid(
                target,
                pictures,
                chosen.names,
                columns,
                scale,
                numbered,
                {kind: _spell(chosen.names), **papers},
            )
        elif target.suffix.lower() == ".npz":
            _npz(target, pictures, (len(chosen), *network.image_shape[1:], network.image_shape[0]))
        else:
            _folder(target, pictures, chosen.names, kind, scale, papers)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror})") from None
    print(f"{len(chosen)} pictures -> {out}")


def _spell(names: tuple[str, ...]) -> str:
    """``0-99`` for neighbouring numbers, a list otherwise."""
    if len(names) > 1 and all(n.isdigit() for n in names):
        numbers = [int(n) for n in names]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(names)


def _grid(
    path: Path,
    pictures: Iterator[np.ndarray],
    names: tuple[str, ...],
    columns: int,
    scale: int,
    numbered: bool,
    text: dict[str, str],
) -> None:
    from facegan import figures, images

    if len(names) > MOST_IN_A_GRID:
        raise InputError(
            f"--out {path}: {len(names)} pictures are too many for one grid; choose a folder or .npz"
        )
    every = np.concatenate(list(pictures))
    if numbered:
        scale = max(scale, figures.fitting_scale(every.shape[2], 64))
        labels = [str(i + 1) for i in range(len(every))]
        sheet = figures.labelled_grid(every, labels, columns or None, scale)
    else:
        sheet = images.grid(every, columns or None)
        sheet = images.enlarge(sheet, scale)
    images.save_png(path, sheet, text)


def _folder(
    path: Path,
    pictures: Iterator[np.ndarray],
    names: tuple[str, ...],
    kind: str,
    scale: int,
    text: dict[str, str],
) -> None:
    from facegan import images

    path.mkdir(parents=True, exist_ok=True)
    width = max(len(n) for n in names)
    serial = 0
    for batch in pictures:
        for image in batch:
            name = names[serial]
            stem = f"seed{name.zfill(max(4, width))}" if kind == "seed" else f"{kind}{serial + 1:04d}"
            images.save_png(path / f"{stem}.png", images.enlarge(image, scale), {kind: name, **text})
            serial += 1


def _npz(path: Path, pictures: Iterator[np.ndarray], shape: tuple[int, ...]) -> None:
    """Write batch by batch, so that memory does not grow with the number of pictures."""
    import io
    import os
    import zipfile

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with (
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
            archive.open("images.npy", "w", force_zip64=True) as stream,
        ):
            head = io.BytesIO()
            layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(head, layout)
            stream.write(head.getvalue())
            for batch in pictures:
                stream.write(batch.tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
