"""Adversarial attacks beside torchattacks and foolbox: success, size of the change, CPU time, in one run.

The pairs of photo and target class are those of ``attack_pairs.txt``. Whether an attack has worked is always
checked in the same way: the result is rounded to 8 bits, written as PNG, read again and classified. All
attack the same function of photos at their own size, one pair at a time, on one thread.

- Largest change 4/255: the peers' PGD with the step that facegan takes, and the fewest steps with which they
  reach facegan's success (they know no early stop, so the hardest pair decides); and their defaults.
- Smallest L2 change, on some pairs, so many steps for each: what the peers find vanishes when it is rounded;
  so it is enlarged by the smallest factor with which the PNG works, and that is compared where there is one.

The classifier and the photos are research data beside the checkout. The peers are no dependency:

    pip install --target PEERS --no-deps torchattacks foolbox eagerpy GitPython gitdb smmap requests \\
        urllib3 idna certifi charset-normalizer
    PYTHONPATH=PEERS python benchmarks/attack.py [--pairs 100] [--minimal-pairs 12]

Exit code 1 says that facegan missed a pair, or that a peer at equal success had a smaller change or took less
CPU time. ``--write-pairs`` draws the list anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facegan import images, rng
from facegan.pixels import Classifier, attack, load_classifier

HERE = Path(__file__).resolve().parent
LIST = HERE / "attack_pairs.txt"
SHARED = HERE.parents[1] / "shared"
PHOTOS = ("cat.jpg", "group.jpg", "officer.jpg", "portrait.jpg")
EPSILON, STEP = 4 / 255, 1 / 255
MISSING = (
    "torchattacks and foolbox are not installed: facegan alone (the head of this file says how to get them)"
)

Pair = tuple[str, int]
Attack = Callable[[torch.Tensor, int], torch.Tensor]


def drawn_pairs(each: int = 25, seed: int = 0) -> list[Pair]:
    """``each`` different classes for each photo, in turns, so that the first N cover all photos."""
    drawn = {photo: rng.permutation(seed, f"attack/{photo}", 0, n=1000)[:each] for photo in PHOTOS}
    return [(photo, int(drawn[photo][i])) for i in range(each) for photo in PHOTOS]


def listed_pairs() -> list[Pair]:
    rows = [line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return [(photo, int(target)) for photo, target, *_ in rows]


@dataclass
class Result:
    """Of one attack: for each pair, whether the PNG works, its changes (of 1), CPU seconds."""

    name: str
    success: list[bool]
    linf: list[float]
    l2: list[float]
    seconds: list[float]
    note: str = ""

    def row(self) -> str:
        return (
            f"{self.name:<42} {np.mean(self.success):>7.0%} {255 * np.mean(self.linf):>9.2f} "
            f"{np.mean(self.l2):>8.3f} {np.mean(self.seconds):>9.3f}  {self.note}"
        )


HEAD = f"{'attack':<42} {'success':>7} {'linf*255':>9} {'L2':>8} {'CPU s':>9}"


class Judge:
    """Photos in memory, and the one check that all attacks pass through."""

    def __init__(self, classifier: Classifier, folder: Path) -> None:
        self.classifier, self.file = classifier, folder / "attacked.png"
        self.pixels = {p: images.read_image_file(SHARED / "data" / "photos" / p) for p in PHOTOS}
        self.units = {p: images.to_unit(x[None]) for p, x in self.pixels.items()}

    def check(self, photo: str, target: int, image: np.ndarray) -> tuple[bool, float, float]:
        images.save_png(self.file, image)
        again = images.read_image_file(self.file)
        difference = (again.astype(np.float64) - self.pixels[photo]) / 255
        return self.is_class(images.to_unit(again[None]), target), np.abs(difference).max(), norm(difference)

    def is_class(self, x: torch.Tensor, target: int) -> bool:
        with torch.no_grad():
            return int(self.classifier.logits(x).argmax()) == target

    def run(self, name: str, pairs: Sequence[Pair], attack: Attack, scaled: bool = False) -> Result:
        result, floats, kept = Result(name, [], [], [], []), [], 0
        for photo, target in pairs:
            x = self.units[photo]
            begin = time.process_time()
            adversarial = attack(x, target)
            result.seconds.append(time.process_time() - begin)
            rounded = images.unit_to_uint8(adversarial)[0]
            success, linf, l2 = self.check(photo, target, rounded)
            if scaled:
                floats.append(norm((adversarial - x).numpy()))
                kept += success
                success, linf, l2 = self.check(photo, target, self.enlarged(x, adversarial, target))
            result.success.append(success)
            result.linf.append(linf)
            result.l2.append(l2)
        if scaled:
            result.note = f"L2 {np.mean(floats):.3f} before rounding; {kept} of {len(pairs)} survive it"
        return result

    def enlarged(self, x: torch.Tensor, adversarial: torch.Tensor, target: int) -> np.ndarray:
        """The change times the smallest factor (to 2%, from 1 to 64) with which the rounded picture works."""

        def at(factor: float) -> np.ndarray:
            return images.unit_to_uint8(x + factor * (adversarial - x))[0]

        def works(factor: float) -> bool:
            return self.is_class(images.to_unit(at(factor)[None]), target)

        high = next((1.25**k for k in range(20) if works(1.25**k)), 0.0)
        if high <= 1:
            return at(1.0)
        low = high / 1.25
        while high / low > 1.02:
            middle = (low * high) ** 0.5
            low, high = (low, middle) if works(middle) else (middle, high)
        return at(high)


def norm(difference: np.ndarray) -> float:
    return float(np.sqrt((np.asarray(difference, np.float64) ** 2).sum()))


def ours(judge: Judge, name: str, pairs: Sequence[Pair], **options: object) -> tuple[Result, int]:
    """facegan's attack, from the array of the photo to the checked picture; and the most steps of a pair."""
    result, most = Result(name, [], [], [], []), 0
    for photo, target in pairs:
        begin = time.process_time()
        (found,) = attack(judge.classifier, [judge.pixels[photo]], target, **options)  # type: ignore[arg-type]
        result.seconds.append(time.process_time() - begin)
        most = max(most, found.steps)
        success, linf, l2 = judge.check(photo, target, found.image)
        result.success.append(success)
        result.linf.append(linf)
        result.l2.append(l2)
    result.note = f"at most {most} steps"
    return result, most


class Whole(torch.nn.Module):
    """The classifier as the peers want it: photos in [0, 1] to logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier, self.module = classifier, classifier.module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier.logits(x)


def peers() -> tuple[types.ModuleType, types.ModuleType] | None:
    try:
        import foolbox
        import torchattacks
    except ImportError as error:
        print(f"{MISSING}\n({error})", file=sys.stderr)
        return None
    return torchattacks, foolbox


def torchattacks_one(module: types.ModuleType, model: Whole, kind: str, **options: object) -> Attack:
    made = getattr(module, kind)(model, **options)
    made.set_mode_targeted_by_label(quiet=True)

    def run(x: torch.Tensor, target: int) -> torch.Tensor:
        return made(x, torch.tensor([target]))

    return run


def foolbox_one(
    module: types.ModuleType, model: Whole, kind: str, epsilon: float | None, **options: object
) -> Attack:
    made, wrapped = getattr(module.attacks, kind)(**options), module.PyTorchModel(model, bounds=(0, 1))

    def run(x: torch.Tensor, target: int) -> torch.Tensor:
        criterion = module.criteria.TargetedMisclassification(torch.tensor([target]))
        # run, not __call__, which classifies the result once more
        more = {} if epsilon is None else {"epsilon": epsilon}
        return made.run(wrapped, x, criterion, **more)

    return run


def largest_change(judge: Judge, model: Whole, found: tuple | None, pairs: Sequence[Pair]) -> bool:
    """The first table; whether facegan reached all and no peer was better."""
    print(f"largest change {EPSILON * 255:.0f}/255, {len(pairs)} pairs\n{HEAD}", flush=True)
    mine, most = ours(judge, "facegan pgd", pairs, epsilon=EPSILON, step=STEP)
    print(mine.row(), flush=True)
    good = all(mine.success)
    if found is None:
        return good
    ta, fb = found

    def ta_pgd(steps: int) -> Attack:
        return torchattacks_one(ta, model, "PGD", eps=EPSILON, alpha=STEP, steps=steps, random_start=False)

    def fb_pgd(steps: int) -> Attack:
        options = {"abs_stepsize": STEP, "steps": steps, "random_start": False}
        return foolbox_one(fb, model, "LinfPGD", EPSILON, **options)

    for name, make in (("torchattacks PGD", ta_pgd), ("foolbox LinfPGD", fb_pgd)):
        for steps in range(max(1, most - 1), most + 6):
            theirs = judge.run(f"{name}, step 1/255, {steps} steps", pairs, make(steps))
            print(theirs.row(), flush=True)
            if np.mean(theirs.success) >= np.mean(mine.success):
                good &= np.mean(mine.seconds) <= np.mean(theirs.seconds)
                good &= np.mean(mine.linf) <= np.mean(theirs.linf) and np.mean(mine.l2) <= np.mean(theirs.l2)
                share = np.mean(mine.seconds) / np.mean(theirs.seconds)
                print(f"{'':<42} facegan takes {share:.2f} of its time")
                break
    some = pairs[: max(4, len(pairs) // 5)]
    rest = {
        "torchattacks PGD, defaults": torchattacks_one(ta, model, "PGD", eps=EPSILON),
        "foolbox LinfPGD, defaults": foolbox_one(fb, model, "LinfPGD", EPSILON),
    }
    for name, one in rest.items():
        theirs = judge.run(f"{name}, {len(some)} pairs", some, one)
        print(theirs.row(), flush=True)
    return bool(good)


def smallest_change(
    judge: Judge, model: Whole, found: tuple | None, pairs: Sequence[Pair], steps: int
) -> bool:
    """The second table."""
    print(f"\nsmallest L2 change, {len(pairs)} pairs, {steps} steps\n{HEAD}", flush=True)
    mine = {}
    for method in ("ddn", "fmn"):
        mine[method], _ = ours(judge, f"facegan {method}", pairs, method=method, norm="l2", steps=steps)
        print(mine[method].row(), flush=True)
    good = all(all(r.success) for r in mine.values())
    if found is None:
        return good
    ta, fb = found
    theirs = {
        "foolbox DDN": ("ddn", foolbox_one(fb, model, "DDNAttack", None, steps=steps)),
        "foolbox L2FMN": ("fmn", foolbox_one(fb, model, "L2FMNAttack", None, steps=steps)),
        "torchattacks CW": ("fmn", torchattacks_one(ta, model, "CW", c=1, steps=steps)),
    }
    for name, (method, one) in theirs.items():
        result = judge.run(f"{name}, enlarged", pairs, one, scaled=True)
        print(result.row(), flush=True)
        both = np.array(result.success) & np.array(mine[method].success)
        good &= np.mean(mine[method].seconds) <= np.mean(result.seconds)
        if both.any():
            l2, other = (float(np.mean(np.array(r.l2)[both])) for r in (mine[method], result))
            good &= l2 <= other
            print(
                f"{'':<42} of the {both.sum()} that both reach: L2 {l2:.3f} against {other:.3f}", flush=True
            )
    return bool(good)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--minimal-pairs", type=int, default=12)
    parser.add_argument("--minimal-steps", type=int, default=40)
    parser.add_argument("--write-pairs", action="store_true")
    args = parser.parse_args()
    source = SHARED / "models" / "mobilenet_v1.py"
    if not source.is_file():
        print(f"{source} is missing: nothing to attack", file=sys.stderr)
        return 0
    classifier = load_classifier(f"{source}:load")
    if args.write_pairs:
        rows = [f"{photo} {target}  # {classifier.short_label(target)}" for photo, target in drawn_pairs()]
        head = "# photo, target class (of 1,000, ImageNet's order); drawn by drawn_pairs() in attack.py\n"
        LIST.write_text(head + "\n".join(rows) + "\n")
        return 0
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    pairs, found = listed_pairs(), peers()
    print(f"{classifier.name}, torch {torch.__version__}, one thread")
    with tempfile.TemporaryDirectory() as folder:
        judge, model = Judge(classifier, Path(folder)), Whole(classifier).eval()
        good = not args.pairs or largest_change(judge, model, found, pairs[: args.pairs])
        if args.minimal_pairs:
            good &= smallest_change(judge, model, found, pairs[: args.minimal_pairs], args.minimal_steps)
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main())
