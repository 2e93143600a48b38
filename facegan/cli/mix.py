"""``facegan mix``: one face with the coarse or the fine of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import apply_labels, check_scale, files_of, result_metadata
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError
from facegan.files import check_ending, check_places, derived, writing

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator

MOST = 24  # faces along an edge


def main(
    faces: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] A B")],
    model: str = "",
    layers: str = "",
    *,
    components: str = "",
    out: str = "mix.png",
    scale: int = 0,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Mix styles: faces of A (rows) that take some layers from faces of B (columns).

    Layer 0 is the coarsest. Networks that take their vector in one place only have no layers to mix; they
    mix components: the directions to which their weights react most (SeFa), 0 the strongest. Beside the
    figure come the mixed vectors (mix.npz, for generate and interpolate).

    Args:
        faces: A, one or several faces: seed:5, seed:0-4, saved vectors (FILE.npz:1-3) or photos; and B, the
            faces that lend their style.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        layers: which layers come from B: 0-3; '' is the first half.
        components: which components come from B instead: 0-9.
        out: the figure, a .png.
        scale: repeat each pixel so often; 0 enlarges smoothly, to a figure of about 1,024 px.
        labels: of a conditional model, such as smiling=1,male=0.
        device: cpu, cuda or mps.
    """
    import numpy as np

    from facegan import figures, images
    from facegan.latent import save_vectors
    from facegan.latent.edited import as_vectors
    from facegan.latent.editing import target_kind, target_points
    from facegan.models import load

    model, given = model_first(faces, model, command="mix", usage="MODEL seed:0-4 seed:10-15")
    if len(given) != 2:
        raise InputError(f"mix takes two groups of faces, A and B, not {len(given)}: seed:0-4 seed:10-15")
    a, b = given
    check_ending("--out", out, [".png"])
    vectors = derived(out, ".npz")
    check_scale(scale)
    check_places({"--out": [out, vectors]}, [a, b, *files_of([a, b])])
    by_seed = {target_kind(a), target_kind(b)} == {"seeds"}
    network = apply_labels(load(model, device), labels, by_seed)
    ours, theirs = target_points(network, a), target_points(network, b)
    if max(len(ours), len(theirs)) > MOST:
        raise InputError(f"a figure has {MOST} rows and columns at most, not {max(len(ours), len(theirs))}")
    what, mixed = mix_all(network, ours.z, theirs.z, layers=layers, components=components)
    pictures = network.images(mixed.flatten(0, 1))
    drawn = np.concatenate([network.images(ours.z), network.images(theirs.z), pictures])
    large = [
        *map(
            figures.colour,
            figures.magnified(drawn, len(theirs) + 1, scale, wide=figures.WIDE - figures.NAMES),
        )
    ]
    own, other, cells = (
        large[: len(ours)],
        large[len(ours) : len(ours) + len(theirs)],
        large[-len(pictures) :],
    )
    rows = [("", [np.full_like(own[0], 255), *other])]
    for i, name in enumerate(ours.names):
        part = cells[i * len(theirs) : (i + 1) * len(theirs)]
        rows.append((name, [own[i], *part]))
    heads = [f"{what}\nof", *(f"\n{name}" for name in theirs.names)]
    text = result_metadata(network.hash, 1.0, a=", ".join(ours.names), b=", ".join(theirs.names), mixed=what)
    with writing("--out", out):
        images.save_png(out, figures.table(rows, heads), text)
    names = [f"{x} x {y}" for x in ours.names for y in theirs.names]
    save_vectors(vectors, as_vectors(network, mixed.flatten(0, 1), names))
    print(f"{len(pictures)} mixed, {what} of B -> {out}, and the vectors in {vectors}")


def mix_all(
    network: Generator, a: torch.Tensor, b: torch.Tensor, *, layers: str, components: str
) -> tuple[str, torch.Tensor]:
    """What was taken, and w ``A,B,num_ws,w_dim`` of every pair."""
    import torch

    from facegan.latent import parse_seeds, spell_seeds
    from facegan.latent.editing import mix, mix_components, parse_layers

    if layers and components:
        raise InputError("--layers and --components exclude each other")
    ours, theirs = (v.flatten(0, 1) for v in torch.broadcast_tensors(a[:, None], b[None]))
    pairs = (len(a), len(b))
    if layers and network.num_ws == 1:
        raise InputError(
            f"--layers {layers}: this model takes its vector in one place only; mix --components 0-9 instead"
        )
    if components or (network.num_ws == 1 and not layers):
        chosen = parse_seeds(components or f"0-{max(0, network.w_dim // 8 - 1)}", "--components")
        if max(chosen) >= network.w_dim:
            raise InputError(f"--components {components}: this model has 0 to {network.w_dim - 1}")
        return f"components {spell_seeds(chosen)}", mix_components(
            network, ours, theirs, components=chosen
        ).unflatten(0, pairs)
    chosen = parse_layers(layers or f"0-{max(0, network.num_ws // 2 - 1)}", network)
    return f"layers {spell_seeds(chosen)}", mix(network, ours, theirs, layers=chosen).unflatten(0, pairs)


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
