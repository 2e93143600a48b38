"""Load the classifier that settings describe, and tell its settings from those of the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from facegan import arguments
from facegan.classifiers.classifier import Classifier
from facegan.classifiers.loading import load_classifier
from facegan.errors import InputError
from facegan.pixels.settings import ClassifierConfig, distribute
from facegan.settings import check_values

Model = str | ClassifierConfig | Classifier


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
