"""Classifiers by name: the bundled network, torchvision's, exported programs, or a function's result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from facegan import arguments
from facegan.devices import check_device
from facegan.errors import InputError
from facegan.pixels.classifiers import Classifier
from facegan.pixels.efficientnet import NAME, from_efficientnet
from facegan.pixels.face_classes import from_attributes
from facegan.pixels.settings import ClassifierConfig, distribute
from facegan.pixels.sources import Loaded, from_program, from_python, from_torchvision, read_labels
from facegan.settings import check_values

# ending of a spec -> how to load it; anything else is a name of ImageNet's networks
_SOURCES: dict[str, Callable[[str], Loaded]] = {
    ".pt2": from_program,
    ".py": from_python,
    ".safetensors": from_attributes,
}
Model = str | ClassifierConfig | Classifier


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


def load_configured(model: ClassifierConfig | Classifier, crop: bool = False) -> Classifier:
    """Load the classifier that settings describe; one that is loaded already is returned as it is.

    With ``crop`` it looks at the centre of photos.
    """
    if not isinstance(model, ClassifierConfig):
        return model
    check_values(model, error=InputError)
    if model.random_weights and model.weights:
        raise InputError("--weights and --random-weights exclude each other")
    classifier = load_classifier(
        model.model,
        labels=model.labels,
        weights=model.weights,
        input_size=model.input_size,
        mean=arguments.parse_numbers("--mean", model.mean) if model.mean else None,
        std=arguments.parse_numbers("--std", model.std) if model.std else None,
        crop=crop,
        device=model.device,
        random_weights_seed=0 if model.random_weights else None,
    )
    if model.reverse:
        reverse_channels(classifier)
    return classifier


def reverse_channels(classifier: Classifier) -> None:
    """Make the network take blue, green, red, by reversing the weights of its first convolution."""
    first = next((m for m in classifier.module.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None or first.in_channels != 3:
        raise InputError(f"{classifier.name}: its first layer is no convolution over three colours")
    first.weight = nn.Parameter(first.weight.detach().flip(1), requires_grad=False)


def with_settings(model: Model, settings: Mapping[str, Any], *configs: Any) -> list[Any]:
    """Return the classifier, or its settings, and ``configs``, each with its own share of ``settings``.

    Raises:
        InputError: A setting belongs to none of them, or is wrong.
    """
    if isinstance(model, Classifier):
        return [model, *distribute(settings, *configs)]
    *own, network = distribute(
        settings, *configs, ClassifierConfig(model) if isinstance(model, str) else model
    )
    return [network, *own]


def model_name(network: ClassifierConfig | Classifier) -> str:
    """Return what the user called a classifier, loaded or not."""
    return network.model if isinstance(network, ClassifierConfig) else network.name
