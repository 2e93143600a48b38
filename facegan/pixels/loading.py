"""Loading a classifier as its settings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan import arguments
from facegan.errors import InputError
from facegan.pixels.classifiers import Classifier, load_classifier
from facegan.pixels.settings import ClassifierConfig, distribute
from facegan.pixels.tiles import reverse_channels
from facegan.settings import check_values


def load_configured(config: ClassifierConfig, crop: bool = False) -> Classifier:
    """Load the classifier; with ``crop`` it looks at the centre of photos.

    Raises:
        InputError: It cannot be had, or a setting is wrong.
    """
    check_values(config, error=InputError)
    if config.random_weights and config.weights:
        raise InputError("--weights and --random-weights exclude each other")
    classifier = load_classifier(
        config.model,
        labels=config.labels,
        weights=config.weights,
        input_size=config.input_size,
        mean=arguments.parse_numbers("--mean", config.mean) if config.mean else None,
        std=arguments.parse_numbers("--std", config.std) if config.std else None,
        crop=crop,
        device=config.device,
        random_weights_seed=0 if config.random_weights else None,
    )
    if config.reverse:
        reverse_channels(classifier)
    return classifier


Model = str | ClassifierConfig | Classifier


def with_settings(model: Model, settings: Mapping[str, Any], *configs: Any) -> list[Any]:
    """Return the classifier, or its settings, and ``configs``, each with its own share of ``settings``.

    Raises:
        InputError: A setting belongs to none of them.
    """
    if not isinstance(model, (str, ClassifierConfig)):
        return [model, *distribute(settings, *configs)]
    network = ClassifierConfig(model) if isinstance(model, str) else model
    *own, network = distribute(settings, *configs, network)
    return [network, *own]


def model_name(network: ClassifierConfig | Classifier) -> str:
    """Return what the user called a classifier, loaded or not."""
    return network.model if isinstance(network, ClassifierConfig) else network.name
