"""Classifiers: their classes, and what they see in a photo."""

from __future__ import annotations

import functools

import torch

from facegan import figures, images
from facegan.classifiers.classifier import Classifier
from facegan.classifiers.face_classes import cut, face_window
from facegan.classifiers.loading import load_classifier
from facegan.files import photo_path
from facegan.studio.tasks import Given, Result


def classifier_classes(arguments: Given, content: bytes) -> Result:
    """Return the names of all classes of the classifier named ``model``."""
    found = _classifier(arguments["model"])
    return {"classes": [found.short_label(i) for i in range(len(found.labels))]}, b""


def classifier_look(arguments: Given, content: bytes) -> Result:
    """Return what it sees in the photo at ``path``: the five most probable classes, and where it looked.

    ``path`` is the server's own, or a sample. ``window`` is left, top, width and height in shares of the
    photo; null is all of it.
    """
    classifier = _classifier(arguments["model"])
    photo = figures.colour(images.read_image_file(photo_path(arguments["path"])))
    window = face_window(photo) if classifier.faces else None
    with torch.inference_mode():
        logits = classifier.logits(images.to_unit(cut(photo, window)[None], classifier.device))[0].cpu()
    rows = [
        {"class": index, "name": classifier.short_label(index), "probability": p}
        for index, p in classifier.top(logits)
    ]
    height, width = photo.shape[:2]
    shares = None
    if window is not None:
        top, left, high, wide = window
        shares = [left / width, top / height, wide / width, high / height]
    return {"rows": rows, "window": shares, "faces": classifier.faces}, b""


@functools.lru_cache(maxsize=2)
def _classifier(name: str) -> Classifier:
    return load_classifier(name)
