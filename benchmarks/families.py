"""What an update costs: a full-size recipe of each family of networks, and the narrow ones beside them.

Each recipe runs in a process of its own, on one thread, on random pictures, in the precision that it picks.
Its state is that of the end of a run: networks that grow are grown, schedules have come to rest, and what is
augmented adaptively is augmented at a strength of 0.3. Images a second count every kind of update in its
proportion: R1 and path length come every so many updates, and one with them is dearer. On a CPU these are
CPU seconds, on CUDA wall seconds. Recipes whose own batch would take many seconds an update get a smaller
one on a CPU: the column says so. Memory is the peak above what the process had before its networks (on CUDA
that of tensors); the last column is the share of an update without penalties that waits for data.

    python benchmarks/families.py [RECIPE ...] [--device cuda] [--seconds 6]

Prints a Markdown table and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from facegan.errors import FaceganError
from facegan.families import FAMILIES, get_family
from facegan.recipes.config import override, update_kinds
from facegan.recipes.table import recipe

# Largest batch on a CPU; 0 is the recipe's own.
ROWS = {
    "digits-vanilla-28": 0,
    "digits-dcgan-28": 0,
    "faces-dcgan-64": 0,
    "faces-fast-64": 0,
    "progan-64": 4,
    "progan-64-short": 0,
    "stylegan2-64": 8,
    "stylegan2-64-small": 0,
    "r3gan-64": 4,
    "r3gan-64-small": 0,
    "biggan-64": 4,
    "biggan-64-small": 0,
}


def measured(name: str, device: str, seconds: float) -> dict[str, float | str]:
    """The recipe's figures, found in this process."""
    import numpy as np
    import torch
    from side_by_side import clock
    from training import data_share

    from facegan.planning.dry_run import PeakMemory
    from facegan.training.initialization import create_state, with_precision
    from facegan.training.objective import train_step
    from facegan.training.sampler import ImageSampler
    from facegan.training.state import as_if_finished
    from facegan.training.train import pick_device

    torch.set_num_threads(1)
    place, config = pick_device(device), recipe(name)
    own = config.batch
    if place.type == "cpu" and ROWS.get(name):
        config = override(config, {"batch": min(ROWS[name], own)})
    config = with_precision(config, place)
    shape = (config.channels or 3, config.size, config.size)
    pictures = np.random.default_rng(0).integers(0, 256, (4 * own, *shape[1:], shape[0]), np.uint8)
    feed, spent = ImageSampler(pictures, config, place), {kind: [0.0, 0] for kind in update_kinds(config)}
    with PeakMemory(place) as memory:
        state = as_if_finished(create_state(config, shape, place))
        for kind in spent:
            state.updates = kind.update
            train_step(state, feed)
    while sum(s for s, _ in spent.values()) < seconds:  # in turns, so that noise meets all kinds alike
        for kind, so_far in spent.items():
            state.updates, begin = kind.update, clock(place)
            train_step(state, feed)
            so_far[0] += clock(place) - begin
            so_far[1] += 1
    each = sum(kind.share * s / n for kind, (s, n) in spent.items())
    again = 1 if each > 2 else 6  # of wide networks an update takes half a minute
    state.updates = max(spent, key=lambda kind: kind.share).update
    return {
        "family": config.family,
        "batch": config.batch,
        "own": own,
        "precision": config.precision,
        "augment": config.augment,
        "speed": config.batch * config.d_updates / each,
        "memory": (memory.peak or 0) / 2**20,
        "waits": data_share(state, feed, again),
        "updates": sum(n for _, n in spent.values()),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(place) if place.type == "cuda" else place.type,
    }


def in_a_process(name: str, args: argparse.Namespace) -> dict[str, float | str]:
    command = [sys.executable, __file__, "--child", name, "--device", args.device]
    command += ["--seconds", str(args.seconds)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        sys.exit(f"families: {name} could not be measured (see above)")
    return json.loads(done.stdout)


def row(name: str, found: dict[str, float | str]) -> str:
    batch = f"{found['batch']}" + ("" if found["batch"] == found["own"] else f" (recipe: {found['own']})")
    return (
        f"| {found['family']} | `{name}` | {batch} | {found['precision']} | {found['augment'] or 'none'} | "
        f"{found['speed']:.3g} | {found['memory']:,.0f} | {found['waits']:.2%} |"
    )


def table(names: list[str], args: argparse.Namespace) -> None:
    """Rows as they come: the wide ones take a minute each."""
    for i, name in enumerate(names):
        found = in_a_process(name, args)
        if i == 0:
            unit = "CPU second" if found["device"] == "cpu" else "second"
            print(f"On {found['device']}, one thread, torch {found['torch']}:\n")
            print(f"| family | recipe | batch | precision | augment | images a {unit} | peak MiB | waits |")
            print("|---" * 8 + "|")
        print(row(name, found), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"default: {', '.join(ROWS)}")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each recipe, at least")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    try:
        if args.child:
            print(json.dumps(measured(args.child, args.device, args.seconds)))
            return 0
        names = args.recipes or list(ROWS)
        known = {recipe(name).family for name in names}
        trained = {name for name in FAMILIES if get_family(name).trains}
        if not args.recipes and known != trained:
            sys.exit(f"families: no recipe of {', '.join(trained - known)} in ROWS: add one")
        table(names, args)
    except FaceganError as error:
        sys.exit(f"families: {error}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
