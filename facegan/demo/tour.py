"""The guided tour: the bundled networks, then the whole way with drawn portraits; it ends with one page.

Each stage skips what an earlier, interrupted run has finished.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import images, latent, models, video
from facegan.attributes.predictor import AttributePredictor
from facegan.attributes.training import SMALL, score, train_attribute_predictor
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.demo.report import BUNDLED, GLASSES, Story, write_report
from facegan.errors import InputError
from facegan.figures import origin
from facegan.files import write_bytes
from facegan.generator import Generator
from facegan.latent.evaluation import ArithmeticScore, arithmetic_sheet, expression, score_arithmetic
from facegan.marks import Mark
from facegan.runs.callbacks import Listener
from facegan.training.train import train
from facegan.translation.translate import translate

Wanted = dict[str, bool]
Groups = dict[str, Wanted]
SHOWN = (0, 1, 2, 4, 5, 6)  # the first seeds of the bundled model in which MTCNN finds a face at 0.999
BUNDLED_GROUPS: Groups = {
    "smiling woman": {"Smiling": True, "Male": False},
    "neutral woman": {"Smiling": False, "Male": False},
    "neutral man": {"Smiling": False, "Male": True},
}
BUNDLED_GOAL: Wanted = {"Smiling": True, "Male": True}
GROUPS: Groups = {
    "smiling, no glasses": {"Smiling": True, "Glasses": False},
    "not smiling, no glasses": {"Smiling": False, "Glasses": False},
    "not smiling, glasses": {"Smiling": False, "Glasses": True},
}
GOAL: Wanted = {"Smiling": True, "Glasses": True}


class Tour:
    """The stages, in order, on one folder."""

    def __init__(
        self,
        out: Path,
        settings: dict[str, Any],
        on_message: Callable[[str], None],
        *,
        listeners: Sequence[Listener],
        mark: bool = True,
    ) -> None:
        self.out, self.on_message, self.listeners, self.mark = out, on_message, listeners, mark
        self.portraits, self.kimg, self.seed = settings["portraits"], settings["kimg"], settings["seed"]
        self.pictures, self.file = out / "pictures", out / "demo.json"
        self.story = Story(settings)
        try:
            if self.file.exists():
                self.story = Story(**json.loads(self.file.read_text()))
                if self.story.settings != settings:
                    raise InputError(f"--out {out} holds a demo with other settings; choose another folder")
            elif out.exists() and any(out.iterdir()):
                raise InputError(f"--out {out}: not empty and not a demo; choose another folder")
            else:
                self._save()
                self.pictures.mkdir(exist_ok=True)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"--out {out}: cannot be used ({error})") from None

    def run(self) -> Path:
        """Run every stage and return the path of the report."""
        stages: dict[str, tuple[str, Callable[[], None]]] = {
            "bundled": (f"the bundled model {BUNDLED}: faces at once", self.bundled),
            "translate": (f"photos to photos: {GLASSES} puts glasses on faces", self.translate),
            "draw": (f"drawing {self.portraits} portraits with known attributes", self.draw),
            "prepare": ("preparing them as a dataset", self.prepare),
            "train": (f"training faces-tiny-32 for {self.kimg:g} kimg", self.train),
            "explore": ("sampling and interpolating", self.explore),
            "arithmetic": ("computing with faces, and scoring it", self.arithmetic),
        }
        for i, (name, (title, stage)) in enumerate(stages.items(), 1):
            before = " (done before)" if name in self.story.done else ""
            self.on_message(f"[{i}/{len(stages)}] {title}{before}")
            if before:
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
        write_bytes(self.file, json.dumps(asdict(self.story), indent=1).encode())

    def bundled(self) -> None:
        """Sample, film and compute with the bundled model: ``faces`` chooses, ``evaluator`` judges."""
        model = models.as_model(BUNDLED)
        self._write("bundled.png", images.grid(model.sample(100)), model, seed="0-99")
        self._film(model, list(model.latent.sample(SHOWN)), "bundled.webp", scale=3)
        judge = AttributePredictor.load("evaluator")
        faces = Arithmetic(model, AttributePredictor.load("faces"), judge, seed=self.seed, pool=1200)
        found = faces.score(BUNDLED_GROUPS, BUNDLED_GOAL, 10, members=10)
        numbers: dict[str, Any] = {"licence": model.meta.get("licence", ""), "size": model.image_shape[2]}
        if found is not None:
            numbers |= _numbers(found, 10)
            numbers["judge"] = {name: judge.balanced_accuracy[name] for name in BUNDLED_GOAL}
            mark = self._mark(model)
            numbers["expression"] = faces.draw(found, BUNDLED_GROUPS, f"{self.pictures}/bundled-", mark=mark)
        self.story.numbers["bundled"] = numbers

    def translate(self) -> None:
        """Put glasses on the bundled model's first faces, judged by ``evaluator``, and on a photo."""
        model, judge = models.as_model(BUNDLED), AttributePredictor.load("evaluator")
        glasses, column = models.as_translator(GLASSES), judge.column("Eyeglasses")
        faces = model.sample(100)
        done = translate(glasses, faces)
        before, after = (judge.predict(x)[:, column] >= 0.5 for x in (faces, done.images))
        rows = np.concatenate([faces[:10], done.images[:10]])
        mark = self._mark(model, seed="0-9", translator=glasses.hash)
        images.save_png(self.pictures / "glasses.png", images.grid(rows, 10), mark)
        translate(
            GLASSES, "sample:astronaut", whole=True, out=self.pictures / "glasses-photo.png", mark=self.mark
        )
        self.story.numbers["glasses"] = {
            "without": int((~before).sum()),
            "now": int((after & ~before).sum()),
            "licence": glasses.meta.get("licence", ""),
        }

    def _mark(self, model: Generator, **details: str) -> Mark:
        return origin(model.hash, 1.0, mark=self.mark, **details)

    def _write(self, name: str, picture: np.ndarray, model: Generator, **details: str) -> None:
        images.save_png(self.pictures / name, picture, self._mark(model, **details))

    def draw(self) -> None:
        """Draw the portraits; a line at most every 5 seconds counts them."""
        last = time.monotonic()

        def on_progress(done: int, count: int) -> None:
            nonlocal last
            if time.monotonic() - last >= 5:
                last = time.monotonic()
                self.on_message(f"      {done} of {count} portraits")

        write_portraits(self.out / "portraits", self.portraits, self.seed, size=64, on_progress=on_progress)

    def prepare(self) -> None:
        """Prepare the portraits as a dataset."""
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
        """Train on them."""
        data, run = self.out / "dataset", self.out / "run"
        flags = f"--recipe faces-tiny-32 --kimg {self.kimg:g} --seed {self.seed} --out {run}"
        train(
            data,
            "faces-tiny-32",
            run,
            listeners=self.listeners,
            command=f"facegan train {data} {flags}",
            mark=self.mark,
            kimg=self.kimg,
            seed=self.seed,
        )

    def explore(self) -> None:
        """Sample and interpolate; show the same seeds at ten moments of the training."""
        model = models.as_model(self.out / "run")
        self._write("faces.png", images.grid(model.sample(100)), model, seed="0-99")
        moments = models.moments(self.out / "run")
        kept = sorted(moments)[:: -(-len(moments) // 10)]
        steps = [models.as_model(moments[kimg]).sample(10) for kimg in kept]
        self._write("progress.png", images.grid(np.concatenate(steps), 10), model, seed="0-9")
        self.story.numbers["moments"] = [f"{kimg:.3g}" for kimg in kept]
        points = list(model.latent.sample(range(6)))
        strip = torch.stack(list(latent.path(points[:2], 10, "slerp")))
        self._write("interpolation.png", images.grid(model.images(strip), 10), model, seed="0-1")
        self._film(model, points, "film.webp", scale=6)

    def _film(self, model: Generator, points: list[torch.Tensor], name: str, *, scale: int) -> None:
        """Write a closed walk through some faces."""
        way = torch.stack(list(latent.path(points, 24, "slerp", loop=True)))
        frames = (images.enlarge(frame, scale) for frame in model.images(way))
        video.write_film(self.pictures / name, frames, 24, mark=self._mark(model))

    def arithmetic(self) -> None:
        """Compute with faces; one predictor chooses the members, one trained on other pictures judges."""
        model = models.as_model(self.out / "run")
        chooser, judge = self._predictors()
        faces = Arithmetic(model, chooser, judge, seed=self.seed, pool=6000)
        scores = {members: faces.score(GROUPS, GOAL, 40, members=members) for members in (3, 10)}
        self.story.numbers["arithmetic"] = {
            "chooser": {n: chooser.balanced_accuracy[n] for n in GOAL},
            "judge": {n: judge.balanced_accuracy[n] for n in GOAL},
            # a very short training gives too few faces that the chooser is sure of
            "scores": [_numbers(found, members) for members, found in scores.items() if found is not None],
        }
        best = scores[10]
        if best is not None:
            mark = self._mark(model)
            self.story.numbers["expression"] = faces.draw(best, GROUPS, f"{self.pictures}/", mark=mark)
            self._write("control.png", images.grid(model.images(best.control), 10), model)

    def _predictors(self) -> tuple[AttributePredictor, AttributePredictor]:
        data = Dataset(self.out / "dataset")
        train, known = data.images("train"), data.attributes("train")
        half = len(train) // 2
        made = []
        for seed, (kind, part) in enumerate((("plain", slice(0, half)), ("pooled", slice(half, None))), 1):
            settings = replace(SMALL, architecture=kind, seed=seed, epochs=24)
            names = data.attribute_names
            made.append(train_attribute_predictor(train[part], known[part], names, settings=settings))
            score(made[-1], data.images("test"), data.attributes("test"))
        return made[0], made[1]


class Arithmetic:
    """Sums of generated faces with the seeds 1, 2, ...: ``chooser`` chooses the members, ``judge`` judges."""

    def __init__(
        self,
        model: Generator,
        chooser: AttributePredictor,
        judge: AttributePredictor,
        *,
        seed: int,
        pool: int,
    ) -> None:
        self.model, self.chooser, self.judge, self.seed = model, chooser, judge, seed
        self.pool = model.latent.sample(range(1, pool + 1))
        self.seen = chooser.predict(model.images(self.pool))

    def score(self, groups: Groups, goal: Wanted, trials: int, *, members: int) -> ArithmeticScore | None:
        """Return the score of the first group minus the second plus the third."""
        return score_arithmetic(
            self.model,
            self.pool,
            self.chooser,
            judge=self.judge,
            groups=groups,
            goal=goal,
            trials=trials,
            members=members,
            seed=self.seed,
            rescale=self.model.latent,
            seen=self.seen,
        )

    def draw(self, found: ArithmeticScore, groups: Groups, place: str, *, mark: Mark) -> str:
        """Draw the first trial and the results of all; return the first as 'facegan arithmetic' takes it."""
        sheet = arithmetic_sheet(self.model, self.pool, found.members[0], titles=list(groups))
        images.save_png(f"{place}arithmetic.png", sheet, mark)
        images.save_png(f"{place}results.png", images.grid(self.model.images(found.trials), 10), mark)
        return expression(found.members[0])


def _numbers(found: ArithmeticScore, members: int) -> dict[str, Any]:
    """Return what ``demo.json`` keeps of a score."""
    count = len(found.members)
    return {"members": members, "trials": count, "shares": found.shares, "groups": found.group_sizes}


def run_demo(
    out: str | Path = "demo",
    *,
    portraits: int = 3000,
    kimg: float = 80.0,
    seed: int = 0,
    mark: bool = True,
    on_message: Callable[[str], None] = lambda _: None,
    listeners: Sequence[Listener] = (),
) -> Path:
    """Explore the bundled face model; then draw portraits, prepare them, train on them, explore the result.

    Interrupted, the same call goes on where it was.

    Args:
        out: The folder for all results.
        portraits: How many to draw, at least 100.
        kimg: The length of the training in thousands of images.
        seed: Decides the portraits and the training.
        mark: Write into generated pictures and films that they are, and by what.
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
    return Tour(Path(out), settings, on_message, listeners=listeners, mark=mark).run()
