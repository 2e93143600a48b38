"""Adversarial losses and penalties: the table LOSSES in ``adversarial.py``, gradients in ``penalties.py``."""

from facegan.losses.adversarial import LOSSES, Loss, register_loss

__all__ = ["LOSSES", "Loss", "register_loss"]
