"""Turn pictures into the feature vectors that metrics compare."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
import torch.nn.functional as F

from facegan.attributes.networks import digest, file_digest, fit
from facegan.attributes.predictor import AttributePredictor
from facegan.classifiers.loading import load_classifier
from facegan.classifiers.sources import NO_NAME
from facegan.errors import InputError, ModelError
from facegan.images import to_float
from facegan.marks import without_folder

_PIECE = 16  # pictures that a classifier looks at at once
INCEPTION_FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")


@dataclass(frozen=True)
class FeatureTable:
    """Compute float32 features ``N,dim`` of pictures ``N,C,H,W`` in [-1, 1].

    ``key`` names the table and its weights: equal keys give equal features. A table that is not
    ``smooth`` rounds pictures to 8 bits first, as its reference implementation does.
    """

    name: str
    key: str
    dim: int
    compute: Callable[[torch.Tensor], torch.Tensor]
    smooth: bool = True
    device: str = "cpu"

    def __repr__(self) -> str:
        return f"<FeatureTable {self.key}: {self.dim} numbers a picture, on {self.device}>"

    @torch.inference_mode()
    def __call__(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return float32 ``N,dim`` for uint8 ``N,H,W,C``."""
        parts = [
            self.compute(to_float(images[i : i + batch], self.device)) for i in range(0, len(images), batch)
        ]
        return torch.cat(parts).float().cpu().numpy() if parts else np.empty((0, self.dim), np.float32)

    def of_floats(self, pictures: np.ndarray) -> np.ndarray:
        """Return float32 ``N,dim`` for float32 ``N,C,H,W`` in [-1, 1]."""
        with torch.inference_mode():
            return self.compute(torch.from_numpy(pictures).to(self.device)).float().cpu().numpy()


def faces(weights: str, device: str) -> FeatureTable:
    """Return the bundled network's features: 400 numbers from texture to meaning, equally weighted."""
    source = weights or "faces"
    predictor = AttributePredictor.load(source)
    predictor.network.to(device)
    dim = predictor.features_of(torch.zeros(1, *predictor.shape, device=device)).shape[1]
    return FeatureTable("faces", f"faces-{digest(source)}", dim, predictor.features_of, device=device)


def pixels(weights: str, device: str) -> FeatureTable:
    """Return the picture at 16x16 px: 768 numbers for colour, without a network."""
    if weights:
        raise InputError("--weights: the feature table 'pixels' has none")

    def compute(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(fit(x, (3, *x.shape[2:])), (16, 16), mode="area").flatten(1)

    return FeatureTable("pixels", "pixels-16", 768, compute, device=device)


def inception(weights: str, device: str) -> FeatureTable:
    """Return the 2,048 pool features of Inception v3 (TensorFlow 2015, torch-fidelity's port).

    ``weights`` is the file; by default what torch-fidelity downloads into torch's cache. Never run with the
    real weights in this project's tests, which are offline.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise InputError("--features inception needs the package: pip install torch-fidelity") from None
    file = Path(weights) if weights else _cached_inception()
    if weights and not file.is_file():  # type: ignore[union-attr]
        raise InputError(f"--weights {weights}: there is no such file")
    try:
        if file:  # the constructor reads any pickle: let through what holds nothing but tensors
            torch.load(file, map_location="cpu", weights_only=True)
        network = (
            FeatureExtractorInceptionV3(
                "inception", ["2048"], feature_extractor_weights_path=str(file) if file else None
            )
            .to(device)
            .eval()
        )
    except OSError as error:  # urllib's errors are of this kind
        raise ModelError(
            f"--features inception: its weights could not be downloaded ({error}); put "
            f"{INCEPTION_FILES[0]} into {_cache()} ('facegan evaluate' takes --weights FILE), or "
            "use --features faces"
        ) from None
    except (RuntimeError, ValueError, TypeError, AttributeError, EOFError, UnpicklingError):
        raise ModelError(f"--weights {file}: not torch-fidelity's Inception weights") from None

    def compute(x: torch.Tensor) -> torch.Tensor:
        rounded = fit(x, (3, *x.shape[2:])).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        found: torch.Tensor = network(rounded)[0]
        return found

    key = file_digest(file or _cached_inception())
    return FeatureTable("inception", f"inception-{key}", 2048, compute, smooth=False, device=device)


def of_classifier(spec: str, weights: str = "", device: str = "cpu", *, input_size: int = 0) -> FeatureTable:
    """Return what a classifier's last layer is given: features from which its classes follow linearly.

    ``spec`` is what ``load_classifier`` takes. Whole pictures are resized to the network's input size, or to
    ``input_size`` px.
    """
    try:
        classifier = load_classifier(spec, weights=weights, device=device, input_size=input_size)
    except InputError as error:  # it speaks of the option that other commands have
        text = str(error).replace("--model ", "--features ")
        choice = f"choose {', '.join(FEATURES)}, or a classifier"
        raise InputError(text.replace(NO_NAME, choice)) from None

    def compute(x: torch.Tensor) -> torch.Tensor:
        pieces = fit(x, (3, *x.shape[2:])).add(1).div(2).split(_PIECE)
        return torch.cat([classifier.features(piece) for piece in pieces])

    dim = compute(torch.zeros(1, 3, *classifier.input_size, device=device)).shape[1]
    name = re.sub(r"[^A-Za-z0-9_]+", "-", without_folder(spec).split(".")[0])
    return FeatureTable(name, f"{name}-{classifier.digest()}", dim, compute, device=device)


def _cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _cached_inception() -> Path | None:
    return next((_cache() / name for name in INCEPTION_FILES if (_cache() / name).is_file()), None)


FEATURES: dict[str, Callable[[str, str], FeatureTable]] = {
    "faces": faces,
    "inception": inception,
    "pixels": pixels,
}


def table(
    name: str | FeatureTable, weights: str = "", device: str = "cpu", *, input_size: int = 0
) -> FeatureTable:
    """Return the feature table of that name, or of the classifier of that name.

    Args:
        name: a row of FEATURES, or what ``load_classifier`` takes; a table is returned as it is.
        weights: the network's file, instead of the bundled, installed or downloaded one.
        device: cpu, cuda or mps.
        input_size: side in px to which pictures are brought for a classifier; 0 is its own.

    Raises:
        InputError: there is none, or it does not take these options.
    """
    if isinstance(name, FeatureTable):
        return name
    if not isinstance(name, str):
        raise InputError(f"--features {name}: choose {', '.join(FEATURES)}, or the name of a classifier")
    if name not in FEATURES:
        return of_classifier(name, weights, device, input_size=input_size)
    if input_size:
        raise InputError(f"--input-size {input_size}: is for classifiers, and not for '{name}'")
    return FEATURES[name](weights, device)
