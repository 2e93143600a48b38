"""What is killed: commands with small inputs, each of which ends with the same files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TINY = {
    "kimg": 0.024, "batch": 4, "grid_count": 2, "quality_count": 0, "checkpoint_kimg": 0.008,
    "grid_kimg": 0.008, "precision": "float32", "size": 32,
}  # fmt: skip


def both(**settings: Any) -> dict[str, Any]:
    """Settings of both networks by name."""
    return {f"{side}.{k}": v for side in ("generator", "discriminator") for k, v in settings.items()}


MEASURED = {"metric_features": "pixels", "metric_count": 10, "metric_kimg": 0.004}
RECIPES: dict[str, dict[str, Any]] = {
    "faces-tiny-32": {**both(width=0.125), "metric": "kid", **MEASURED},
    "digits-vanilla-28-plus": {**both(width=0.1), "channels": 0, "warmup_kimg": 0.008},
    "faces-fast-64": {
        **both(widths=(16, 8, 8)), "generator.blocks": (0, 0, 1), "discriminator.blocks": (1, 0),
        "discriminator.projected_width": 8,
    },
    "progan-64-short": {
        **both(channel_base=128, channel_max=16), "generator.stage_kimg": 0.004, "generator.fade_kimg": 0.004,
        "latent.dim": 16,
    },
    "stylegan2-32": {
        **both(channel_base=128, channel_max=16), "generator.w_dim": 16, "latent.dim": 16, "augment_p": 0.5,
        "augment_kimg": 0.1,
    },
    "r3gan-32": {**both(widths=(8, 8, 8, 8), group_size=1, blocks=(1,)), "augment_p": 0.5},
    "digits-biggan-32": {
        **both(width=2, attention=16), "channels": 0, "generator.shared_dim": 8, "latent.dim": 40,
        "condition": (),
    },
    "pix2pix-64": {**both(widths=(8, 16)), "input": "grey", "discriminator.projected_width": 8, "metric": ""},
    "cyclegan-64": {
        **both(widths=(8, 16)), "to": "data2", "discriminator.projected_width": 8, "translation.pool": 3,
        "metric": "",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A command that is killed: ``run`` does it in the current folder, where copies of ``needs`` lie."""

    run: Callable[[], object]
    needs: tuple[str, ...] = ("data",)
    processes: int = 1


def cli(line: str) -> Callable[[], object]:
    """Return what runs a command of facegan."""

    def run() -> object:
        from facegan.cli.main import main

        return main(line.split())

    return run


def training(recipe: str) -> Callable[[], object]:
    """Return what trains a recipe narrowly in the folder ``run``; a second call goes on."""

    def run() -> object:
        import facegan

        facegan.train("data", recipe, "run", device="cpu", threads=1, **{**TINY, **RECIPES[recipe]})
        return 0

    return run


SMALL = "--kimg 0.024 --batch 4 --grid-count 2 --quality-count 0 --checkpoint-kimg 0.008 --grid-kimg 0.008"
SWEEP = f"{SMALL} --generator.width 0.125 --discriminator.width 0.125 --precision float32 --no-tensorboard"
INVERT = "--no-align --loss mse --steps 3 --restarts 2 --encoder none --paths none --tune --tune-steps 3"
COMMANDS = {
    "train --sweep": (
        f"train data --recipe faces-tiny-32 --sweep seed=0,1 --sweep-kimg 0.016 --out sweep {SWEEP}", "data"),
    "average": ("average run --metric kid --count 10 --widths 0.1,0.2", "data run"),
    "pack": ("pack run --out packed.safetensors", "run"),
    "prepare": ("prepare photos --out new --crop none --size 32 --workers 1 --split val=0.2", "photos"),
    "prepare, 2 workers": ("prepare photos --out new --crop none --size 32 --workers 2", "photos"),
    "select": ("select data smiling --out new", "data"),
    "select, into a folder": ("select data smiling --out empty", "data empty"),
    "label": ("label data --out new --overwrite", "data"),
    "label photos": ("label photos --out new.csv --no-align --workers 1", "photos"),
    "export .npz": ("export run --out model.npz", "run"),
    "export data": ("export data --out data.zip --labels Smiling", "data"),
    "invert": (f"invert run photos/000001.png photos/000002.png --out found {INVERT}", "photos run"),
    "train-encoder": ("train-encoder run data --kimg 0.128 --batch 16 --width 8 --loss mse=1", "data run"),
    "generate": ("generate run --count 6 --out faces.png --latents z.npz", "run"),
    "pairs": ("pairs eyeglasses=+2.5 --count 2 --out new --split test=0.5", ""),
}  # fmt: skip
"""Name -> a command of facegan, and the inputs that it needs."""
TARGETS: dict[str, Target] = {
    **{
        f"train {name}": Target(training(name), ("data", "data2") if "to" in row else ("data",))
        for name, row in RECIPES.items()
    },
    "train faces-tiny-32, 2 processes": Target(training("faces-tiny-32"), processes=2),
    **{name: Target(cli(line), tuple(needs.split())) for name, (line, needs) in COMMANDS.items()},
}

BY_NAME = (
    "*/report.html", "*/environment.json", "*/checkpoints/*/state.json", "*.lock",
    "*/tensorboard/*", "*/compare.html",
)  # fmt: skip
"""Files with times: only their names are compared."""
HISTORY = ("events.jsonl",)
"""Files that say that a run was resumed: they are not compared."""
TIMES = ("seconds", "images_per_second")


def prepare_inputs(folder: Path) -> Path:
    """Make the inputs of all targets, once."""
    import facegan
    from facegan.demo.portraits import write_portraits

    if (folder / "complete").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "empty").mkdir()
    table = write_portraits(folder / "photos", 70, 0, size=32)
    table = shutil.move(table, folder / "attributes.csv")
    for name, photos in {"data": "photos", "data2": "others"}.items():
        if photos == "others":
            write_portraits(folder / photos, 24, 100, size=32)
        facegan.prepare(
            folder / photos, folder / name, crop="none", size=32, workers=1, limit=24,
            attributes=table if name == "data" else "", split="val=0.2",
        )  # fmt: skip
        shutil.rmtree(folder / name / ".cache", ignore_errors=True)
    before = os.getcwd()
    os.chdir(folder)
    try:
        training("faces-tiny-32")()
    finally:
        os.chdir(before)
    shutil.rmtree(folder / "data" / ".cache", ignore_errors=True)
    (folder / "complete").touch()
    return folder
