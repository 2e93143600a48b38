"""``facegan arithmetic``: averages of faces, added and subtracted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from facegan.cli.main import run_function
from facegan.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from facegan.generator import Generator
    from facegan.latent import Term


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    expression: Annotated[str, tyro.conf.Positional] = "",
    groups: str = "",
    vectors: str = "",
    seed: int = 0,
    norm: Literal["keep", "prior"] = "keep",
    truncation: float = 1.0,
    out: str = "arithmetic.png",
    result: str = "",
    sheet: str = "",
    scale: int = 0,
    device: str = "cpu",
) -> None:
    """Compute with faces: "92,98,99 - 9,21,79 + 10,30,45" takes averages of three.

    Numbers are those of a numbered sheet, from 1: write one with --sheet, or with
    'facegan generate MODEL --count 100 --numbered'.

    Args:
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name.
        expression: terms of numbers or group names with + and - between them; '0.5 * 3' is half of 3.
        groups: a YAML file with named groups (smiling woman: [92, 98, 99]) and maybe 'expression'.
        vectors: the sheet as saved by 'facegan generate --latents'; otherwise it is that of the seeds.
        seed: number 1 of the sheet is this seed, number 2 the next.
        norm: keep the averages as they are, or bring them to the prior's typical norm.
        truncation: below 1 draws towards the average face.
        out: the labelled figure, a .png.
        result: where to save the result's vector; '' is beside the figure, as .npz.
        sheet: write the numbered sheet (100 faces) to this .png, too.
        scale: repeat each pixel so often; 0 is about 96 px a picture.
        device: cpu, cuda or mps.
    """
    from facegan import figures, images
    from facegan.latent import evaluate, parse_expression
    from facegan.latent.points import Vectors, load_vectors, save_vectors, seed_vectors
    from facegan.runs import load

    for name, option in ((out, "--out"), (sheet, "--sheet")):
        if name and Path(name).suffix.lower() != ".png":
            raise InputError(f"{option} {name}: the name must end in .png")
    named, written = _read_groups(groups) if groups else ({}, "")
    terms = parse_expression(expression or written, named)
    network = load(model, device)
    if vectors:
        numbered = load_vectors(vectors, network.latent.dim)
    else:
        if seed < 0:
            raise InputError(f"--seed must be 0 or more, not {seed}")
        count = max(100 if sheet else 1, *(m for t in terms for m in t.members))
        if count > 100_000:
            raise InputError(f"there is no face {count}: a sheet of seeds has at most 100000")
        numbered = seed_vectors(network, range(seed, seed + count))
    averages, total = evaluate(terms, numbered.z, network.latent if norm == "prior" else None)
    big = scale or figures.fitting_scale(network.image_shape[2])
    text = {"model": network.hash, "expression": expression or written}
    final = network.images(total[None], truncation)[0]
    rows = _rows(network, terms, numbered.z, averages, truncation)
    target = Path(result or Path(out).with_suffix(".npz"))
    try:
        images.save_png(out, figures.arithmetic_figure(rows, final, big), text)
        if sheet:
            faces = network.images(numbered.z[:100], truncation)
            labels = [str(i + 1) for i in range(len(faces))]
            images.save_png(
                sheet, figures.labelled_grid(faces, labels, 10, figures.fitting_scale(faces.shape[2], 64))
            )
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror})") from None
    save_vectors(target, Vectors(total[None], ("result",), network.hash))
    print(f"{' '.join(t.title() for t in terms).removeprefix('+ ')} -> {out}, vector in {target}")


def _rows(network: Generator, terms: list[Term], z: Any, averages: Any, truncation: float) -> list[Any]:
    from facegan.figures import ArithmeticRow

    rows = []
    pictures: np.ndarray = network.images(averages, truncation)
    for term, average in zip(terms, pictures, strict=True):
        members = network.images(z[[m - 1 for m in term.members]], truncation)
        rows.append(ArithmeticRow(term.title(), members, [str(m) for m in term.members], average))
    return rows


def _read_groups(file: str) -> tuple[dict[str, list[int]], str]:
    """Named groups and, if there, the expression from a YAML file."""
    import yaml

    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--groups {file}: there is no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"--groups {file}: not readable as YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(content, dict):
        raise InputError(f"--groups {file}: expected lines such as 'smiling woman: [92, 98, 99]'")
    expression = content.pop("expression", "")
    table = content.pop("groups", content)
    if not isinstance(table, dict) or not isinstance(expression, str):
        raise InputError(f"--groups {file}: 'groups' must map names to lists, 'expression' must be text")
    for name, members in table.items():
        if not isinstance(members, list) or not all(type(m) is int for m in members):
            raise InputError(f"--groups {file}: group '{name}' must be a list of numbers")
    return {str(name): members for name, members in table.items()}, expression


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
