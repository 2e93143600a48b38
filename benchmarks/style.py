"""Style transfer: CPU seconds for an iteration and memory at 512 px, beside a straightforward loop.

The straightforward loop is what tutorials write: the network cut behind the last wanted layer, losses
collected on the way, `mse_loss` of Gram matrices, `torch.optim.Adam` on the picture. Both have the same
layers, targets, picture; facegan has its moving average and total variation besides. Each runs in a process
of its own, and they take turns, so that noise hits all alike. Memory is the peak above what the process had
before its first iteration. The last row is facegan in tiles of 256 px.

Exit code 1 says that facegan took over 1.15 times the straightforward loop's CPU time, or more memory.

    python benchmarks/style.py [--model ../shared/models/mobilenet_v1.py:load] [--rounds 3] [--iterations 4]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from facegan.classifiers.classifier import Classifier
from facegan.pixels import StyleConfig, load_classifier
from facegan.pixels.optimizers import Adam
from facegan.pixels.style.gram import StyleObjective
from facegan.pixels.style.painter import with_suitable_layers

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pictures(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth random content and style."""
    made = []
    for seed in (0, 1):
        small = torch.rand(1, 3, size // 16, size // 16, generator=torch.Generator().manual_seed(seed))
        made.append(F.interpolate(small, (size, size), mode="bicubic").clamp(0, 1))
    return made[0], made[1]


def names(classifier: Classifier) -> tuple[dict[str, float], dict[str, float]]:
    settings = with_suitable_layers(classifier, StyleConfig())
    layers, content = (
        {classifier.find_layer(n): 1.0 for n in part} for part in (settings.layers, settings.content_layers)
    )
    return layers, content


def straightforward(classifier: Classifier, size: int) -> Callable[[], None]:
    content, style = pictures(size)
    layers, content_layers = names(classifier)
    wanted, network = {*layers, *content_layers}, classifier.module.features  # type: ignore[union-attr]
    last = max(int(name.split(".")[1]) for name in wanted)
    mean = torch.tensor(classifier.mean).view(1, 3, 1, 1)
    std = torch.tensor(classifier.std).view(1, 3, 1, 1)

    def features(x: torch.Tensor) -> dict[str, torch.Tensor]:
        found, h = {}, (x - mean) / std
        for i, layer in enumerate(network[: last + 1]):
            h = layer(h)
            if f"features.{i}" in wanted:
                found[f"features.{i}"] = h
        return found

    def gram(a: torch.Tensor) -> torch.Tensor:
        f = a.flatten(2)[0]
        return f @ f.T / f.shape[1]

    with torch.no_grad():
        targets = {n: gram(a) for n, a in features(style).items() if n in layers}
        kept = {n: a for n, a in features(content).items() if n in content_layers}
    x = content.clone().requires_grad_(True)
    adam = torch.optim.Adam([x], 0.02)

    def iteration() -> None:
        adam.zero_grad()
        found = features(x)
        loss = sum(F.mse_loss(gram(found[n]), targets[n]) for n in layers)
        loss = loss + sum(F.mse_loss(found[n], kept[n]) for n in content_layers)
        loss.backward()  # type: ignore[union-attr]
        adam.step()

    return iteration


def ours(classifier: Classifier, size: int, tile: int = 0) -> Callable[[], None]:
    content, style = pictures(size)
    layers, content_layers = names(classifier)
    objective = StyleObjective(
        classifier,
        layers,
        content_layers,
        content=content,
        tv_weight=1.0,
        tile=tile,
        margin=32 if tile else 0,
    )
    objective.add_style(style)
    x, average, adam = content.clone(), torch.zeros_like(content), Adam(0.02)

    def iteration() -> None:
        nonlocal x
        x, _ = adam.step(x, lambda p: objective.evaluate(p)[:2])
        average.lerp_(x, 0.05)

    return iteration


LOOPS: dict[str, Callable[[Classifier, int], Callable[[], None]]] = {
    "straightforward loop": straightforward,
    "facegan": ours,
    "facegan, --tile 256": lambda classifier, size: ours(classifier, size, 256),
}


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def child(loop: str, args: argparse.Namespace) -> None:
    """One process: CPU seconds of its iterations, the peak above its start."""
    torch.set_num_threads(1)
    seed = 0 if args.random_weights else None
    classifier = load_classifier(args.model, weights=args.weights, random_weights_seed=seed)
    iteration = LOOPS[loop](classifier, args.size)
    before = resident()
    iteration()
    begin = time.process_time()
    for _ in range(args.iterations):
        iteration()
    seconds = (time.process_time() - begin) / args.iterations
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([seconds, max(0, peak - before)]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=f"{SHARED}/models/mobilenet_v1.py:load")
    parser.add_argument("--weights", default="")
    parser.add_argument("--random-weights", action="store_true")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.model.startswith(str(SHARED)) and not SHARED.is_dir():
        print("not measured: this needs ../shared, or another --model")
        return 0
    if args.child:
        child(args.child, args)
        return 0
    best: dict[str, list[float]] = {}
    for _ in range(args.rounds):
        for loop in LOOPS:
            command = [sys.executable, __file__, *sys.argv[1:], "--child", loop]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(done.stderr[-2000:], file=sys.stderr)
                return 2
            seconds, memory = json.loads(done.stdout)
            known = best.setdefault(loop, [seconds, memory])
            best[loop] = [min(known[0], seconds), min(known[1], memory)]
    base_s, base_m = best["straightforward loop"]
    print(f"{args.model}, {args.size} px, one thread, torch {torch.__version__}; the best of {args.rounds}")
    print(f"{'loop':<24} {'CPU s / iteration':>18} {'ratio':>6} {'peak MiB':>9} {'ratio':>6}")
    for loop, (seconds, memory) in best.items():
        mib = memory / 2**20
        print(f"{loop:<24} {seconds:18.3f} {seconds / base_s:6.2f} {mib:9.0f} {memory / base_m:6.2f}")
    return int(best["facegan"][0] > 1.15 * base_s or best["facegan"][1] > 1.05 * base_m)


if __name__ == "__main__":
    raise SystemExit(main())
