"""Faces a second of `facegan translate`, for a data set of ready crops at 64 px, beside the bare network.

Both sides translate the same pictures with the network of `pix2pix-64` and untrained weights, in turns: the
command's function, from Parquet shards to an .npz, and the bare network, on 64 pictures at a time in memory.
The kinds of input are none (the pictures are inputs already) and line drawings, the slowest to derive.

Exit code 1 says that it makes fewer than 100 faces a second, already on one core, or needs over 1.6 times the
CPU time of the bare network where nothing is derived.

    python benchmarks/translate.py [--count 1000] [--rounds 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import facegan
from facegan.bars import silence
from facegan.data.dataset import Dataset
from facegan.demo.portraits import write_portraits
from facegan.images import to_float, to_uint8
from facegan.translator import Translator, build_networks, describe_translator

WANTED, MOST, BATCH = 100.0, 1.6, 64


def untrained(recipe: str, kind: str) -> Translator:
    """A translator of a recipe with random weights, for one kind of input."""
    settings = facegan.recipe(recipe)
    meta = describe_translator(settings.family, settings.model, image_shape=(3, 64, 64), input=kind)
    torch.manual_seed(0)
    return Translator(build_networks(meta), meta)


def bare(model: Translator, pictures: np.ndarray) -> None:
    """The network alone, on batches that are in memory."""
    with torch.inference_mode():
        for i in range(0, len(pictures), BATCH):
            to_uint8(model(to_float(pictures[i : i + BATCH])))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", default="pix2pix-64")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder, silence():
        at = Path(folder)
        write_portraits(at / "photos", options.count, 0, size=64)
        data: Dataset = facegan.prepare(
            at / "photos", at / "ds", crop="none", size=64, workers=options.threads
        )
        pictures = np.array(data.images("train"))
        models = {kind: untrained(options.recipe, kind) for kind in ("", "edges")}

        def command(kind: str) -> Callable[[], object]:
            return lambda: facegan.translate(models[kind], data, out=at / "a.npz", say=lambda line: None)

        sides = {
            "the bare network": lambda: bare(models[""], pictures),
            "facegan translate": command(""),
            "facegan translate, of drawings": command("edges"),
        }
        best = dict.fromkeys(sides, (np.inf, np.inf))
        for _ in range(options.rounds):
            for name, work in sides.items():
                best[name] = tuple(map(min, best[name], timed(work)))
    print(
        f"{len(pictures)} pictures, {options.recipe}, {options.threads} thread(s), best of {options.rounds}"
    )
    for name, (wall, cpu) in best.items():
        rate = len(pictures) / wall
        print(f"{name:<32} {rate:7.0f} faces/s  {1000 * cpu / len(pictures):6.2f} CPU ms a face")
    slow = len(pictures) / max(best[name][0] for name in sides) < WANTED
    ratio = best["facegan translate"][1] / best["the bare network"][1]
    print(f"facegan translate takes {ratio:.2f} times the CPU time of the bare network (at most {MOST})")
    return int(slow or ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
