"""Faces with the coarse or the fine of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facegan import figures, images
from facegan.errors import InputError
from facegan.explore.config import MixConfig, configure
from facegan.explore.result import Explored, files_of
from facegan.files import check_ending, check_places, derived, writing
from facegan.latent.points import as_vectors, mix_layers, parse_layers, points_in_w, target_kind
from facegan.models import as_generator, as_sampler, with_labels
from facegan.sampler import Sampler
from facegan.seeds import parse_seeds, spell_seeds
from facegan.vectors import Vectors, save_vectors

MAX_FACES = 24  # along an edge


def mix(
    model: Sampler | str | Path,
    a: Any,
    b: Any,
    *,
    labels: str = "",
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Explored:
    """Mix styles: faces of A (rows) take some layers from faces of B (columns).

    Networks that take their vector in one place only have no layers to mix; they mix components: the
    directions to which their weights react most (SeFa), 0 the strongest. The mixed vectors lie beside the
    figure.

    >>> facegan.mix("celeba64", "seed:0-4", "seed:10-15", layers="0-1", out="mix.png").vectors

    Args:
        model: what ``load`` takes, or a loaded model.
        a: faces: a text such as ``seed:0-4``, ``FILE.npz:1-3`` or a photo, whole numbers, or vectors.
        b: the faces that lend their style.
        labels: of a conditional model, such as ``smiling=1``.
        device: cpu, cuda or mps, of a model that is loaded.
        say: receives a line on the labels taken.
        **settings: those of :class:`~facegan.explore.config.MixConfig`.
    """
    config, texts = configure(MixConfig, settings), [str(x) for x in (a, b) if isinstance(x, (str, Path))]
    check_ending("--out", config.out, [".png"])
    vectors = derived(config.out, ".npz")
    check_places({"--out": [config.out, vectors]}, [*texts, *files_of(texts)])
    network = as_sampler(model, device)
    by_seed = all(target_kind(text) == "seeds" for text in texts)
    network = with_labels(network, labels, by_seed=by_seed, say=say)
    ours, theirs = (points_in_w(network, x) for x in (a, b))
    if (most := max(len(ours), len(theirs))) > MAX_FACES:
        raise InputError(f"a figure has {MAX_FACES} rows and columns at most, not {most}")
    what, w = _mix_pairs(network, ours.array, theirs.array, config=config)
    about = {"a": ", ".join(ours.names), "b": ", ".join(theirs.names), "mixed": what}
    note = figures.origin(network.hash, 1.0, **about, mark=config.mark)
    with writing("--out", config.out):
        images.save_png(config.out, _draw(network, ours, theirs, w=w, what=what, scale=config.scale), note)
    made = as_vectors(network, w, [f"{x} x {y}" for x in ours.names for y in theirs.names])
    save_vectors(vectors, made)
    text = f"{len(w)} mixed, {what} of B -> {config.out}, and the vectors in {vectors}"
    return Explored(network, (Path(config.out), vectors), text, made)


def _mix_pairs(model: Sampler, a: np.ndarray, b: np.ndarray, *, config: MixConfig) -> tuple[str, np.ndarray]:
    """Return what is taken of ``b``, and w of every pair, ``len(a) * len(b),num_ws,w_dim``."""
    layers, components = config.layers, config.components
    if layers and components:
        raise InputError("--layers and --components exclude each other")
    if layers and model.num_ws == 1:
        raise InputError(
            f"--layers {layers}: this model takes its vector in one place only; mix --components 0-9 instead"
        )
    ours, theirs = a.repeat(len(b), 0), np.tile(b, (len(a), 1, 1))
    if components or (model.num_ws == 1 and not layers):
        chosen = parse_seeds(components or f"0-{max(0, model.w_dim // 8 - 1)}", "--components")
        if max(chosen) >= model.w_dim:
            raise InputError(f"--components {components}: this model has 0 to {model.w_dim - 1}")
        return f"components {spell_seeds(chosen)}", _mix_components(model, ours, theirs, chosen=chosen)
    chosen = parse_layers(layers or f"0-{max(0, model.num_ws // 2 - 1)}", model)
    return f"layers {spell_seeds(chosen)}", mix_layers(model, ours, theirs, layers=chosen)


def _mix_components(model: Sampler, a: np.ndarray, b: np.ndarray, *, chosen: list[int]) -> np.ndarray:
    """Return w of ``a`` with those components of ``b``, which the weights of the network's layers tell."""
    import torch

    from facegan.latent.editing import mix_components

    pair = torch.from_numpy(a), torch.from_numpy(b)
    return mix_components(as_generator(model), *pair, components=chosen).numpy()


def _draw(
    model: Sampler, ours: Vectors, theirs: Vectors, *, w: np.ndarray, what: str, scale: int
) -> np.ndarray:
    """Return the table of the pairs, with the faces of A left of it and those of B above."""
    pictures = np.concatenate([model.images(part) for part in (ours.array, theirs.array, w)])
    wide = figures.WIDE - figures.NAMES
    large = figures.colour(figures.magnified(pictures, len(theirs) + 1, scale, wide=wide))
    own, other, cells = np.split(large, [len(ours), len(ours) + len(theirs)])
    rows = [("", [np.full_like(own[0], 255), *other])]
    for i, name in enumerate(ours.names):
        rows.append((name, [own[i], *cells[i * len(theirs) : (i + 1) * len(theirs)]]))
    return figures.table(rows, [f"{what}\nof", *(f"\n{name}" for name in theirs.names)])
