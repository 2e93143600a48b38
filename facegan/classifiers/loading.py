"""Load classifiers by name: the bundled network, torchvision's, exported programs, or a function's result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from facegan.classifiers.classifier import Classifier
from facegan.classifiers.efficientnet import NAME, from_efficientnet
from facegan.classifiers.face_classes import from_attributes
from facegan.classifiers.sources import Loaded, from_program, from_python, from_torchvision, read_labels
from facegan.devices import check_device
from facegan.errors import InputError

# ending of a spec -> how to load it; anything else is a name of ImageNet's networks
_SOURCES: dict[str, Callable[[str], Loaded]] = {
    ".pt2": from_program,
    ".py": from_python,
    ".safetensors": from_attributes,
}


def load_classifier(
    spec: str,
    *,
    labels: str = "",
    weights: str = "",
    input_size: int = 0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    crop: bool = False,
    device: str = "cpu",
    random_weights_seed: int | None = None,
) -> Classifier:
    """Load the classifier that ``spec`` names.

    Args:
        spec: ``faces`` (the bundled attribute network; ``faces:bald,smiling`` chooses attributes, and so does
            a ``.safetensors`` file of train-attributes), ``efficientnet_lite0``, a name of torchvision's
            (``vgg19``), an exported program (``FILE.pt2``), or ``FILE.py:FUNCTION``, where the function is
            called without arguments and returns the network.
        labels: A file with one name a line, or JSON; "" takes the network's own.
        weights: A file for ImageNet's networks; "" takes their package's, or looks into torch's cache and
            downloads missing ones.
        input_size: Side in px of the pictures, instead of the network's own.
        mean: Of each colour, instead of the network's own; so is ``std``.
        std: The standard deviation of each colour.
        crop: Look at the centre only, as torchvision does, instead of the whole photo.
        device: Where it runs.
        random_weights_seed: Random weights instead of trained ones, for tests.

    Raises:
        InputError: There is no such classifier, or an argument is wrong.
    """
    check_device(device)
    loaded = _load(spec, weights, random_weights_seed)
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and len(values) != 3:
            raise InputError(f"--{name} takes three numbers, not {len(values)}")
    mean, std = mean or _colours(spec, "mean", loaded.mean), std or _colours(spec, "std", loaded.std)
    if min(std) <= 0:
        raise InputError("--std must be above 0")
    size = (input_size, input_size) if input_size else loaded.input_size
    if size is None:
        raise InputError(f"{spec}: how large are its pictures? Give --input-size")
    if not 1 <= min(size) <= max(size) <= 4096:
        raise InputError(f"--input-size must be from 1 to 4096, not {size[0]}")
    names = read_labels(labels) if labels else loaded.labels
    options: dict[str, Any] = {"device": device, "batch": loaded.batch, "faces": loaded.faces}
    share = loaded.crop if crop else 0.0
    classifier = Classifier(spec, loaded.module, size, mean=mean, std=std, crop=share, **options)
    if names and len(names) != len(classifier.labels):
        count = len(classifier.labels)
        raise InputError(f"{labels or spec}: {len(names)} labels for {count} classes of {spec}")
    classifier.labels = list(names) or classifier.labels
    return classifier


def _load(spec: str, weights: str, seed: int | None) -> Loaded:
    file = spec.rpartition(":")[0] or spec
    ending = Path(spec if spec.endswith((".pt2", ".safetensors")) else file).suffix.lower()
    source = from_attributes if file == "faces" else _SOURCES.get(ending)
    if source is None:
        return (from_efficientnet if spec == NAME else from_torchvision)(spec, weights, seed)
    if weights or seed is not None:
        raise InputError(f"{spec}: --weights and random weights go with ImageNet's networks only")
    return source(spec)


def _colours(spec: str, name: str, values: Any) -> tuple[float, ...]:
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3:
        raise InputError(f"{spec}: its {name} must be three numbers, one for each colour, not {values}")
    return found
