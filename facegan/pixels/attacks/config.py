"""Settings of attacks, and each method's defaults. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facegan.arguments import parse_number
from facegan.errors import InputError
from facegan.settings import setting

LEVELS = 255  # steps of the grid of 8-bit pictures between black and white
EPSILON = {"linf": 4 / 255, "l2": 5.0}  # the default radius, of pictures in [0, 1]
LOSSES = ("ce", "margin", "probability")
TRANSFORM_NAMES = ("resize", "jpeg")


@dataclass(frozen=True)
class MethodDefaults:
    """What a method knows and takes by default.

    Attributes:
        norms: The norms that it knows; the first is the default.
        minimal: Whether it looks for the smallest norm, and goes on after the first success.
        first_step: The first step as a share of epsilon; of minimal methods and ``gradient``, in the units of
            ``--step``.
    """

    norms: tuple[str, ...]
    loss: str
    steps: int = 40
    minimal: bool = False
    first_step: float = 0.25


METHODS = {
    "pgd": MethodDefaults(("linf", "l2"), "ce"),
    "fgsm": MethodDefaults(("linf", "l2"), "ce", steps=1, first_step=1.0),
    "gradient": MethodDefaults(("linf", "l2"), "probability", steps=1000, first_step=0.025),
    "ddn": MethodDefaults(("l2",), "ce", steps=100, minimal=True, first_step=1.0),
    "fmn": MethodDefaults(("l2", "linf"), "margin", steps=100, minimal=True, first_step=1.0),
}


@dataclass(frozen=True)
class AttackConfig:
    """Settings of an attack; the command's flags are these fields."""

    method: str = setting("pgd", choices=METHODS)
    """pgd, fgsm (one step), gradient (the tutorial's); ddn and fmn look for the smallest change."""
    norm: str = setting("", choices=("", *EPSILON))
    """how changes are measured: linf (the largest one) or l2; '' is the method's."""
    epsilon: float | str = ""
    """the largest change allowed, of 1: 4/255, 0.02; '' is 4/255, in l2 5. Not for ddn and fmn."""
    step: float | str = ""
    """length of a step, of 1; '' is a quarter of epsilon, for other methods their own."""
    steps: int = setting(0, minimum=0)
    """the most steps; 0 is the method's: 40, fgsm 1, gradient 1000, ddn and fmn 100."""
    momentum: float = setting(0.0, minimum=0, maximum=1)
    """how much of the earlier gradients is kept: 1 adds all of them up."""
    restarts: int = setting(1, minimum=1)
    """starts, the first at the photo, others at random within epsilon."""
    loss: str = setting("", choices=("", *LOSSES))
    """the loss to lower: ce, margin (of logits) or probability; '' is the method's."""
    confidence: float = 0.0
    """continue until the target reaches this probability; 0 stops once it ranks first."""
    robust: tuple[str, ...] = setting((), choices=TRANSFORM_NAMES)
    """what the result should survive: resize, jpeg, or both."""
    samples: int = setting(4, minimum=1)
    """draws of these changes in each step."""
    size: int = setting(0, minimum=0)
    """resize photos to size x size px first (nearest pixel, as the tutorial does); 0 leaves them."""
    crop: bool = False
    """the classifier sees the centre, as in its training, instead of the whole photo."""
    batch: int = setting(0, minimum=0)
    """photos attacked at once; 0 is one per thread, on a GPU 16."""
    seed: int = 0
    """fixes random starts and changes."""

    def resolved(self) -> AttackConfig:
        """Return the settings with the method's own values where these leave it the choice.

        Raises:
            InputError: A setting is out of its bounds, or does not go with the method.
        """
        if not 0 <= self.confidence < 1:
            raise InputError(f"--confidence must be from 0 to below 1, not {self.confidence:g}")
        method = METHODS[self.method]
        norm = self.norm or method.norms[0]
        if norm not in method.norms:
            raise InputError(f"--norm {norm}: {self.method} knows {' and '.join(method.norms)}")
        epsilon = EPSILON[norm] if self.epsilon == "" else parse_number("--epsilon", self.epsilon)
        if not LEVELS * epsilon >= 1 - 1e-6:
            raise InputError(
                f"--epsilon must be at least 1/255, the step between two levels, not {epsilon:g}"
            )
        if norm == "linf" and epsilon > 1:
            raise InputError(f"--epsilon {epsilon:g}: the range is 0 to 1; write 4/255 for 4 of 255 levels")
        step = self._first_step(norm, epsilon) if self.step == "" else parse_number("--step", self.step)
        if not 0 < step < float("inf"):
            raise InputError(f"--step must be above 0, not {step:g}")
        return replace(
            self,
            norm=norm,
            epsilon=epsilon,
            step=step,
            steps=self.steps or method.steps,
            loss=self.loss or method.loss,
            restarts=1 if method.minimal or self.method == "fgsm" else self.restarts,
        )

    def _first_step(self, norm: str, epsilon: float) -> float:
        """Return the method's own ``step``, for pictures in [0, 1]."""
        method = METHODS[self.method]
        if self.method == "gradient" or (method.minimal and norm == "l2"):
            return method.first_step
        return method.first_step * (1 / LEVELS if method.minimal else epsilon)

    @property
    def minimal_norm(self) -> str:
        """The norm in which the method looks for the smallest change; "" if the first success ends it."""
        return self.norm if METHODS[self.method].minimal else ""


# The tutorial's settings, in units of pictures in [0, 1]: half of those in [-1, 1], where it works.
ATTACKS: dict[str, AttackConfig] = {
    "default": AttackConfig(),
    "tutorial": AttackConfig(
        method="gradient", norm="linf", epsilon=0.005, step=0.025, steps=10_000, confidence=0.8, size=299
    ),
}
