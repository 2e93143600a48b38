"""Adversarial attacks: the smallest change of a photo after which a classifier sees something else.

Success means the 8-bit picture, never the numbers before rounding: each step looks at a point of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facegan import images, rng
from facegan.errors import InputError
from facegan.files import photo_path
from facegan.pixels.attacks.methods import METHODS, Settings, first_step
from facegan.pixels.attacks.search import Plan, Search
from facegan.pixels.attacks.state import LEVELS, AttackState, Criterion
from facegan.pixels.attacks.transforms import parse_transforms
from facegan.pixels.classifiers import Classifier
from facegan.pixels.face_classes import Window, cut, face_window
from facegan.pixels.loop import StepStats, optimise
from facegan.sheets import show
from facegan.training.out_of_memory import is_out_of_memory

LOSSES = ("ce", "margin", "probability")
EPSILON = {"linf": 4 / 255, "l2": 5.0}  # the ball, in [0, 1], where none is given
ROUNDING = 1e-4  # of a probability: batches of other sizes round differently
_MOST = 1 << 26  # values of photos that are attacked together


@dataclass(frozen=True)
class AttackResult:
    """What became of one photo.

    image: uint8 ``H,W,3``, the photo's size. success: whether the classifier says what it should of
    ``image``, with the ``confidence`` asked for; ``probability``: of the target. linf, l2: of the difference,
    in [0, 1]. changed: the share of pixels that differ. before, after: the top five, (class, probability).
    curve: probabilities (of the target, of the source) before the first step and after each. signum: the
    signal that ended it, or 0. window: the face that a classifier of faces was shown (top, left, height,
    width); None is the whole photo.
    """

    name: str
    original: np.ndarray
    image: np.ndarray
    source: int
    target: int
    said: int
    success: bool
    probability: float
    before: list[tuple[int, float]]
    after: list[tuple[int, float]]
    linf: float
    l2: float
    changed: float
    steps: int
    curve: list[tuple[float, float]]
    signum: int = 0
    confidence: float = 0.0
    window: Window | None = None

    def __repr__(self) -> str:
        done = "succeeded" if self.success else "failed"
        size = f"Linf {self.linf * 255:.3g} levels"
        return f"<AttackResult {self.name}: {done} with {self.probability:.1%}, {size}>"

    def _repr_png_(self) -> bytes:
        """The photo beside the result."""
        return show(np.stack([self.original, self.image]), 2)._repr_png_()

    @property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """The parts of photo and result that the classifier was shown."""
        return cut(self.original, self.window), cut(self.image, self.window)


def attack(
    classifier: Classifier,
    photos: Sequence[str | Path | np.ndarray],
    target: str | int | Sequence[str | int] | None = None,
    *,
    method: str = "pgd",
    norm: str = "",
    epsilon: float | None = None,
    step: float | None = None,
    steps: int | None = None,
    momentum: float = 0.0,
    restarts: int = 1,
    loss: str = "",
    confidence: float = 0.0,
    robust: Sequence[str] = (),
    samples: int = 4,
    batch: int = 0,
    seed: int = 0,
    on_step: Callable[[StepStats], None] | None = None,
    on_result: Callable[[AttackResult], None] | None = None,
) -> list[AttackResult]:
    """Change ``photos`` until ``classifier`` sees ``target`` in each of them.

    photos: files, or uint8 ``H,W,3``; of any sizes.
    target: a class for all or one for each photo, by name or number; None is any other class.
    method: a row of METHODS. norm: linf or l2; "" is the method's first.
    epsilon: the largest change, in [0, 1]; None is 4/255, in l2 5. Minimum-norm methods need none.
    step: length of a step (the first one, where they shrink); None is the method's.
    steps, restarts: gradients from one start; starts, the first of them the photo.
    momentum: 0 to below 1 or more; 1 sums all gradients up.
    loss: ce, margin or probability; "" is the method's.
    confidence: how probable the target has to become; 0 is more than any other class.
    robust: transformations after which it should still work: ``resize``, ``jpeg``.
    samples: of the transformations, for each step.
    batch: photos at once; 0 is one for each thread, 16 on a GPU.
    on_step, on_result: see each step, and each photo's end.

    Ctrl-C ends it after the step that runs; results then have ``signum``, and photos not begun are left out.
    """
    plan = make_plan(
        method, norm, epsilon, step, steps, momentum, restarts, loss, tuple(robust), samples, seed
    )
    if not 0 <= confidence < 1:
        raise InputError(f"--confidence must be from 0 to below 1, not {confidence:g}")
    if batch < 0:
        raise InputError(f"--batch must be 0 or more, not {batch}")
    classes = _classes(classifier, target, len(photos))
    size = batch or (torch.get_num_threads() if classifier.device.type == "cpu" else 16)
    results: list[AttackResult] = []
    for group in _groups(photos, classes, size):
        try:
            ended = _attack_group(classifier, group, confidence, plan, on_step, len(results), len(photos))
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                values = sum(pixels.size for _, pixels, _ in group)
                raise InputError(
                    f"{group[0][0]}: {values / 3e6:.0f} megapixels do not fit into the memory of "
                    f"{classifier.device}; give smaller photos (--size), or fewer at once (--batch 1)"
                ) from None
            raise
        results += ended
        if on_result is not None:
            for one in ended:
                on_result(one)
        if results[-1].signum:
            break
    return results


_Group = list[tuple[str, np.ndarray, int]]  # name, photo, target


def _classes(classifier: Classifier, target: str | int | Sequence[str | int] | None, count: int) -> list[int]:
    """The class for each photo, -1 for any other than its own."""
    single = target is None or isinstance(target, str | int)
    targets = [target] * count if single else list(target)  # type: ignore[arg-type]
    if len(targets) != count:
        raise InputError(f"{len(targets)} targets for {count} photos")
    return [-1 if t is None else classifier.find_class(str(t)) for t in targets]


def _groups(photos: Sequence[str | Path | np.ndarray], classes: Sequence[int], size: int) -> Iterator[_Group]:
    """Photos that go together: at most ``size``, and no more values than fit well into memory."""
    group: _Group = []
    values = 0
    for photo, target in zip(photos, classes, strict=True):
        pixels, name = _pixels(photo)
        if group and (len(group) == size or values + pixels.size > _MOST):
            yield group
            group, values = [], 0
        group.append((name, pixels, target))
        values += pixels.size
    if group:
        yield group


def make_plan(
    method: str, norm: str, epsilon: float | None, step: float | None, steps: int | None, momentum: float,
    restarts: int, loss: str, robust: tuple[str, ...], samples: int, seed: int,
) -> Plan:  # fmt: skip
    """The settings in levels; InputError where one is out of range."""
    if method not in METHODS:
        raise InputError(f"--method {method}: there is no such method (there are: {', '.join(METHODS)})")
    row = METHODS[method]
    norm = norm or row.norms[0]
    if norm not in row.norms:
        raise InputError(f"--norm {norm}: {method} knows {' and '.join(row.norms)}")
    loss = loss or row.loss
    if loss not in LOSSES:
        raise InputError(f"--loss {loss}: choose {', '.join(LOSSES)}")
    epsilon = EPSILON[norm] if epsilon is None else epsilon
    if not LEVELS * epsilon >= 1 - 1e-6:
        raise InputError(f"--epsilon must be at least 1/255, the step between two pictures, not {epsilon:g}")
    if norm == "linf" and epsilon > 1:
        raise InputError(
            f"--epsilon {epsilon:g}: colours are from 0 to 1; write 4/255 for four of 255 levels"
        )
    step = first_step(method, norm, epsilon) if step is None else step
    steps = row.steps if steps is None else steps
    for name, value, least in (("steps", steps, 1), ("restarts", restarts, 1), ("samples", samples, 1)):
        if value < least:
            raise InputError(f"--{name} must be at least {least}, not {value}")
    if not 0 < step < float("inf"):
        raise InputError(f"--step must be above 0, not {step:g}")
    if not 0 <= momentum <= 1:
        raise InputError(f"--momentum must be from 0 to 1, not {momentum:g}")
    settings = Settings(norm, LEVELS * epsilon, LEVELS * step, steps, momentum)
    restarts = 1 if row.minimal or method == "fgsm" else restarts
    return Plan(row, settings, loss, restarts, parse_transforms(robust), samples, seed)


def _pixels(photo: str | Path | np.ndarray) -> tuple[np.ndarray, str]:
    if not isinstance(photo, np.ndarray):
        return images.read_image_file(photo), photo_path(photo).name
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise InputError("a photo as an array is uint8 H,W,3")
    return photo, "photo"


def _attack_group(
    classifier: Classifier, group: _Group, confidence: float, plan: Plan,
    on_step: Callable[[StepStats], None] | None, before: int, total: int,
) -> list[AttackResult]:  # fmt: skip
    """Photos that share their forward passes."""
    windows = [face_window(p) if classifier.faces else None for _, p, _ in group]
    bases = [_levels(cut(p, w), classifier.device) for (_, p, _), w in zip(group, windows, strict=True)]
    states = [
        AttackState(base, Criterion(target, confidence=confidence), before + i)
        for i, (base, (_, _, target)) in enumerate(zip(bases, group, strict=True))
    ]

    def tell(stats: StepStats) -> None:
        if on_step is not None:
            values = {**stats.values, "photos_done": before, "photos": total, "photos_now": len(states)}
            on_step(replace(stats, values=values))

    search = Search(classifier, states, plan)
    signum = 0
    if not search.done:
        signum = optimise(
            search.step, plan.settings.steps * plan.restarts, seed=plan.seed, on_step=tell,
            stop=lambda stats: search.done,
        ).signum  # fmt: skip
    return [
        result(classifier, name, pixels, state, signum, window)
        for (name, pixels, _), state, window in zip(group, states, windows, strict=True)
    ]


def _levels(pixels: np.ndarray, device: torch.device) -> Tensor:
    """``1,3,H,W`` of whole numbers from 0 to 255."""
    x = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device)
    return x.permute(2, 0, 1)[None].float().contiguous()


def result(
    classifier: Classifier,
    name: str,
    pixels: np.ndarray,
    state: AttackState,
    signum: int = 0,
    window: Window | None = None,
) -> AttackResult:
    """The 8-bit picture of a state's best, and what the classifier said of it when it was looked at."""
    criterion, before = state.criterion, classifier.top(state.first) if state.first is not None else []
    blank = AttackResult(
        name, pixels, pixels, criterion.source, criterion.target, criterion.source, False, 0.0, before, [],
        0.0, 0.0, 0.0, state.steps, state.curve, signum, criterion.confidence, window,
    )  # fmt: skip
    image = pixels.copy()
    cut(image, window)[:] = images.unit_to_uint8(state.at(state.best))[0]
    return verified(classifier, blank, image, state.last)


def verified(
    classifier: Classifier, result: AttackResult, image: np.ndarray, logits: Tensor | None = None
) -> AttackResult:
    """``result`` with ``image``, read from a file, say: all that can be said of it is found anew.

    ``logits`` are those of ``image``, where they are known: its levels, divided by 255, are the very numbers
    that the classifier has seen.
    """
    logits = _logits(classifier, cut(image, result.window)) if logits is None else logits.cpu()
    d = image.astype(np.int16) - result.original
    flat = d.ravel().astype(np.float32)
    criterion, said = Criterion(result.target, result.source), int(logits.argmax())
    probability = float(criterion.probability(logits))
    first = said == criterion.target if criterion.target >= 0 else said != criterion.source
    return replace(
        result, image=image, said=said, probability=probability,
        success=first and probability >= result.confidence - ROUNDING,
        after=classifier.top(logits), linf=max(int(d.max()), -int(d.min())) / LEVELS,
        l2=float(np.sqrt(flat @ flat)) / LEVELS,
        changed=float(((d[..., 0] | d[..., 1] | d[..., 2]) != 0).mean()),
    )  # fmt: skip


def survival(
    classifier: Classifier, result: AttackResult, robust: Sequence[str], seed: int = 0, draws: int = 20
) -> dict[str, float]:
    """The share of real transformations, drawn anew, after which the classifier still says what it should."""
    shares = {}
    for transform in parse_transforms(robust):
        kept = 0
        for i in range(draws):
            generator = torch.Generator().manual_seed(rng.torch_seed(seed, f"survival/{transform.name}", i))
            said = int(_logits(classifier, transform.real(result.seen[1], generator)).argmax())
            kept += said == result.target if result.target >= 0 else said != result.source
        shares[transform.name] = kept / draws
    return shares


def _logits(classifier: Classifier, pixels: np.ndarray) -> Tensor:
    with torch.no_grad():
        return classifier.logits(images.to_unit(pixels[None], classifier.device))[0].cpu()
