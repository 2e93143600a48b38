"""The bundled face model: put one into the package, measure it, write its card, or check the card.

    python benchmarks/bundled.py put runs/celeba64@best          # -> facegan/assets/celeba64.safetensors
    python benchmarks/bundled.py card datasets/celeba64          # measures it, writes celeba64.md beside it
    python benchmarks/bundled.py speed                           # only the speed, on a quiet machine
    python benchmarks/bundled.py check datasets/celeba64         # measures again; exit code 1 if it differs

All numbers come from the package's own metrics, on seeds that nobody chose; speed is of two threads.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

NAME = "celeba64"
LICENCE = (
    "For non-commercial research only, like the CelebA photos it was trained on. "
    "The people it draws do not exist, but it learnt from photos of real people."
)
FIRST, COUNT = 10_000, 5000  # seeds that are measured, as 'facegan evaluate' takes them
LOOKED, ENLARGED = 500, 4  # pictures that are searched for faces, and how much they are enlarged for it
TIMES = r"""
import json, re, sys, time
import torch
torch.set_num_threads(2)
start = time.perf_counter()
import facegan
model = facegan.load(sys.argv[1])
model.sample(25)
first = time.perf_counter() - start
model.sample(256)
start = time.perf_counter()
model.sample(1024)
rate = 1024 / (time.perf_counter() - start)
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) / 1024  # of this program alone
print(json.dumps({"seconds_for_25": first, "images_per_second": rate, "peak_mib": peak}))
"""


def put(reference: str) -> None:
    """Write a model into the package in half precision, with its licence."""
    from facegan.models import ASSETS, load

    model = load(reference)
    model.meta["licence"] = LICENCE
    model.save(ASSETS / f"{NAME}.safetensors")
    print(f"{reference} -> {ASSETS / NAME}.safetensors")


def measure(dataset: str, name: str = NAME, count: int = COUNT, looked: int = LOOKED) -> dict[str, Any]:
    """Measure everything that the card reports, as plain numbers."""
    from facegan.attributes.predictor import AttributePredictor
    from facegan.data.dataset import Dataset
    from facegan.metrics.evaluate import evaluate
    from facegan.metrics.feature_extractors import table
    from facegan.metrics.shapes import of_array
    from facegan.models import load

    data, model = Dataset(dataset), load(name)
    samples = model.sample(range(FIRST, FIRST + count))
    test = np.asarray(data.images("test"))
    done = evaluate(
        of_array(samples), data, table("faces"), metrics=["fid", "kid", "precision-recall", "memorization"]
    )
    faces = AttributePredictor.load("faces")
    drawn, known = (faces.predict(x).mean(0) for x in (samples, test))
    return {
        "model": model.hash,
        "dataset": data.content_hash,
        "samples": count,
        "real": len(test),
        "generated": done.values,
        "floor": done.real,
        "one_face": {"generated": one_face(samples[:looked]), "real": one_face(test[:looked])},
        "pixels": thumbnails(model).tolist(),
        "attributes": {n: [float(drawn[i]), float(known[i])] for i, n in enumerate(faces.names)},
        "speed": speed(name),
    }


def speed(name: str = NAME) -> dict[str, float]:
    """Measure seconds, pictures per second and memory in a separate process (Linux)."""
    done = subprocess.run([sys.executable, "-c", TIMES, name], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def thumbnails(model: Any) -> np.ndarray:
    """Return seeds 0 to 3 at 4x4 px, ``4,4,4,3``; they are the same on every machine, except for rounding."""
    return at_4_px(model.sample(4))


def at_4_px(pictures: np.ndarray) -> np.ndarray:
    """Return pictures at 4x4 px, ``N,4,4,C``."""
    n, h, w, c = pictures.shape
    return pictures.astype(np.float64).reshape(n, 4, h // 4, 4, w // 4, c).mean((2, 4)).round(2)


def one_face(images: np.ndarray) -> float:
    """Return the share of enlarged pictures in which MTCNN finds exactly one face."""
    from facegan.data.faces import FaceDetector
    from facegan.images import resize

    detector, side = FaceDetector(), images.shape[1] * ENLARGED
    return float(np.mean([len(detector.detect(resize(x, (side, side), "bicubic"))) == 1 for x in images]))


def card(m: dict[str, Any]) -> str:
    """Return the card in Markdown; its last line contains the numbers for ``check``."""
    from facegan.model_summary import describe_model

    f = describe_model(NAME)
    origin = f["provenance"]
    seen = (origin["images_seen"] + origin.get("images_before", 0)) / 1000
    g, r, speed, one = m["generated"], m["floor"], m["speed"], m["one_face"]
    gap = {n: abs(a - b) for n, (a, b) in m["attributes"].items()}
    most = max(gap, key=gap.__getitem__)
    rows = "\n".join(
        f"| {n.replace('_', ' ')} | {a:.1%} | {b:.1%} |" for n, (a, b) in sorted(m["attributes"].items())
    )
    return f"""# {NAME}: faces of 64 px

This generator has {f["parameters"]:,} parameters and takes {f["macs"] / 1e6:.0f} million
multiply-accumulates per picture. It belongs to the family `{f["family"]}` and takes
{f["bytes"] / 2**20:.1f} MiB in half precision. It turns {f["latent"]["dim"]} numbers into a face. Loading
it executes nothing and needs no network connection.

    facegan generate {NAME} --count 100 --out faces.png

- **Made by** the recipe `{origin["recipe"]}`, {seen:,.0f} kimg in total;
  [the commands](../../docs/results/README.md#celeba64-the-bundled-faces)
- **Data**: {origin["dataset"]["count"]:,} aligned photos of the train split of CelebA (content hash
  `{origin["dataset"]["content_hash"][:16]}`), 64 px; the checkpoint was
  chosen on val and measured on test
- **Licence**: {f["licence"]}
- **Hash**: `{m["model"][:16]}`

## Measures

The table compares {m["samples"]:,} samples (seeds {FIRST} and up, none left out) with the {m["real"]}
photos of test, using the features of the bundled network `faces`. The last column has the values of real
photos from train. To repeat the measurements, run `python benchmarks/bundled.py check DATASET`.

| | {NAME} | real photos |
|---|---|---|
| FID (`faces`) | {g["fid"]:.1f} | {r["fid"]:.1f} |
| KID (`faces`) | {g["kid"]:.3f} ({g["kid_low"]:.3f} to {g["kid_high"]:.3f}) | {r["kid"]:.3f} |
| precision | {g["precision"]:.2f} | {r["precision"]:.2f} |
| recall | {g["recall"]:.2f} | {r["recall"]:.2f} |
| memorised (0.05 is none) | {g["memorized"]:.3f} | |
| MTCNN finds exactly one face, enlarged {ENLARGED} times | {one["generated"]:.1%} | {one["real"]:.1%} |
| pictures per second, two threads | {speed["images_per_second"]:.0f} | |
| time to the first 25 faces, after `import torch` | {speed["seconds_for_25"]:.2f} s | |
| peak memory for these and 1,280 more | {speed["peak_mib"]:.0f} MiB | |

## Which faces it draws

The table shows the attributes that the network `faces` predicts for the samples and for the photos of
test. The largest difference is {gap[most]:.1%} ({most.replace("_", " ")}), and the mean difference is
{np.mean(list(gap.values())):.1%}.

| attribute | generated | real |
|---|---|---|
{rows}

## Limits and bias

The training photos show celebrities who are mostly young, light-skinned, made up and well lit. The
generated faces are similar, and features that are rare in the photos (hats, glasses, old age, dark skin,
profiles) are even rarer or look worse. The attributes are one team's judgement of looks, not facts about
people. At 64 px, details such as hair, teeth and earrings are only hints. Do not use this model to judge,
identify or impersonate people, or to represent a population.

<!-- measures {json.dumps(m)} -->
"""


def numbers(text: str) -> dict[str, Any]:
    """Return the numbers in a card."""
    return json.loads(text.rpartition("<!-- measures ")[2].partition(" -->")[0])


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return where new numbers differ from the card by more than sampling on another machine explains."""
    wrong = [key for key in ("model", "dataset", "samples", "real") if old[key] != new[key]]
    for name, slack in (
        ("fid", 0.5),
        ("kid", 0.005),
        ("precision", 0.01),
        ("recall", 0.02),
        ("memorized", 0.01),
    ):
        a, b = old["generated"][name], new["generated"][name]
        wrong += [f"{name}: {a:.4f} in the card, {b:.4f} now"] if abs(a - b) > slack else []
    for name, (a, _) in old["attributes"].items():
        b = new["attributes"][name][0]
        wrong += [f"{name}: {a:.3f} in the card, {b:.3f} now"] if abs(a - b) > 0.01 else []
    if abs(old["one_face"]["generated"] - new["one_face"]["generated"]) > 0.01:
        wrong.append("one face")
    return wrong


def run(script: ModuleType, file: Path) -> int:
    """Do what the command line says, with ``put``, ``measure``, ``card`` and ``differences`` of a script."""
    parser = argparse.ArgumentParser(
        description=script.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("put", "card", "check"), nargs="?")
    parser.add_argument("subject", help="RUN for put, DATASET otherwise", nargs="?", default="")
    args = parser.parse_args()
    if args.what is None or not args.subject:
        print(f"nothing to do without a dataset: python benchmarks/{parser.prog} check DATASET")
    elif args.what == "put":
        script.put(args.subject)
    elif args.what == "card":
        file.write_text(script.card(script.measure(args.subject)))
        print(file)
    else:
        wrong = script.differences(numbers(file.read_text()), script.measure(args.subject))
        print("\n".join(wrong) or "the card is correct")
        return int(bool(wrong))
    return 0


def main() -> int:
    from facegan.models import ASSETS

    file = ASSETS / f"{NAME}.md"
    if sys.argv[1:] != ["speed"]:
        return run(sys.modules[__name__], file)
    file.write_text(card({**numbers(file.read_text()), "speed": speed()}))
    print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
