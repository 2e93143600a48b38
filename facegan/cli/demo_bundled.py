"""The demo's first stage: the bundled face model, sampled, filmed, and computed with."""

# ruff: noqa: E501  prose reads better unbroken

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

MODEL = "celeba64"
SHOWN = (0, 1, 2, 4, 5, 6)  # the first seeds in which MTCNN finds a face at 0.999 (docs/results)
POOL = 1200  # faces with seeds 1, 2, ... from which members are chosen
TRIALS, MEMBERS = 10, 10
GROUPS = {
    "smiling woman": {"Smiling": True, "Male": False},
    "neutral woman": {"Smiling": False, "Male": False},
    "neutral man": {"Smiling": False, "Male": True},
}
GOAL = {"Smiling": True, "Male": True}


def explore(pictures: Path, seed: int) -> dict[str, Any]:
    """Make the pictures; the numbers for the report. Members by the network `faces`, judged by another."""
    import torch

    from facegan import images, latent, video
    from facegan.attributes.predictor import AttributePredictor
    from facegan.latent.evaluation import arithmetic_sheet, expression, score_arithmetic
    from facegan.models import load

    model = load(MODEL)
    images.save_png(pictures / "bundled.png", images.grid(model.sample(100)), {"seed": "0-99"})
    points = list(model.latent.sample(SHOWN))
    way = torch.stack(list(latent.path(points, 24, "slerp", loop=True)))
    frames = (images.enlarge(frame, 3) for frame in model.images(way))
    video.write_film(pictures / "bundled.webp", frames, 24)
    chooser, judge = AttributePredictor.load("faces"), AttributePredictor.load("evaluator")
    pool = model.latent.sample(range(1, POOL + 1))
    score = score_arithmetic(
        model, pool, chooser, judge, GROUPS, GOAL,
        trials=TRIALS, members=MEMBERS, seed=seed, rescale=model.latent,
    )  # fmt: skip
    numbers: dict[str, Any] = {"licence": model.meta.get("licence", ""), "size": model.image_shape[2]}
    if score is None:
        return numbers
    first = score.members[0]
    images.save_png(pictures / "bundled-arithmetic.png", arithmetic_sheet(model, pool, first, list(GROUPS)))
    images.save_png(pictures / "bundled-results.png", images.grid(model.images(score.trials), 10))
    return {
        **numbers, "expression": expression(first), "trials": len(score.members), "members": MEMBERS,
        "shares": score.shares,
        "judge": {name: judge.balanced_accuracy[name] for name in GOAL},
    }  # fmt: skip


def sections(out: Path, n: dict[str, Any]) -> list[str]:
    """What the report says of it, first of all."""
    from facegan.cli.demo_report import command, picture

    shown = [
        "<h2>Faces, at once</h2><p>This model comes with the package. It has learnt from 8,000 photos of the CelebA "
        "collection and invents faces that nobody has. These are its first hundred, none left out.</p>",
        picture(out, "bundled.png", f"Seeds 0 to 99 of the bundled model {MODEL}, as they come.", 662),
        command(f"facegan generate {MODEL} seed:0-99 --out faces.png"),
        picture(out, "bundled.webp", "A closed walk through six of them.", 192),
        command(f"facegan interpolate {MODEL} seed:0-2,4-6 --steps 24 --loop --out film.webp"),
    ]  # fmt: skip
    if "expression" in n:
        hits, chance = (round(n["trials"] * n["shares"][kind]["both"]) for kind in ("trials", "control"))
        shown += [
            "<p>Computing with faces: smiling woman &minus; neutral woman + neutral man. A small network that sees "
            "attributes chose the members of each group; the result should be a smiling man.</p>",
            picture(out, "bundled-arithmetic.png", "Faces of each group (with their seeds), their average, the result."),
            f'<p class="big"><b>{hits} of {n["trials"]}</b> results are smiling men, each from {n["members"]} other faces '
            f"a group; of as many sums of random faces, {chance} are.</p>"
            '<p class="soft">Judged by a second network, which did not choose; on held-out photos it is right about '
            f"smiles in {n['judge']['Smiling']:.0%} and about men and women in {n['judge']['Male']:.0%}.</p>",
            picture(out, "bundled-results.png", "The results of all draws, none left out.", 662),
            command(f'facegan arithmetic {MODEL} --seed 1 --norm prior --out arithmetic.png \\',
                    f'    "{n["expression"]}"'),
        ]  # fmt: skip
    return [*shown, f'<p class="soft">Licence: {html.escape(n["licence"])}.</p>']
