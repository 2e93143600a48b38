"""``facegan arithmetic``: averages of faces, added and subtracted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import apply_labels, check_scale, result_metadata
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError
from facegan.files import check_ending, check_places, derived, writing

if TYPE_CHECKING:
    import torch

    from facegan.figures import ArithmeticRow
    from facegan.generator import Generator
    from facegan.latent import Term, Vectors
    from facegan.latent.arithmetic import Rescale

MOST_ON_A_SHEET = 100_000
MOST_DRAWN = 1000


def main(
    arguments: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] EXPRESSION")
    ] = (),
    model: str = "",
    groups: str = "",
    *,
    vectors: str = "",
    seed: int = 0,
    norm: Literal["", "keep", "prior"] = "",
    members: int = 10,
    samples: int = 4000,
    confidence: float = 0.8,
    network: str = "faces",
    truncation: float = 1.0,
    out: str = "arithmetic.png",
    result: str = "",
    sheet: str = "",
    scale: int = 0,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Compute with faces: "smiling woman - neutral woman + neutral man", or "92,98,99 - 9,21,79 + 10,30,45".

    Of words, an attribute network finds the members: the first faces that surely show them.

    Numbers are those of a numbered sheet, from 1: write one with --sheet, or with
    'facegan generate MODEL --count 100 --numbered'. Beside the figure come the result as a picture
    (arithmetic-result.png) and as a vector (arithmetic.npz, for generate and interpolate).

    Args:
        arguments: EXPRESSION, terms with + and - between them: words, seeds (seed:7,12 or seed:3-6), numbers
            of the sheet, or names of groups; '0.5 * seed:3' is half of it.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        groups: a YAML file with named groups (smiling woman: [92, 98, 99]) and maybe 'expression'.
        vectors: the sheet as saved by 'facegan generate --latents'; otherwise it is that of the seeds.
        seed: number 1 of the sheet is this seed, number 2 the next.
        norm: keep the averages as they are, or bring them to the prior's typical norm, which shows
            averages of faces that are as bright and sharp as single ones. '' is keep, and prior for words.
        members: of words: how many faces to average.
        samples: of words: how many faces to look through, at most.
        confidence: of words: how sure the network must be of each attribute, from 0.5 to 1.
        network: of words: a bundled attribute network or a file of 'facegan train-attributes'.
        truncation: below 1 draws towards the average face.
        out: the labelled figure, a .png.
        result: where to save the result's vector; '' is beside the figure, as .npz.
        sheet: write the numbered sheet (100 faces, or as many as are needed) to this .png, too.
        scale: repeat each pixel so often; 0 enlarges smoothly, to a figure of about 1,024 px.
        labels: of a conditional model, such as smiling=1,male=0.
        device: cpu, cuda or mps.
    """
    from facegan import figures, images
    from facegan.data.filters import plain
    from facegan.generator import check_truncation
    from facegan.latent import (
        Vectors,
        evaluate_expression,
        parse_expression,
        phrase_groups,
        save_vectors,
        w_statistics,
    )
    from facegan.latent.arithmetic import names_in
    from facegan.latent.edited import as_vectors
    from facegan.models import load

    model, given = model_first(arguments, model, command="arithmetic", usage='MODEL "EXPRESSION"')
    if len(given) > 1:
        raise InputError(
            f"arithmetic takes one expression in quotes, not {len(given)} words: '{' '.join(given)}'"
        )
    expression = given[0] if given else ""
    check_ending("--out", out, [".png"])
    target = Path(result) if result else derived(out, ".npz")
    check_ending("--result", str(target), [".npz"])
    if sheet:
        check_ending("--sheet", sheet, [".png"])
    picture = derived(out, "-result.png")
    check_places({"--out": [out, picture], "--sheet": sheet, "--result": target}, [vectors, groups])
    check_scale(scale)
    named, said = read_groups(groups) if groups else ({}, "")
    text = expression or said
    unnamed = [] if not text else [n for n in names_in(text) if plain(n) not in map(plain, named)]
    generator = check_truncation(truncation, load(model, device))
    rescale: Rescale | None = None
    if unnamed:
        parse_expression(text, {**named, **{name: [1] for name in unnamed}})  # mistakes first
        generator = generator.tell(labels) if labels else generator.as_trained()
        faces = _looked_through(generator, vectors, seed, samples=samples)
        found = phrase_groups.groups(
            generator, unnamed, faces.z, network=network, members=members, confidence=confidence
        )
        terms = parse_expression(text, {**named, **{name: list(g.members) for name, g in found.items()}})
        terms, faces = _with_seeds(generator, terms, faces)
        if norm != "keep":
            rescale = w_statistics.spread_of(generator).typical
    else:
        generator = apply_labels(generator, labels, by_seed=False)
        terms = parse_expression(text, named)
        faces = _sheet(generator, terms, vectors, seed=seed, least=100 if sheet else 1)
        shown = faces.z[:MOST_DRAWN]
        terms, faces = _with_seeds(generator, terms, faces)
        rescale = generator.latent if norm == "prior" else None
    averages, total = evaluate_expression(terms, faces.z, rescale)
    note = result_metadata(generator.hash, truncation, expression=text, norm=norm)
    final = generator.images(total[None], truncation)[0]
    with writing("--out", out):
        rows = _rows(generator, terms, faces, averages=averages, truncation=truncation)
        images.save_png(out, figures.arithmetic_figure(rows, final, scale), note)
        images.save_png(picture, figures.magnified(final[None], 1, 2 * scale)[0], note)
    if sheet:
        with writing("--sheet", sheet):
            everyone = generator.images(faces.z[:MOST_DRAWN] if unnamed else shown, truncation)
            numbers = [str(i + 1) for i in range(len(everyone))]
            large = figures.magnified(everyone, 10)
            images.save_png(sheet, figures.labelled_grid(large, numbers, 10), note)
    point = as_vectors(generator, total[None], ("result",)) if unnamed else Vectors(total[None], ("result",))
    save_vectors(target, Vectors(point.z, point.names, generator.hash, point.space))
    spelled = " ".join(t.title() for t in terms).removeprefix("+ ")
    print(f"{spelled} -> {out}, {picture}, and the vector in {target}")


def _sheet(network: Generator, terms: list[Term], vectors: str, *, seed: int, least: int) -> Vectors:
    """The numbered vectors: saved ones, or as many seeds as the terms need."""
    from facegan.latent import load_vectors, seed_vectors

    if vectors:
        return load_vectors(vectors, network.latent.dim)
    if seed < 0:
        raise InputError(f"--seed must be 0 or more, not {seed}")
    count = max([least, *(m for term in terms for m in term.members)])
    if count > MOST_ON_A_SHEET:
        raise InputError(f"there is no face {count}: a sheet of seeds has at most {MOST_ON_A_SHEET}")
    return seed_vectors(network, range(seed, seed + count))


def _with_seeds(network: Generator, terms: list[Term], faces: Vectors) -> tuple[list[Term], Vectors]:
    """Terms of seeds as members of the sheet, which goes on with their vectors."""
    from facegan.latent import joined, seed_vectors
    from facegan.latent.arithmetic import placed

    found, seeds = placed(terms, len(faces))
    return found, joined(network, [faces, seed_vectors(network, seeds)]) if seeds else faces


def _looked_through(network: Generator, vectors: str, seed: int, *, samples: int) -> Vectors:
    """The numbered faces, as w, among which words find their groups."""
    import torch

    from facegan.latent import Vectors, load_vectors, phrase_groups
    from facegan.vectors import seed_name

    if vectors:
        given = load_vectors(vectors, network.latent.dim, (network.num_ws, network.w_dim))
        with torch.inference_mode():
            return Vectors(network.map(given.z).cpu().clone(), given.names, network.hash, "w+")
    if seed < 0:
        raise InputError(f"--seed must be 0 or more, not {seed}")
    if not 1 <= samples <= MOST_ON_A_SHEET:
        raise InputError(f"--samples must be from 1 to {MOST_ON_A_SHEET}, not {samples}")
    w = phrase_groups.sheet(network, samples, seed)
    return Vectors(w, tuple(map(seed_name, range(seed, seed + samples))), network.hash, "w+")


def _rows(
    network: Generator, terms: list[Term], faces: Vectors, *, averages: torch.Tensor, truncation: float
) -> list[ArithmeticRow]:
    from facegan.figures import ArithmeticRow

    rows = []
    for term, average in zip(terms, network.images(averages, truncation), strict=True):
        members = network.images(faces.z[[m - 1 for m in term.members]], truncation)
        names = [faces.names[m - 1] for m in term.members]
        by_number = not (term.seeds or term.name)
        numbers = [str(m) if n == f"#{m}" else f"{m} = {n}" for m, n in zip(term.members, names, strict=True)]
        called = numbers if by_number else names
        rows.append(ArithmeticRow(term.title(), members, called, average))
    return rows


def read_groups(file: str) -> tuple[dict[str, list[int]], str]:
    """Named groups and, if there, the expression from a YAML file.

    Its lines are ``name: [numbers]``, at the top or under ``groups:``, and maybe ``expression: text``.
    """
    import yaml

    try:
        content: Any = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--groups {file}: there is no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"--groups {file}: not readable as YAML ({first})") from None
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
    run_function(main, options_last(main, argv))
    return 0
