"""How near, and how fast: encoder + 50 steps against 1,000 plain steps, best of 4 starts.

    python benchmarks/invert.py celeba64 datasets/celeba64 --count 200 --figure docs/results/invert.png

Both sides make the same loss small, on photos of the test split; the evaluator network, which took no part
in training encoder or loss, and the squared error in [-1, 1] judge. Generated targets are sought by their
squared error alone, for at most 1,000 steps. CPU seconds are those of this process. Results are kept batch by
batch in --out, and the same command goes on. Exit code 1 says that a target was missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 4  # photos
SHARE, ENOUGH, NEAR = 0.05, 0.9, 1e-3
TITLES = {"ours": "encoder + 50 steps of L-BFGS", "plain": "1,000 steps of Adam, best of 4 starts"}


def judged(model, evaluator, pictures: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """``N,2``: distance in the evaluator's features and squared error in [-1, 1], of uint8 pictures."""
    features = evaluator.features(pictures) - evaluator.features(photos)
    error = (pictures.astype(np.float64) - photos) / 127.5
    return np.stack([np.square(features).mean(1), np.square(error).mean((1, 2, 3))], 1)


def run_side(model, encoder, evaluator, photos: np.ndarray, settings) -> dict:
    """One batch: CPU seconds, and the judges' numbers along the way, at the snapshots and at the end."""
    from facegan.inversion.invert import invert_pictures

    begin = time.process_time()
    found = invert_pictures(
        model, photos, [str(i) for i in range(len(photos))], config=settings, encoder=encoder
    )
    seconds = time.process_time() - begin
    way = [judged(model, evaluator, model.images(z), photos).tolist() for z in found.snapshots[::4]]
    return {
        "seconds": seconds,
        "steps": found.snapshot_steps[::4],
        "way": way,
        "all_steps": settings.steps,
        "end": judged(model, evaluator, found.pictures, photos).tolist(),
    }


def run_generated(model, encoder, seeds: range) -> dict:
    from facegan.inversion.config import preset
    from facegan.inversion.invert import invert_pictures

    settings = preset("quick", loss="mse", norm=0.0, steps=1000, stop=NEAR * 0.99)
    begin = time.process_time()
    found = invert_pictures(
        model, model.sample(seeds), [str(s) for s in seeds], config=settings, encoder=encoder
    )
    steps = [int(np.argmax(c <= NEAR)) if (c <= NEAR).any() else None for c in found.curves.T]
    errors = np.square((found.pictures.astype(float) - found.photos) / 127.5).mean((1, 2, 3))
    return {"seconds": time.process_time() - begin, "mse": errors.tolist(), "steps": steps}


def kept(folder: Path, name: str, make: Callable[[], dict]) -> dict:
    """What an earlier call has found, or ``make`` it now."""
    file = folder / f"{name}.json"
    if file.is_file():
        return json.loads(file.read_text())
    found = make()
    folder.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".tmp").write_text(json.dumps(found))
    file.with_suffix(".tmp").rename(file)
    print(f"{name}: {found['seconds']:.0f} CPU s", file=sys.stderr, flush=True)
    return found


def table(sides: dict[str, list[dict]], generated: list[dict]) -> tuple[str, bool]:
    """The report, and whether all targets are met."""
    count = sum(len(r["end"]) for r in sides["ours"])
    means, cost = {}, {}
    lines = [
        f"{count} photos:",
        "",
        "| | features of the evaluator | MSE | CPU s a photo |",
        "|---|---|---|---|",
    ]
    for side, rows in sides.items():
        ends = np.array([e for r in rows for e in r["end"]])
        means[side], cost[side] = ends.mean(0), sum(r["seconds"] for r in rows) / len(ends)
        lines.append(f"| {TITLES[side]} | {means[side][0]:.4f} | {means[side][1]:.5f} | {cost[side]:.2f} |")
    share = cost["ours"] / cost["plain"]
    lines += ["", f"CPU time: {share:.1%} of the plain search's (target {SHARE:.0%})."]
    good = bool((means["ours"] <= means["plain"]).all()) and share <= SHARE
    if generated:
        errors = np.array([m for r in generated for m in r["mse"]])
        taken = [s for r in generated for s in r["steps"] if s is not None]
        hit = float((errors <= NEAR).mean())
        median = f", the median within {np.median(taken):.0f} steps" if taken else ""
        lines.append(
            f"Generated targets: {hit:.0%} of {len(errors)} reach an MSE of {NEAR:g}{median} "
            f"(target {ENOUGH:.0%} within 1,000)."
        )
        good &= hit >= ENOUGH
    return "\n".join(lines), good


def figure(sides: dict[str, list[dict]], path: Path) -> None:
    """Both judges' numbers against CPU seconds a photo, mean over photos."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(10, 4), dpi=110, layout="constrained")
    titles = ("distance in the evaluator's features", "MSE")
    for i, (axes, title) in enumerate(zip(made.subplots(1, 2), titles, strict=True)):
        for side, rows in sides.items():
            count = sum(len(r["end"]) for r in rows)
            cost = sum(r["seconds"] for r in rows) / count
            way = np.concatenate([np.array(r["way"])[:, :, i] for r in rows], 1).mean(1)
            end = np.mean([e[i] for r in rows for e in r["end"]])
            at = np.array([*rows[0]["steps"], rows[0]["all_steps"]]) / rows[0]["all_steps"] * cost
            axes.plot(np.maximum(at, cost / 200), [*way, end], marker=".", label=f"{TITLES[side]}: {end:.4f}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("CPU seconds a photo")
        axes.set_title(f"{title}, mean of {count} photos", fontsize=10)
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))  # clear of the curves
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="celeba64")
    parser.add_argument("dataset", nargs="?", default="datasets/celeba64")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--generated", type=int, default=50)
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark-invert"))
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()

    from facegan.attributes.predictor import AttributePredictor
    from facegan.data.dataset import Dataset
    from facegan.errors import FaceganError
    from facegan.inversion.config import preset
    from facegan.inversion.encoder import find_encoder
    from facegan.models import load

    try:
        model, data = load(options.model), Dataset(options.dataset)
        encoder = find_encoder(model, options.model, options.encoder)
    except FaceganError as error:
        sys.exit(str(error))
    if encoder is None:
        sys.exit(f"{options.model} has no encoder: 'facegan train-encoder' makes one")
    evaluator = AttributePredictor.load("evaluator")
    photos = np.array(data.images("test")[: options.count])
    plain = options.out / model.hash[:12]
    ours = plain / encoder.digest()
    presets = {"ours": preset("quick", start="encoder"), "plain": preset("plain", restarts=4)}
    sides: dict[str, list[dict]] = {side: [] for side in presets}
    for at in range(0, len(photos), BATCH):
        part = photos[at : at + BATCH]
        for side, settings in presets.items():
            where, name = (ours if side == "ours" else plain), f"{side}-{at}-{len(part)}"
            sides[side].append(
                kept(where, name, lambda s=settings, p=part: run_side(model, encoder, evaluator, p, s))
            )
    generated = [
        kept(ours, f"generated-{at}", lambda at=at: run_generated(model, encoder, range(at, at + 10)))
        for at in range(20_000, 20_000 + options.generated, 10)
    ]
    text, good = table(sides, generated)
    print(text)
    if options.figure:
        figure(sides, options.figure)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
