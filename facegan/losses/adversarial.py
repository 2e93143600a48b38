"""Adversarial losses on logits; a row of LOSSES is what ``--loss`` accepts.

``real`` and ``fake`` are logits of shape ``N``; every function returns a scalar. No torch is imported before
a loss is computed, so that settings can be checked without. To add a loss, add its row here and a closed form
in ``tests/test_losses.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facegan import arguments
from facegan.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """An adversarial loss: ``d_real`` + ``d_fake``, times ``d_scale``, and ``g``.

    ``g`` may see the real logits. A loss over pairs has ``d_pair`` instead of the two separate terms. Logits
    above ``boundary`` say real. Terms of the discriminator that are ``bounded`` by 0 are near it where it has
    won.
    """

    g: Callable[[Tensor, Tensor | None], Tensor]
    d_real: Callable[[Tensor], Tensor] | None = None
    d_fake: Callable[[Tensor], Tensor] | None = None
    d_pair: Callable[[Tensor, Tensor], Tensor] | None = None
    d_scale: float = 1.0
    boundary: float = 0.0
    bounded: bool = True

    @property
    def needs_real(self) -> bool:
        """Whether the generator's loss looks at real logits."""
        return self.d_pair is not None

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss on one batch of each."""
        if self.d_pair is not None:
            return self.d_pair(real, fake)
        assert self.d_real is not None and self.d_fake is not None
        return self.d_scale * (self.d_real(real) + self.d_fake(fake))


def _softplus(x: Tensor) -> Tensor:
    from torch.nn.functional import softplus

    return softplus(x).mean()


def _pair_g(fake: Tensor, real: Tensor | None) -> Tensor:
    assert real is not None
    return _softplus(real - fake)


LOSSES: dict[str, Loss] = {
    # Goodfellow et al. 2014, section 3, with the generator's alternative objective
    "nonsaturating": Loss(lambda f, _: _softplus(-f), lambda r: _softplus(-r), _softplus),
    # The same as binary cross entropy over one joint batch of real and fake, as Keras averages it
    "bce": Loss(lambda f, _: _softplus(-f), lambda r: _softplus(-r), _softplus, d_scale=0.5),
    # Lim and Ye 2017, equations 6 and 7
    "hinge": Loss(lambda f, _: -f.mean(), lambda r: (1 - r).relu().mean(), lambda f: (1 + f).relu().mean()),
    # Mao et al. 2017, equation 9 (a = 0, b = c = 1)
    "leastsquares": Loss(
        lambda f, _: 0.5 * (f - 1).square().mean(),
        lambda r: 0.5 * (r - 1).square().mean(),
        lambda f: 0.5 * f.square().mean(),
        boundary=0.5,
    ),
    # Arjovsky et al. 2017, equation 2; Gulrajani et al. 2017 add the penalty (gp_weight)
    "wgan": Loss(lambda f, _: -f.mean(), lambda r: -r.mean(), lambda f: f.mean(), bounded=False),
    # Jolicoeur-Martineau 2018; the pairing form of Huang et al. 2024, equation 2
    "relativistic": Loss(_pair_g, d_pair=lambda r, f: _softplus(f - r)),
}


def register_loss(name: str, loss: Loss) -> None:
    """Add an adversarial loss to those that training knows.

    Do this in each process that trains with it, also before a run goes on.

    >>> from facegan.losses import Loss
    >>> linear = Loss(lambda f, _: -f.mean(), lambda r: -r.mean(), lambda f: f.mean(), bounded=False)
    >>> facegan.register_loss("linear", linear)
    >>> facegan.train("faces64", out="my_run", loss="linear", r1_gamma=1.0)

    Args:
        name: What ``loss`` calls it: lower-case letters, digits and hyphens.
        loss: Its functions of logits ``N``, each of which returns a scalar.

    Raises:
        InputError: The name is taken or malformed, or the loss cannot be computed.
    """
    name = arguments.new_name(name, "loss", LOSSES)
    if not isinstance(loss, Loss):
        raise InputError(f"loss '{name}': give a facegan.losses.Loss, not {arguments.shown(loss)}")
    if loss.d_pair is None and (loss.d_real is None or loss.d_fake is None):
        raise InputError(f"loss '{name}': it needs d_real and d_fake, or d_pair")
    import torch

    real, fake = (torch.linspace(-1, 2, 4).mul(sign).requires_grad_() for sign in (1, -1))
    terms: dict[str, Callable[[], Tensor]] = {
        "g": lambda: loss.g(fake, real),
        "d": lambda: loss.d(real, fake),
    }
    for what, term in terms.items():
        try:
            value = term()
            value.backward()
        except Exception as error:
            raise InputError(f"loss '{name}': {what} fails on 4 logits ({error})") from None
        if value.ndim or not bool(value.isfinite()):
            raise InputError(
                f"loss '{name}': {what} must return a finite scalar, not {arguments.shown(value)}"
            )
    LOSSES[name] = loss
