"""Averages of faces, added and subtracted, as a figure and a vector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from facegan import arguments, figures, images
from facegan.data.filters import plain
from facegan.errors import InputError
from facegan.explore.config import MAX_ON_SHEET, ArithmeticConfig, configure
from facegan.explore.result import Explored
from facegan.files import check_ending, check_places, derived, writing
from facegan.latent.expressions import (
    Rescale,
    Term,
    evaluate_arrays,
    names_in,
    parse_expression,
    place_seeds,
)
from facegan.latent.points import as_vectors
from facegan.marks import Mark
from facegan.models import as_sampler, with_labels
from facegan.sampler import Sampler, check_truncation
from facegan.seeds import seed_name
from facegan.vectors import Vectors, joined, load_vectors, save_vectors, seed_vectors

MAX_DRAWN = 1000  # faces of a sheet


def arithmetic(
    model: Sampler | str | Path,
    expression: str = "",
    *,
    labels: str = "",
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Explored:
    """Compute with faces: "smiling woman - neutral woman + neutral man", or "92,98,99 - 9,21,79 + 10,30,45".

    Of words, an attribute network finds the members: the first faces that surely show them. Numbers are those
    of a numbered sheet, from 1. Beside the figure lie the result as a picture and as a vector.

    >>> facegan.arithmetic("celeba64", "smiling woman - woman + man", out="sum.png").vectors

    Args:
        model: what ``load`` takes, or a loaded model.
        expression: terms with + and - between them: words, seeds (``seed:7,12``), numbers of the sheet, or
            names of groups; ``0.5 * seed:3`` is half of it.
        labels: of a conditional model, such as ``smiling=1``.
        device: cpu, cuda or mps, of a model that is loaded.
        say: receives a line on the labels taken.
        **settings: those of :class:`~facegan.explore.config.ArithmeticConfig`.
    """
    config, target, picture = _check(configure(ArithmeticConfig, settings))
    groups, written = read_groups(config.groups) if config.groups else ({}, "")
    text = arguments.text(expression, "the expression") or written
    known = set(map(plain, groups))
    unnamed = [name for name in names_in(text) if plain(name) not in known]
    network = check_truncation(config.truncation, as_sampler(model, device))
    rescale: Rescale | None = None
    if unnamed:
        parse_expression(text, {**groups, **{name: [1] for name in unnamed}})  # mistakes first
        network = network.tell(labels) if labels else network.as_trained()
        terms, faces = _find_words(network, text, unnamed, groups=groups, config=config)
        rescale = _typical(network) if config.norm != "keep" else None
    else:
        network = with_labels(network, labels, by_seed=False, say=say)
        terms = parse_expression(text, groups)
        faces = _load_sheet(network, terms, config)
        rescale = network.latent if config.norm == "prior" else None
    drawn = faces.array[:MAX_DRAWN]
    terms, faces = _add_seeds(network, terms, faces)
    averages, total = evaluate_arrays(terms, faces, rescale)
    about = {"expression": text, "norm": config.norm}
    note = figures.origin(network.hash, config.truncation, **about, mark=config.mark)
    final = network.images(total[None], config.truncation)[0]
    with writing("--out", config.out):
        rows = _rows(network, terms, faces, averages=averages, truncation=config.truncation)
        images.save_png(config.out, figures.arithmetic_figure(rows, final, config.scale), note)
        images.save_png(picture, figures.magnified(final[None], 1, 2 * config.scale)[0], note)
    if config.sheet:
        _write_sheet(network, drawn, config, note=note)
    made = Vectors(total[None], ("result",), network.hash)
    made = as_vectors(network, total[None], ("result",)) if unnamed else made
    save_vectors(target, made)
    spelled = " ".join(term.title() for term in terms).removeprefix("+ ")
    text = f"{spelled} -> {config.out}, {picture}, and the vector in {target}"
    return Explored(network, (Path(config.out), picture, target), text, made)


def _check(config: ArithmeticConfig) -> tuple[ArithmeticConfig, Path, Path]:
    """Return the settings, the vector's file and the picture's; InputError where these cannot be."""
    target = Path(config.result) if config.result else derived(config.out, ".npz")
    picture = derived(config.out, "-result.png")
    check_ending("--out", config.out, [".png"])
    check_ending("--result", str(target), [".npz"])
    if config.sheet:
        check_ending("--sheet", config.sheet, [".png"])
    places: dict[str, str | Path | list[str | Path]]
    places = {"--out": [config.out, picture], "--sheet": config.sheet, "--result": target}
    check_places(places, [config.vectors, config.groups])
    return config, target, picture


def _find_words(
    network: Sampler,
    text: str,
    unnamed: list[str],
    *,
    groups: dict[str, list[int]],
    config: ArithmeticConfig,
) -> tuple[list[Term], Vectors]:
    """Return the terms with the members that words have among the numbered faces, and these, as w."""
    from facegan.latent import phrase_groups  # an attribute network, and PyTorch with it

    if config.vectors:
        shape = (network.num_ws, network.w_dim)
        given = load_vectors(config.vectors, network.latent.dim, shape)
        w, names = network.to_w(given), given.names
    else:
        w = phrase_groups.sheet(network, config.samples, config.seed)
        names = tuple(map(seed_name, range(config.seed, config.seed + config.samples)))
    found = phrase_groups.groups(
        network,
        unnamed,
        w,
        network=config.network,
        members=config.members,
        confidence=config.confidence,
    )
    members = {name: list(group.members) for name, group in found.items()}
    return parse_expression(text, {**groups, **members}), Vectors(w, names, network.hash, "w+")


def _typical(network: Sampler) -> Rescale:
    """Return what brings w as far from the mean as samples typically are."""
    import torch

    from facegan.latent.w_statistics import spread_of

    spread = spread_of(network)
    return lambda w: spread.typical(torch.from_numpy(w)).numpy()


def _load_sheet(network: Sampler, terms: list[Term], config: ArithmeticConfig) -> Vectors:
    """Return the numbered vectors: saved ones, or as many seeds as the terms need."""
    if config.vectors:
        return load_vectors(config.vectors, network.latent.dim)
    count = max([100 if config.sheet else 1, *(member for term in terms for member in term.members)])
    if count > MAX_ON_SHEET:
        raise InputError(f"there is no face {count}: a sheet of seeds has at most {MAX_ON_SHEET}")
    return seed_vectors(network, range(config.seed, config.seed + count))


def _add_seeds(network: Sampler, terms: list[Term], faces: Vectors) -> tuple[list[Term], Vectors]:
    """Return terms of seeds as members of the sheet, which goes on with their vectors."""
    found, seeds = place_seeds(terms, len(faces))
    return found, joined(network, [faces, seed_vectors(network, seeds)]) if seeds else faces


def _write_sheet(network: Sampler, z: np.ndarray, config: ArithmeticConfig, *, note: Mark) -> None:
    with writing("--sheet", config.sheet):
        everyone = figures.magnified(network.images(z, config.truncation), 10)
        numbers = [str(i + 1) for i in range(len(everyone))]
        images.save_png(config.sheet, figures.labelled_grid(everyone, numbers, 10), note)


def _rows(
    network: Sampler, terms: list[Term], faces: Vectors, *, averages: np.ndarray, truncation: float
) -> list[figures.ArithmeticRow]:
    rows = []
    for term, average in zip(terms, network.images(averages, truncation), strict=True):
        members = network.images(faces.array[[m - 1 for m in term.members]], truncation)
        labels = [faces.names[m - 1] for m in term.members]
        if not (term.seeds or term.name):  # members are named by their numbers
            pairs = zip(term.members, labels, strict=True)
            labels = [str(m) if name == f"#{m}" else f"{m} = {name}" for m, name in pairs]
        rows.append(figures.ArithmeticRow(term.title(), members, labels, average))
    return rows


def read_groups(file: str) -> tuple[dict[str, list[int]], str]:
    """Return the named groups of a YAML file and, if there, its expression.

    Its lines are ``name: [numbers]``, at the top or under ``groups:``, and maybe ``expression: text``.
    """
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
