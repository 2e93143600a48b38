"""facegan: from a folder of photos to a face generator that you can explore, edit and publish.

>>> import facegan
>>> faces = facegan.load("runs/faces").sample(range(25))     # uint8 25,H,W,C
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facegan.machine import settle_threads
from facegan.version import __version__

settle_threads()  # here, because it must come before torch, whatever is imported first

# name -> where it lives: imported on first use, so that ``import facegan`` costs no torch.
_PUBLIC = {
    "FaceganError": "facegan.errors",
    "Dataset": "facegan.data.dataset",
    "prepare": "facegan.data.prepare",
    "select": "facegan.data.derive",
    "inspect": "facegan.data.inspection",
    "label": "facegan.attributes.label",
    "describe_model": "facegan.model_summary",
    "read_mark": "facegan.marks",
    "read_signature": "facegan.signing",
    "sign": "facegan.signing",
    "run_demo": "facegan.demo.tour",
    "run_studio": "facegan.studio.serve",
    "Generator": "facegan.generator",
    "Latent": "facegan.prior",
    "load": "facegan.models",
    "import_model": "facegan.exchange.importing",
    "invert": "facegan.inversion.invert",
    "Inversion": "facegan.inversion.results",
    "evaluate": "facegan.metrics.evaluate",
    "evaluate_translator": "facegan.metrics.evaluate_translator",
    "export_dataset": "facegan.data.stylegan_zip",
    "export_model": "facegan.exchange.exporting",
    "publish": "facegan.exchange.publish",
    "average": "facegan.training.averages",
    "train": "facegan.training.train",
    "register_augmentation": "facegan.augment.table",
    "register_family": "facegan.families",
    "register_input": "facegan.data.inputs",
    "register_loss": "facegan.losses.adversarial",
    "register_metric": "facegan.metrics.registry",
    "TrainConfig": "facegan.recipes.config",
    "recipe": "facegan.recipes.table",
    "RECIPES": "facegan.recipes.table",
    "directions": "facegan.latent.directions",
    "Directions": "facegan.latent.directions",
    "edit": "facegan.latent.editing",
    "generate": "facegan.explore.generate",
    "interpolate": "facegan.explore.interpolate",
    "film": "facegan.explore.film",
    "atlas": "facegan.explore.atlas",
    "pairs": "facegan.translation.pairs",
    "mix": "facegan.explore.mix",
    "arithmetic": "facegan.explore.arithmetic",
    "attack": "facegan.pixels.attacks.attack",
    "dream": "facegan.pixels.dreams.api",
    "stylize": "facegan.pixels.style.stylize",
    "train_attributes": "facegan.attributes.train_attributes",
    "translate": "facegan.translation.translate",
    "Translator": "facegan.translator",
    "train_encoder": "facegan.inversion.encoder_training",
    "set_progress": "facegan.bars",
    "show": "facegan.sheets",
}
# Functions that commands call as well, and the settings that they take besides their arguments.
_FUNCTIONS = {
    "prepare": "",
    "select": "",
    "label": "",
    "inspect": "",
    "read_mark": "",
    "read_signature": "",
    "sign": "",
    "run_demo": "",
    "run_studio": "",
    "import_model": "facegan.exchange.base:ImportOptions",
    "invert": "facegan.inversion.config:InvertConfig",
    "evaluate": "",
    "evaluate_translator": "",
    "export_dataset": "",
    "export_model": "",
    "publish": "",
    "average": "",
    "train": "facegan.recipes.config:TrainConfig",
    "directions": "facegan.latent.finding:Settings",
    "edit": "",
    "pairs": "",
    "generate": "facegan.explore.config:GenerateConfig",
    "interpolate": "facegan.explore.config:InterpolateConfig",
    "film": "facegan.explore.config:FilmConfig",
    "atlas": "facegan.explore.config:AtlasConfig",
    "mix": "facegan.explore.config:MixConfig",
    "arithmetic": "facegan.explore.config:ArithmeticConfig",
    "attack": "facegan.pixels.attacks.config:AttackConfig,facegan.pixels.settings:ClassifierConfig",
    "dream": (
        "facegan.pixels.dreams.config:DreamConfig,facegan.pixels.dreams.config:FlightConfig,"
        "facegan.pixels.settings:SnapshotConfig,facegan.pixels.settings:ClassifierConfig"
    ),
    "stylize": (
        "facegan.pixels.style.config:StyleConfig,facegan.pixels.settings:SnapshotConfig,"
        "facegan.pixels.settings:ClassifierConfig"
    ),
    "train_attributes": "facegan.attributes.training:AttributeTraining",
    "train_encoder": "facegan.inversion.config:EncoderTraining",
    "translate": "",
}
_MODULES = {"latent", "images", "video", "recipes", "data", "pixels", "metrics", "families", "losses"}

__all__ = [
    "RECIPES",
    "Dataset",
    "Directions",
    "FaceganError",
    "Generator",
    "Inversion",
    "Latent",
    "TrainConfig",
    "Translator",
]
__all__ += [
    "__version__",
    "arithmetic",
    "atlas",
    "attack",
    "average",
    "data",
    "describe_model",
    "directions",
    "dream",
    "edit",
    "evaluate",
    "evaluate_translator",
    "export_dataset",
    "export_model",
    "families",
    "film",
    "generate",
    "images",
    "import_model",
    "inspect",
    "interpolate",
    "invert",
    "label",
    "latent",
    "load",
    "losses",
    "metrics",
    "mix",
    "pairs",
    "pixels",
    "prepare",
    "publish",
    "read_mark",
    "read_signature",
    "recipe",
    "recipes",
    "register_augmentation",
    "register_family",
    "register_input",
    "register_loss",
    "register_metric",
    "run_demo",
    "run_studio",
    "select",
    "set_progress",
    "show",
    "sign",
    "stylize",
    "train",
    "train_attributes",
    "train_encoder",
    "translate",
    "video",
]

if TYPE_CHECKING:
    from facegan import data, families, images, latent, losses, metrics, pixels, recipes, video
    from facegan.attributes.label import label
    from facegan.attributes.train_attributes import train_attributes
    from facegan.augment.table import register_augmentation
    from facegan.bars import set_progress
    from facegan.data.dataset import Dataset
    from facegan.data.derive import select
    from facegan.data.inputs import register_input
    from facegan.data.inspection import inspect
    from facegan.data.prepare import prepare
    from facegan.data.stylegan_zip import export_dataset
    from facegan.demo.tour import run_demo
    from facegan.errors import FaceganError
    from facegan.exchange.exporting import export_model
    from facegan.exchange.importing import import_model
    from facegan.exchange.publish import publish
    from facegan.explore.arithmetic import arithmetic
    from facegan.explore.atlas import atlas
    from facegan.explore.film import film
    from facegan.explore.generate import generate
    from facegan.explore.interpolate import interpolate
    from facegan.explore.mix import mix
    from facegan.families import register_family
    from facegan.generator import Generator
    from facegan.inversion.encoder_training import train_encoder
    from facegan.inversion.invert import invert
    from facegan.inversion.results import Inversion
    from facegan.latent.directions import Directions, directions
    from facegan.latent.editing import edit
    from facegan.losses.adversarial import register_loss
    from facegan.marks import read_mark
    from facegan.metrics.evaluate import evaluate
    from facegan.metrics.evaluate_translator import evaluate_translator
    from facegan.metrics.registry import register_metric
    from facegan.model_summary import describe_model
    from facegan.models import load
    from facegan.pixels.attacks.attack import attack
    from facegan.pixels.dreams.api import dream
    from facegan.pixels.style.stylize import stylize
    from facegan.prior import Latent
    from facegan.recipes.config import TrainConfig
    from facegan.recipes.table import RECIPES, recipe
    from facegan.sheets import show
    from facegan.signing import read_signature, sign
    from facegan.studio.serve import run_studio
    from facegan.training.averages import average
    from facegan.training.train import train
    from facegan.translation.pairs import pairs
    from facegan.translation.translate import translate
    from facegan.translator import Translator


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        found = getattr(importlib.import_module(_PUBLIC[name]), name)
        if name in _FUNCTIONS:
            from facegan.arguments import speaking_of_arguments

            found = globals()[name] = speaking_of_arguments(found, _FUNCTIONS[name])
        return found
    if name in _MODULES:
        return importlib.import_module(f"facegan.{name}")
    raise AttributeError(f"module 'facegan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
