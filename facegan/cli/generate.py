"""``facegan generate``: pictures from seeds, constants or saved vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

from facegan.cli.main import run_function
from facegan.cli.options import apply_labels, check_scale, files_of, result_metadata
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError
from facegan.files import check_places, temporary_beside, writing

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator
    from facegan.latent import Vectors

MOST_IN_A_GRID = 10_000


def main(
    points: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] [POINT...]")
    ] = (),
    model: str = "",
    count: int = 0,
    *,
    seed: str = "0",
    truncation: float = 1.0,
    constant: str = "",
    vectors: str = "",
    out: str = "faces.png",
    latents: str = "",
    columns: int = 0,
    scale: int = 0,
    numbered: bool = False,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Generate pictures.

    Args:
        points: faces to draw: seeds (seed:7, seed:0-99, seed:1,5,9-12) or saved vectors (FILE.npz,
            FILE.npz:1,4-6); default: 25 seeds from 0 on.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        count: how many pictures from the seed on; 0 is 25 where no points are named.
        seed: the first of --count seeds (7); or all, as a range (0-99) or a list (1,5,9-12).
        truncation: below 1 draws towards the average face: less varied, more typical.
        constant: pictures of vectors that are constant instead, such as 0,0.5,1.
        vectors: pictures of saved vectors: FILE.npz, or some of it, FILE.npz:1,4-6; the same as a point.
        out: a .png (one grid), a folder (single PNG files), or an .npz (uint8 N,H,W,C).
        latents: save the vectors, before truncation, as .npz; in w, which holds labels, with --labels random.
        columns: of the grid; 0 makes it about square.
        scale: repeat each pixel so often, in PNG: 1 is the model's own pixels; 0 enlarges a grid smoothly to
            about 1,024 px and leaves single files as they are.
        numbered: number the grid's pictures from 1, for choosing members of arithmetic.
        labels: of a conditional model, such as smiling=1,male=0; random draws them as in the training photos.
        device: cpu, cuda or mps.
    """
    from facegan import images
    from facegan.generator import check_truncation
    from facegan.latent import save_vectors
    from facegan.models import load
    from facegan.vectors import MOST_SEEDS, is_point

    model, named = model_first(points, model, command="generate", usage="MODEL seed:0-24", is_other=is_point)
    seed, vectors, count = _from_points(named, seed, vectors, constant=constant, count=count)
    if not (0 <= count <= MOST_SEEDS and 0 <= columns <= MOST_IN_A_GRID):
        raise InputError(
            f"--count must be from 0 to {MOST_SEEDS:,} and --columns from 0 to {MOST_IN_A_GRID:,}"
        )
    check_scale(scale)
    kind = output_kind(out)
    if kind != "grid" and (numbered or columns):
        option = "--numbered" if numbered else "--columns"
        raise InputError(f"{option} makes a grid: choose an --out that ends in .png, not {out}")
    if kind == "npz" and scale > 1:
        raise InputError(f"--scale is for PNG: leave it out, or choose another --out than {out}")
    check_places({"--latents": latents, "--out": out}, files_of([vectors]))
    network = check_truncation(truncation, load(model, device))
    chosen = choose(network, seed, count, constant=constant, vectors=vectors)
    held = chosen.space != "z" and truncation == 1  # else they choose the average to draw towards
    network = apply_labels(network, labels, by_seed=chosen.kind == "seed", in_w=held)
    if kind == "folder" and isinstance(chosen.points, list) and len(set(chosen.points)) < len(chosen):
        raise InputError(f"--seed {seed}: one of them comes twice, and a folder has one file for each")
    if kind == "grid" and len(chosen) > MOST_IN_A_GRID:
        raise InputError(
            f"--out {out}: {len(chosen)} pictures are too many for one grid; choose a folder or .npz"
        )
    if latents:
        save_vectors(latents, chosen.vectors(network))
    text = result_metadata(network.hash, truncation, **({"labels": labels} if labels else {}))
    pictures = network.stream(chosen.points, truncation)
    target = Path(out)
    with writing("--out", out):
        if kind == "grid":
            sheet = _grid(np.concatenate(list(pictures)), min(columns, len(chosen)), scale, numbered=numbered)
            images.save_png(target, sheet, {chosen.kind: chosen.spelled(), **text})
        elif kind == "npz":
            write_npz(target, pictures, (len(chosen), *network.image_shape[1:], network.image_shape[0]))
        else:
            _folder(target, pictures, chosen, scale=scale or 1, text=text)
    print(f"{len(chosen)} picture{'s' * (len(chosen) != 1)} -> {out}")


@dataclass(frozen=True)
class Chosen:
    """What to draw: ``kind`` is seed, vector or constant; ``points`` seeds or latents, of w where ``space``
    says so."""

    kind: str
    points: Sequence[int] | torch.Tensor
    labels: Sequence[str] = ()
    space: str = "z"

    def __len__(self) -> int:
        return len(self.points)

    def vectors(self, network: Generator) -> Vectors:
        """Their latents, or w (see :func:`~facegan.latent.seed_vectors`)."""
        from facegan.latent import Vectors, seed_vectors

        if self.kind == "seed":
            return seed_vectors(network, self.points)  # type: ignore[arg-type]
        return Vectors(self.points, tuple(self.names()), network.hash, self.space)  # type: ignore

    def names(self) -> Iterator[str]:
        return iter(self.labels) if self.labels else (str(p) for p in self.points)

    def spelled(self) -> str:
        """All of them in one line."""
        from facegan.latent import spell_seeds

        return spell_seeds(self.points) if self.kind == "seed" else ", ".join(self.labels)  # type: ignore


def _from_points(
    points: Sequence[str], seed: str, vectors: str, *, constant: str, count: int
) -> tuple[str, str, int]:
    """``--seed``, ``--vectors`` and ``--count`` as the named points stand for them."""
    from facegan.vectors import is_seeds, parse_seeds, spell_seeds

    if not points:
        return seed, vectors, count
    if seed != "0" or vectors or constant:
        option = "--seed" if seed != "0" else "--vectors" if vectors else "--constant"
        raise InputError(f"{option}: the faces are named already ({' '.join(points)}); leave one out")
    if not all(map(is_seeds, points)):
        if len(points) > 1:
            raise InputError(f"{' '.join(points)}: name seeds, or one file of vectors")
        return seed, points[0], count
    seeds = [number for text in points for number in parse_seeds(text, "seed:")]
    if len(seeds) == 1:
        return str(seeds[0]), "", count or 1
    return spell_seeds(seeds), "", count


def choose(network: Generator, seed: str, count: int, *, constant: str, vectors: str) -> Chosen:
    """What the options ask for; InputError if they contradict each other."""
    from facegan.latent import constant_vectors, parse_seeds, select_vectors

    if constant and vectors:
        raise InputError("--constant and --vectors exclude each other")
    if (constant or vectors) and (count or seed != "0"):
        option, other = "--count" if count else "--seed", "--constant" if constant else "--vectors"
        raise InputError(f"{option} is for pictures of seeds, not for {other}")
    if constant:
        given = constant_vectors(network, constant)
        return Chosen("constant", given.z, given.names)
    if vectors:
        given = select_vectors(vectors, network.latent.dim, w_shape=(network.num_ws, network.w_dim))
        return Chosen("vector", given.z, given.names, given.space)
    seeds = parse_seeds(seed)
    if len(seeds) == 1 and "-" not in seed:
        return Chosen("seed", range(seeds[0], seeds[0] + (count or 25)))
    if count not in (0, len(seeds)):
        raise InputError(f"--seed {seed} means {len(seeds)} pictures already; leave out --count {count}")
    return Chosen("seed", seeds)


def output_kind(out: str) -> str:
    """``grid``, ``npz`` or ``folder``, by the name's ending."""
    if Path(out).is_dir() or out.endswith("/"):
        return "folder"
    kinds = {".png": "grid", ".npz": "npz", "": "folder"}
    suffix = Path(out).suffix.lower()
    if suffix not in kinds:
        raise InputError(f"--out {out}: choose a .png, an .npz or a folder (FOLDER/)")
    return kinds[suffix]


def _grid(faces: np.ndarray, columns: int, scale: int, *, numbered: bool) -> np.ndarray:
    from facegan import figures, images

    columns = columns or math.ceil(math.sqrt(len(faces)))
    large = figures.magnified(faces, columns, scale)
    if numbered:
        return figures.labelled_grid(large, [str(i + 1) for i in range(len(faces))], columns)
    return images.grid(large, columns)


def _folder(
    path: Path, pictures: Iterator[np.ndarray], chosen: Chosen, *, scale: int, text: dict[str, str]
) -> None:
    from facegan import images

    path.mkdir(parents=True, exist_ok=True)
    faces = (image for batch in pictures for image in batch)
    for number, (image, name) in enumerate(zip(faces, chosen.names(), strict=True), 1):
        stem = f"seed{int(name):04d}" if chosen.kind == "seed" else f"{chosen.kind}{number:04d}"
        images.save_png(path / f"{stem}.png", images.enlarge(image, scale), {chosen.kind: name, **text})


def write_npz(path: Path, pictures: Iterator[np.ndarray], shape: tuple[int, ...]) -> None:
    """An .npz with ``images``, written batch by batch: memory does not grow with their number."""
    import io
    import os
    import zipfile

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    try:
        with (
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
            archive.open("images.npy", "w", force_zip64=True) as stream,
        ):
            stream.write(head.getvalue())
            for batch in pictures:
                stream.write(batch.tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
