"""What every recipe and command computes, as hashes: the same before and after a change of structure.

    python benchmarks/unchanged.py before.json              # in the old checkout
    python benchmarks/unchanged.py --check before.json      # in the new one, on the same machine

Each recipe trains for 20 updates (float32, one thread, seed 0, narrow networks, batches of 4, drawn
pictures); hashed are the generator and the discriminator in its last checkpoint. prepare, generate, invert,
edit, attack, dream and stylize each make one small result, of which the pixels or the shards are hashed.
Other processors and other versions of PyTorch give other hashes. With ``--check``, exit code 1 says that
something differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

UPDATES, BATCH = 20, 4
WIDTHS: dict[str, dict[str, Any]] = {
    "vanilla": {"width": 0.25},
    "dcgan": {"width": 0.25},
    "fast": {"widths": [16, 8, 8, 8]},
    "progan": {"channel_base": 128, "channel_max": 16},
    "stylegan2": {"channel_base": 128, "channel_max": 16},
    "r3gan": {"group_size": 1, "blocks": [1]},
    "biggan": {"width": 8},
}
MORE: dict[str, dict[str, Any]] = {
    "fast": {"discriminator.projected_width": 8},
    "stylegan2": {"generator.w_dim": 16},
    "progan": {"generator.stage_kimg": 0.02, "generator.fade_kimg": 0.02},
}
COMMANDS = {
    "generate": "celeba64 seed:0-8 --out OUT.png",
    "interpolate": "celeba64 seed:1 seed:2 --steps 4 --out OUT.png",
    "arithmetic": "celeba64 'smiling woman - neutral woman + neutral man' --out OUT.png",
    "edit": "celeba64 seed:5 'smiling=+2, eyeglasses=-1' --out OUT.png",
    "invert": "celeba64 sample:astronaut --steps 20 --out OUT",
    "invert --tune": "celeba64 seed:7 --steps 8 --tune-steps 4 --out OUT",
    "attack": "sample:astronaut --model faces --steps 3 --out OUT",
    "dream": "sample:chelsea --model faces --size 64 --steps 2 --out OUT.png",
    "stylize": "sample:chelsea sample:waves --size 48 --steps 2 --out OUT.png",
}


def reductions(name: str) -> dict[str, Any]:
    """Changes that make the recipe's networks narrow and its batches small."""
    from facegan.families import get_family
    from facegan.recipes.table import recipe

    config = recipe(name)
    found = {"batch": BATCH, **MORE.get(config.family, {})}
    for key, value in WIDTHS.get(config.family, {}).items():
        found |= {f"{side}.{key}": value for side in ("generator", "discriminator")}
    if config.family == "r3gan":
        blocks = max(1, int(np.log2(config.size)) - 1)
        found |= {f"{side}.widths": [8] * blocks for side in ("generator", "discriminator")}
    if get_family(config.family).translates:
        for side in ("generator", "discriminator"):
            found[f"{side}.widths"] = [4] * len(getattr(config.model, side).widths)
        found |= {"generator.blocks": 1, "translation.pool": min(config.translation.pool, 3)}
    if config.latent.dim > 128:
        found["latent.dim"] = 16
    if config.g_batch:
        found["g_batch"] = 2 * BATCH
    return found


def digest(parts: Iterator[tuple[str, bytes]]) -> str:
    """SHA-256 of named bytes in the order of their names."""
    total = hashlib.sha256()
    for name, content in sorted(parts):
        total.update(name.encode() + b"\0" + content)
    return total.hexdigest()


def networks(run: Path) -> dict[str, str]:
    """The hash of each network in the run's last checkpoint."""
    from safetensors.numpy import load_file

    tensors = load_file(sorted(run.glob("checkpoints/*/state.safetensors"))[-1])
    names = {key.partition("/")[0] for key in tensors}
    return {
        network: digest((k, v.tobytes()) for k, v in tensors.items() if k.startswith(f"{network}/"))
        for network in sorted(
            n for n in names if n.startswith(("generator", "discriminator")) and not n.endswith("_optimizer")
        )
    }


def drawn(folder: Path, size: int, gray: bool, *, seed: int) -> Any:
    """A dataset of smooth colours with some noise, drawn here: other drawings may change."""
    import facegan

    rng, name = np.random.default_rng(seed), f"{size}{gray}{seed if seed != size else ''}"
    photos = folder / f"photos{name}"
    photos.mkdir()
    for i in range(24):
        save(rng.integers(0, 256, (5, 5, 3)).astype(np.float32), size, rng, photos / f"{i:02d}.png")
    return facegan.prepare(photos, folder / f"d{name}", crop="center", size=size, gray=gray, workers=1)


def shard(path: Path) -> bytes:
    """The rows of a shard, but for the names of the temporary folder that its pictures came from."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return repr(table.drop_columns(["source"]).to_pydict()).encode()


def pixels(path: Path) -> str:
    """The hash of the pixels of a picture, or of all pictures in a folder."""
    from PIL import Image

    files = sorted(path.rglob("*.png")) if path.is_dir() else [path]
    return digest((str(f.relative_to(path)), np.asarray(Image.open(f)).tobytes()) for f in files)


def measure(folder: Path, only: str) -> dict[str, str]:
    """The hashes by name, of the recipes and commands whose names contain ``only``."""
    import torch

    import facegan
    from facegan.recipes.table import RECIPES

    torch.set_num_threads(1)
    facegan.set_progress(False)
    found: dict[str, str] = {}
    datasets: dict[tuple[int, bool], Any] = {}
    for name, row in RECIPES.items():
        if only not in name and (name, only) != ("faces-dcgan-64", "prepare"):
            continue
        size, gray = row.config.size or 40, row.config.channels == 1
        if (size, gray) not in datasets:
            datasets[size, gray] = drawn(folder, size, gray, seed=size)
        config = reductions(name)
        if row.config.family == "pix2pix":
            config["input"] = "grey"
        if row.config.family == "cyclegan":
            config["to"] = drawn(folder, size, gray, seed=size + 1)
        images = UPDATES * BATCH * row.config.d_updates
        run = folder / name
        facegan.train(
            datasets[size, gray],
            name,
            run,
            kimg=images / 1000,
            checkpoint_kimg=images / 1000,
            seed=0,
            quality_count=0,
            grid_count=2,
            device="cpu",
            precision="float32",
            metric="",
            **config,
        )
        found |= {f"{name}: {network}": value for network, value in networks(run).items()}
        first = next(value for key, value in found.items() if key.startswith(f"{name}: generator"))
        print(f"{name}: {first[:16]}", file=sys.stderr, flush=True)
    if (64, False) in datasets:  # without the sources, which lie in another folder each time
        rows = [row["image"] for row in datasets[64, False].rows()]
        found["prepare"] = digest((row["path"], row["bytes"]) for row in rows)
    for name, words in COMMANDS.items():
        if only not in name:
            continue
        out = folder / f"result-{name.replace(' ', '')}"
        argv = shlex.split(f"{name} {words}".replace("OUT", str(out)))
        done = subprocess.run(
            [sys.executable, "-m", "facegan.cli.main", *argv], capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)} failed: {done.stderr}")
        found[name] = pixels(out if out.is_dir() else out.with_suffix(".png"))
        print(f"{name}: {found[name][:16]}", file=sys.stderr, flush=True)
    return found


def save(corners: np.ndarray, size: int, rng: np.random.Generator, path: Path) -> None:
    """A smooth picture from ``5,5,3`` colours, with noise."""
    from PIL import Image

    at = np.linspace(0, 4, size)
    low = np.minimum(at.astype(int), 3)
    t = (at - low)[:, None, None]
    rows = corners[low] * (1 - t) + corners[low + 1] * t
    t = (at - low)[None, :, None]
    smooth = rows[:, low] * (1 - t) + rows[:, low + 1] * t
    noisy = smooth + rng.integers(-8, 9, smooth.shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    parser.add_argument("--only", default="", help="only recipes and commands whose names contain this text")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), args.only)
    if not args.check:
        args.file.write_text(json.dumps(found, indent=1))
        print(f"{len(found)} hashes -> {args.file}")
        return 0
    before = json.loads(args.file.read_text())
    expected = {name: value for name, value in before.items() if args.only in name or name in found}
    other = [name for name in expected if expected[name] != found.get(name)]
    print(
        f"{len(expected) - len(other)} of {len(expected)} hashes are the same"
        + "".join(f"\n  not: {n}" for n in other)
        + "".join(f"\n  new: {n}" for n in found if n not in before)
    )
    return int(bool(other))


if __name__ == "__main__":
    raise SystemExit(main())
