"""Adversarial losses and penalties: the table LOSSES in ``adversarial.py``, gradients in ``penalties.py``."""
