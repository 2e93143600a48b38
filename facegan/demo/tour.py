"""The guided tour: the bundled faces, then the whole way with drawn portraits; it ends with one page.

Each stage skips what an earlier, interrupted run has finished.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.demo import bundled
from facegan.demo.report import Story, write_report
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.attributes.predictor import AttributePredictor
    from facegan.generator import Generator
    from facegan.runs.callbacks import Listener

POOL = 6000  # faces with seeds 1, 2, ... from which members are chosen
TRIALS, MEMBERS = 40, (3, 10)
GROUPS = {
    "smiling, no glasses": {"Smiling": True, "Glasses": False},
    "not smiling, no glasses": {"Smiling": False, "Glasses": False},
    "not smiling, glasses": {"Smiling": False, "Glasses": True},
}
GOAL = {"Smiling": True, "Glasses": True}


class Tour:
    """The stages, in order, on one folder."""

    def __init__(
        self,
        out: Path,
        settings: dict[str, Any],
        on_message: Callable[[str], None],
        *,
        listeners: Sequence[Listener],
    ) -> None:
        self.out, self.on_message, self.listeners = out, on_message, listeners
        self.portraits, self.kimg, self.seed = settings["portraits"], settings["kimg"], settings["seed"]
        self.pictures = out / "pictures"
        self.file = out / "demo.json"
        self.story = self._begin(settings)

    def _begin(self, settings: dict[str, Any]) -> Story:
        try:
            if self.file.exists():
                story = Story(**json.loads(self.file.read_text()))
                if story.settings != settings:
                    raise InputError(
                        f"--out {self.out} holds a demo with other settings; choose another folder"
                    )
                return story
            if self.out.exists() and any(self.out.iterdir()):
                raise InputError(f"--out {self.out}: not empty and not a demo; choose another folder")
            self.story = Story(settings)
            self._save()
            self.pictures.mkdir(exist_ok=True)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"--out {self.out}: cannot be used ({error})") from None
        return self.story

    def run(self) -> Path:
        """Run every stage and return the path of the report."""
        stages: dict[str, tuple[str, Callable[[], None]]] = {
            "bundled": (f"the bundled model {bundled.MODEL}: faces at once", self.bundled),
            "draw": (f"drawing {self.portraits} portraits with known attributes", self.draw),
            "prepare": ("preparing them as a dataset", self.prepare),
            "train": (f"training faces-tiny-32 for {self.kimg:g} kimg", self.train),
            "explore": ("sampling and interpolating", self.explore),
            "arithmetic": ("computing with faces, and scoring it", self.arithmetic),
        }
        for i, (name, (title, stage)) in enumerate(stages.items(), 1):
            self.on_message(
                f"[{i}/{len(stages)}] {title}" + (" (done before)" if name in self.story.done else "")
            )
            if name in self.story.done:
                continue
            start = time.monotonic()
            try:
                stage()
                self.story.done.append(name)
            finally:  # an interrupted stage keeps the time it took
                self.story.seconds[name] = self.story.seconds.get(name, 0) + time.monotonic() - start
                self._save()
        return write_report(self.out, self.story)

    def _save(self) -> None:
        from facegan.files import write_bytes

        write_bytes(self.file, json.dumps(asdict(self.story), indent=1).encode())

    # --- the stages -------------------------------------------------------------------------

    def bundled(self) -> None:
        self.story.numbers["bundled"] = bundled.explore(self.pictures, self.seed)

    def draw(self) -> None:
        from facegan.demo.portraits import write_portraits

        write_portraits(
            self.out / "portraits",
            self.portraits,
            self.seed,
            size=64,
            on_progress=self._now_and_then("portraits"),
        )

    def prepare(self) -> None:
        from facegan import images
        from facegan.data.prepare import prepare

        data = prepare(
            [self.out / "portraits"],
            self.out / "dataset",
            crop="none",
            size=32,
            attributes=self.out / "portraits" / "attributes.csv",
            split="test=0.2",
        )
        self.story.numbers["counts"] = data.counts
        images.save_png(self.pictures / "portraits.png", images.grid(data.images("train")[:100]))

    def train(self) -> None:
        from facegan.training.train import train

        train(
            self.out / "dataset",
            "faces-tiny-32",
            self.out / "run",
            listeners=self.listeners,
            command=f"facegan train {self.out / 'dataset'} --recipe faces-tiny-32 --kimg {self.kimg:g} "
            f"--seed {self.seed} --out {self.out / 'run'}",
            kimg=self.kimg,
            seed=self.seed,
        )

    def model(self) -> Generator:
        from facegan.models import load

        return load(self.out / "run")

    def explore(self) -> None:
        import numpy as np
        import torch

        from facegan import images, latent, video
        from facegan import models as runs

        model = self.model()
        images.save_png(self.pictures / "faces.png", images.grid(model.sample(100)), {"seed": "0-99"})
        moments = runs.moments(self.out / "run")
        kept = sorted(moments)[:: -(-len(moments) // 10)]
        steps = [runs.load(moments[kimg]).sample(10) for kimg in kept]
        images.save_png(self.pictures / "progress.png", images.grid(np.concatenate(steps), 10))
        self.story.numbers["moments"] = [f"{kimg:.3g}" for kimg in kept]
        points = list(model.latent.sample(range(6)))
        strip = torch.stack(list(latent.path(points[:2], 10, "slerp")))
        images.save_png(self.pictures / "interpolation.png", images.grid(model.images(strip), 10))
        way = torch.stack(list(latent.path(points, 24, "slerp", loop=True)))
        frames = (images.enlarge(frame, 6) for frame in model.images(way))
        video.write_film(self.pictures / "film.webp", frames, 24)

    def arithmetic(self) -> None:
        """Compute with faces: one predictor chooses the members; another, trained on other pictures,
        judges."""
        from facegan import images
        from facegan.latent.evaluation import arithmetic_sheet, expression, score_arithmetic

        model = self.model()
        chooser, judge = self._predictors()
        pool = model.latent.sample(range(1, POOL + 1))
        seen = chooser.predict(model.images(pool))
        scores = {
            members: score_arithmetic(
                model,
                pool,
                chooser,
                judge=judge,
                groups=GROUPS,
                goal=GOAL,
                trials=TRIALS,
                members=members,
                seed=self.seed,
                rescale=model.latent,
                seen=seen,
            )
            for members in MEMBERS
        }
        self.story.numbers["arithmetic"] = {
            "chooser": {n: chooser.balanced_accuracy[n] for n in GOAL},
            "judge": {n: judge.balanced_accuracy[n] for n in GOAL},
            # a very short training gives too few faces that the chooser is sure of
            "scores": [
                {"members": m, "trials": len(s.members), "shares": s.shares, "groups": s.group_sizes}
                for m, s in scores.items()
                if s is not None
            ],
        }
        best = scores[MEMBERS[-1]]
        if best is not None:
            sheet = arithmetic_sheet(model, pool, best.members[0], titles=list(GROUPS))
            images.save_png(self.pictures / "arithmetic.png", sheet)
            self.story.numbers["expression"] = expression(best.members[0])
            for name, z in (("results", best.trials), ("control", best.control)):
                images.save_png(self.pictures / f"{name}.png", images.grid(model.images(z), 10))

    def _predictors(self) -> tuple[AttributePredictor, AttributePredictor]:
        from dataclasses import replace

        from facegan.attributes.training import SMALL, score, train_attribute_predictor
        from facegan.data.dataset import Dataset

        data = Dataset(self.out / "dataset")
        train, known = data.images("train"), data.attributes("train")
        half = len(train) // 2
        made = []
        for seed, (kind, part) in enumerate((("plain", slice(0, half)), ("pooled", slice(half, None))), 1):
            settings = replace(SMALL, architecture=kind, seed=seed, epochs=24)
            made.append(
                train_attribute_predictor(train[part], known[part], data.attribute_names, settings=settings)
            )
            score(made[-1], data.images("test"), data.attributes("test"))
        return made[0], made[1]

    def _now_and_then(self, what: str, seconds: float = 5.0) -> Callable[[int, int], None]:
        """Return a progress callback that tells a line at most every few ``seconds``."""
        last = time.monotonic()

        def on_progress(done: int, count: int) -> None:
            nonlocal last
            if time.monotonic() - last >= seconds:
                last = time.monotonic()
                self.on_message(f"      {done} of {count} {what}")

        return on_progress


def run_demo(
    out: str | Path = "demo",
    *,
    portraits: int = 3000,
    kimg: float = 80.0,
    seed: int = 0,
    on_message: Callable[[str], None] = lambda _: None,
    listeners: Sequence[Listener] = (),
) -> Path:
    """Explore the bundled face model; then draw portraits, prepare them, train on them, explore the result.

    Interrupted, the same call goes on where it was.

    Args:
        out: The folder for everything that is made.
        portraits: How many to draw, at least 100.
        kimg: The length of the training in thousands of images.
        seed: Decides the portraits and the training.
        on_message: Takes a line as each stage begins, and while portraits are drawn.
        listeners: Those of the training.

    Returns:
        The path of the report, ``OUT/report.html``.

    Raises:
        InputError: A setting is out of bounds, or ``out`` holds something else.
    """
    if portraits < 100 or kimg <= 0 or seed < 0:
        raise InputError("--portraits must be at least 100, --kimg above 0, --seed 0 or more")
    settings = {"portraits": portraits, "kimg": kimg, "seed": seed}
    return Tour(Path(out), settings, on_message, listeners=listeners).run()
