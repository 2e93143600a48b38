"""Do the metrics react to what they should, and what do they cost?

    python benchmarks/metrics.py react datasets/celeba64     # the table of docs/results/metrics.md
    python benchmarks/metrics.py cost                        # beside torch-fidelity, on the same features

``react`` takes the val split, spoils it at rising strength, and measures it against the test split.
``cost``, which is also what runs without a command, starts each side in a process of its own and prints
its CPU seconds and peak memory; exit code 1 says that ours took more.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

COLUMNS = {
    "fid": ("FID", 1),
    "kid": ("KID", 4),
    "precision": ("precision", 2),
    "recall": ("recall", 2),
    "density": ("density", 2),
    "coverage": ("coverage", 2),
    "swd": ("SWD", 1),
    "ms_ssim": ("MS-SSIM", 3),
    "memorized": ("memorised", 2),
    "nearer": ("nearer", 2),
}


# --- what is done to the pictures: uint8 N,H,W,C and a strength to uint8 N,H,W,C ----------------------


def blurred(images: np.ndarray, sigma: float, train: np.ndarray) -> np.ndarray:
    import cv2

    return np.stack([cv2.GaussianBlur(x, (0, 0), sigma) for x in images])


def noisy(images: np.ndarray, sigma: float, train: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def collapsed(images: np.ndarray, share: float, train: np.ndarray) -> np.ndarray:
    """That share of the pictures shows one of ten, with a little noise; the others stay."""
    count = round(share * len(images))
    copies = noisy(images[np.arange(count) % 10], 2, train)
    return np.concatenate([copies, images[count:]]) if count else images


def warped(images: np.ndarray, pixels: float, train: np.ndarray) -> np.ndarray:
    """Moved by a smooth random field of that standard deviation: melted faces, their texture unharmed."""
    import cv2

    random, (h, w) = np.random.default_rng(0), images.shape[1:3]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    out = []
    for image in images:
        field = [cv2.GaussianBlur(random.normal(size=(h, w)), (0, 0), 6) for _ in range(2)]
        dy, dx = ((f * pixels / f.std()).astype(np.float32) for f in field)
        out.append(cv2.remap(image, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(out)


def mirrored(images: np.ndarray, share: float, train: np.ndarray) -> np.ndarray:
    count = round(share * len(images))
    return np.concatenate([images[:count, :, ::-1], images[count:]])


def copied(images: np.ndarray, share: float, train: np.ndarray) -> np.ndarray:
    """That share of the pictures comes from the training split."""
    count = round(share * len(images))
    return np.concatenate([train[np.arange(count) * (len(train) // max(count, 1))], images[count:]])


Change = Callable[[np.ndarray, float, np.ndarray], np.ndarray]
CHANGES: dict[str, tuple[Change, tuple[float, ...], str]] = {
    "blurred, sigma {} px": (blurred, (0.5, 1, 2), "g"),
    "noise, sigma {} of 255": (noisy, (4, 8, 16, 32), "g"),
    "melted by {} px": (warped, (1, 2, 4), "g"),
    "{} show one of ten faces": (collapsed, (0.25, 0.5, 0.9), ".0%"),
    "{} mirrored": (mirrored, (0.5, 1.0), ".0%"),
    "{} copied from training": (copied, (0.25, 0.5, 1.0), ".0%"),
}


def sets(val: np.ndarray, train: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    rows = (np.arange(len(val)) * len(train)) // len(val)
    yield "real, of train", train[rows]
    yield "real, of val", val
    for title, (change, strengths, form) in CHANGES.items():
        for strength in strengths:
            yield title.format(format(strength, form)), change(val, strength, train)


def react(dataset: str, features: str) -> None:
    from facegan.data.dataset import Dataset
    from facegan.metrics.evaluate import evaluate
    from facegan.metrics.feature_extractors import table
    from facegan.metrics.shapes import of_array

    data, made = Dataset(dataset), table(features)
    val, train = np.asarray(data.images("val")), np.asarray(data.images("train"))
    print(f"Features `{made.key}`, dataset `{data.content_hash[:16]}`:\n")
    print("| pictures | " + " | ".join(title for title, _ in COLUMNS.values()) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for title, images in sets(val, train):
        values = evaluate(of_array(images), data, made, split="test", floor=False).values
        cells = [f"{values[name]:.{digits}f}" for name, (_, digits) in COLUMNS.items()]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


# --- cost -------------------------------------------------------------------------------------------


def ours(real: np.ndarray, fake: np.ndarray) -> dict[str, Callable[[], object]]:
    from facegan.metrics import fid, kid, prdc

    return {
        "FID": lambda: fid.fid(real, fake),
        "KID": lambda: kid.kid(real, fake).value,
        "precision and recall": lambda: prdc.both(real, fake),
    }


def theirs(real: np.ndarray, fake: np.ndarray) -> dict[str, Callable[[], object]]:
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    a, b = torch.from_numpy(np.array(real)), torch.from_numpy(np.array(fake))
    options = {"verbose": False, "kid_subsets": 100, "kid_subset_size": 1000, "prc_neighborhood": 3}
    return {
        "FID": lambda: fid_statistics_to_metric(*map(fid_features_to_statistics, (a, b)), False),
        "KID": lambda: kid_features_to_metric(a, b, **options),
        "precision and recall": lambda: prc_features_to_metric(b, a, **options),  # generated first,
    }


def one(side: str, metric: str, folder: str) -> None:
    """In a process of its own: CPU seconds, peak memory in MiB, and the value."""
    real, fake = (np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in ("real", "fake"))
    compute = {"ours": ours, "theirs": theirs}[side](real, fake)[metric]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time()
    value = compute()
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "before": before, "peak": peak, "value": str(value)}))


def cost(count: int, dim: int) -> bool:
    """Whether ours took no more time or memory. Features are correlated, skewed and not negative."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        mix = np.random.default_rng(9).standard_normal((dim, dim)).astype(np.float32) / np.sqrt(dim)
        for seed, name in enumerate(("real", "fake")):
            draws = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
            np.save(Path(folder) / f"{name}.npy", np.maximum(draws @ mix + 0.1 * seed, 0))
            del draws
        print(f"{count} samples of each side, {dim} features:\n")
        print("| metric | CPU s, ours | torch-fidelity | peak MiB, ours | torch-fidelity |")
        print("|---|---|---|---|---|")
        for metric in ("FID", "KID", "precision and recall"):
            found = {side: _run(side, metric, folder) for side in ("ours", "theirs")}
            cells = [
                f"{found[side][key]:.1f}" if found[side] else "failed"
                for key in ("seconds", "peak")
                for side in ("ours", "theirs")
            ]
            print(f"| {metric} | {' | '.join(cells)} |", flush=True)
            for side, result in found.items():
                print(f"  {side}: {result.get('value', result)}", file=sys.stderr)
            if found["theirs"]:
                good &= all(found["ours"][key] <= found["theirs"][key] for key in ("seconds", "peak"))
    return good


def _run(side: str, metric: str, folder: str) -> dict:
    argv = [sys.executable, __file__, "one", side, metric, folder]
    done = subprocess.run(argv, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command")
    first = commands.add_parser("react")
    first.add_argument("dataset")
    first.add_argument("--features", default="faces")
    second = commands.add_parser("cost")
    second.add_argument("--count", type=int, default=10_000)
    second.add_argument("--dim", type=int, default=2048)
    third = commands.add_parser("one")
    third.add_argument("rest", nargs=3)
    options = parser.parse_args()
    if options.command == "react":
        react(options.dataset, options.features)
    elif options.command == "one":
        one(*options.rest)
    else:
        sys.exit(0 if cost(getattr(options, "count", 10_000), getattr(options, "dim", 2048)) else 1)


if __name__ == "__main__":
    main()
