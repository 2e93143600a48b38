"""The demo's first stage: the bundled face model, sampled, filmed, and computed with."""

from __future__ import annotations

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
        model,
        pool,
        chooser,
        judge=judge,
        groups=GROUPS,
        goal=GOAL,
        trials=TRIALS,
        members=MEMBERS,
        seed=seed,
        rescale=model.latent,
    )
    numbers: dict[str, Any] = {"licence": model.meta.get("licence", ""), "size": model.image_shape[2]}
    if score is None:
        return numbers
    first = score.members[0]
    images.save_png(
        pictures / "bundled-arithmetic.png", arithmetic_sheet(model, pool, first, titles=list(GROUPS))
    )
    images.save_png(pictures / "bundled-results.png", images.grid(model.images(score.trials), 10))
    return {
        **numbers,
        "expression": expression(first),
        "trials": len(score.members),
        "members": MEMBERS,
        "shares": score.shares,
        "judge": {name: judge.balanced_accuracy[name] for name in GOAL},
    }
