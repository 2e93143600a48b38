"""Adversarial attacks on classifiers."""
