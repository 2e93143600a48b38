"""Classifiers as a table: torchvision's by name, exported programs, or any function that makes one.

Outside, pictures are float ``N,3,H,W`` in [0, 1] at their own size; how a network wants them (size, mean,
std) is part of the :class:`Classifier`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan.devices import check_device
from facegan.errors import InputError
from facegan.pixels import efficientnet
from facegan.pixels.face_classes import from_attributes
from facegan.pixels.sources import (
    Loaded,
    from_program,
    from_python,
    from_torchvision,
    keras_names,
    read_labels,
)

# ending of a spec -> how to load it; anything else is a name of torchvision's
_SOURCES: dict[str, Callable[..., Loaded]] = {
    ".pt2": from_program,
    ".py": from_python,
    ".safetensors": from_attributes,
}


MAX_LISTED_CLASSES = 16  # so many classes can be listed in a line


class _Enough(Exception):
    """Every wanted activation is there; the rest of the forward pass is not needed."""


def _other_numbers(module: nn.Module) -> str:
    """Return the kind of weights, where they are not float32, as pictures are; else nothing."""
    kinds = {p.dtype for p in module.parameters() if p.is_floating_point()} - {torch.float32}
    return ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))


class Classifier:
    """A network that is only looked at: evaluation mode, no gradient of its weights.

    name: what the user called it.
    module: the network; takes normalised ``N,3,*input_size``, gives logits ``N,classes``.
    input_size: (height, width) that it was trained with.
    mean, std: of each channel, for pictures in [0, 1].
    labels: a name for each class; may hold synonyms, separated by commas.
    crop: 0 takes the whole photo, whatever its shape; otherwise the centre square with this share of the
        shorter side.
    batch: the only batch size that an exported program takes, 0 for any.
    faces: it sees faces only: of a photo it is shown the largest face.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        input_size: tuple[int, int],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        labels: Sequence[str] = (),
        crop: float = 0.0,
        device: str = "cpu",
        batch: int = 0,
        faces: bool = False,
    ) -> None:
        self.faces = faces
        self.name, self.input_size, self.crop, self.batch = name, input_size, crop, batch
        self.device = torch.device(device)
        if "float16" in (kinds := _other_numbers(module)).split(", ") and self.device.type == "cpu":
            raise InputError(
                f"{name}: its weights are {kinds}, with which a processor takes 16 to 200 times as long; "
                "give it in float32 (module.float())"
            )
        self.module = module.to(self.device).requires_grad_(False)
        for part in module.modules():
            if isinstance(getattr(part, "inplace", None), bool):
                part.inplace = False  # type: ignore[assignment]  # it would overwrite what hooks have kept
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self._shift = torch.tensor(self.mean, device=self.device).view(1, -1, 1, 1)
        self._scale = 1 / torch.tensor(self.std, device=self.device).view(1, -1, 1, 1)
        self._layers: list[tuple[str, tuple[int, ...]]] = []
        self._calls: dict[str, int] = {}
        self._channels_last: set[str] = set()
        self.labels = list(labels) or [f"class {i}" for i in range(self._probe().shape[1])]

    # What the network sees ------------------------------------------------------------------------

    def __repr__(self) -> str:
        h, w = self.input_size
        return f"<Classifier {self.name}: {w}x{h} px, {len(self.labels)} classes, on {self.device}>"

    def window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the part of a photo that is looked at: top, left, height, width."""
        if not self.crop:
            return 0, 0, height, width
        side = max(1, round(min(height, width) * self.crop))
        return (height - side) // 2, (width - side) // 2, side, side

    def resize(self, x01: Tensor) -> Tensor:
        """Resize pictures to the input size, still in [0, 1]: linear, antialiased, differentiable."""
        top, left, height, width = self.window(*x01.shape[-2:])
        seen = x01[..., top : top + height, left : left + width]
        if seen.shape[-2:] == self.input_size:
            return seen
        return F.interpolate(seen, self.input_size, mode="bilinear", antialias=True)

    def normalise(self, x01: Tensor) -> Tensor:
        """Return (x - mean) / std, at the size it has."""
        return (x01 - self._shift) * self._scale

    def preprocess(self, x01: Tensor) -> Tensor:
        """Return pictures in [0, 1] of any size as the network wants them."""
        return self.normalise(self.resize(x01))

    def logits(self, x01: Tensor) -> Tensor:
        """Return logits ``N,classes`` of pictures in [0, 1] of any size."""
        return self.logits_at_size(self.resize(x01))

    def logits_at_size(self, x01: Tensor) -> Tensor:
        """Return logits of pictures that :meth:`resize` has brought to the input size."""
        x = self.normalise(x01)
        if not self.batch or self.batch == len(x):
            return self.module(x)
        parts = [self._padded(part) for part in x.split(self.batch)]
        return torch.cat(parts)

    def _padded(self, x: Tensor) -> Tensor:
        filler = x[-1:].detach().expand(self.batch - len(x), *x.shape[1:])
        return self.module(torch.cat([x, filler]))[: len(x)]

    def probabilities(self, x01: Tensor) -> Tensor:
        return self.logits(x01).softmax(1)

    # Layers ---------------------------------------------------------------------------------------

    def activations(self, x01: Tensor, layers: Sequence[str], resize: bool = True) -> dict[str, Tensor]:
        """Return outputs of the named layers, by the names given, for pictures in [0, 1].

        Without ``resize`` the network sees them at their own size (convolutions do not mind). What lies
        behind the deepest wanted layer is not computed. Of a layer that runs several times, the last output.
        """
        found = {name: self.find_layer(name) for name in layers}
        wanted = set(found.values())
        x = self.preprocess(x01) if resize else self.normalise(x01)
        kept: dict[str, Tensor] = {}
        left = sum(self._calls[name] for name in wanted)

        def keep(name: str) -> Callable[..., Tensor]:
            def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
                nonlocal left
                kept[name] = output.permute(0, 3, 1, 2) if name in self._channels_last else output
                left -= 1
                if left == 0:
                    raise _Enough
                return output.clone()  # what follows may write into it

            return hook

        modules = dict(self.module.named_modules())
        handles = [modules[name].register_forward_hook(keep(name)) for name in wanted]
        try:
            self.module(x)
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return {name: kept[layer] for name, layer in found.items()}

    def layer_names(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return (name, output shape without the batch) of each layer at the input size, in order of use."""
        self._probe()
        return list(self._layers)

    def _probe(self) -> Tensor:
        """Run one grey picture through; note which layers run, how often, and what they give."""
        shapes: dict[str, tuple[int, ...]] = {}
        calls: dict[str, int] = {}
        handles = []

        def note(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                if isinstance(output, Tensor):
                    shapes[name] = tuple(output.shape[1:])
                    calls[name] = calls.get(name, 0) + 1

            return hook

        for name, part in self.module.named_modules():
            if name:
                handles.append(part.register_forward_hook(note(name)))
        try:
            with torch.no_grad():
                logits = self.module(
                    torch.zeros(self.batch or 1, len(self.mean), *self.input_size, device=self.device)
                )
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            if kinds := _other_numbers(self.module):
                raise InputError(
                    f"{self.name}: its weights are {kinds}, pictures are float32 ({reason}); "
                    "give it in float32 (module.float())"
                ) from None
            raise InputError(
                f"{self.name}: it does not take pictures of {self.input_size} px ({reason})"
            ) from None
        finally:
            for handle in handles:
                handle.remove()
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[1] < 2:
            raise InputError(
                f"{self.name}: a classifier gives one row of logits for each picture, of two or more classes"
            )
        high, wide = self.input_size
        self._channels_last = {  # as Swin's: height and width, in the picture's proportion, come first
            name
            for name, s in shapes.items()
            if len(s) == 3 and s[0] * wide == s[1] * high and s[1] * wide != s[2] * high
        }
        for name in self._channels_last:
            shapes[name] = (shapes[name][2], *shapes[name][:2])
        self._layers, self._calls = list(shapes.items()), calls
        return logits

    def aliases(self) -> dict[str, str]:
        """Return Keras's names for layers of VGG (``block5_pool``) and Inception v3 (``mixed3``)."""
        return keras_names(self.module)

    def find_layer(self, name: str) -> str:
        """Return the layer that ``name`` means; InputError with near names if there is none."""
        if not self._calls:
            self._probe()
        name = self.aliases().get(name, name)
        if name in self._calls:
            return name
        known = [*self._calls, *self.aliases()]
        near = difflib.get_close_matches(name, known, 5, 0.4) or known[-5:]
        raise InputError(
            f"{name}: {self.name} has no such layer; near it: {', '.join(near)} "
            f"('facegan layers {self.name}' lists all)"
        )

    # Classes --------------------------------------------------------------------------------------

    def find_class(self, text: str) -> int:
        """Return the class that a number or name means; InputError with near ones if it is unclear."""
        text = text.strip()
        if not text:
            raise InputError("which class? Give its name or number")
        if (exact := [label.casefold() for label in self.labels]).count(text.casefold()) == 1:
            return exact.index(text.casefold())
        if text.removeprefix("-").isdecimal():
            if 0 <= int(text) < len(self.labels):
                return int(text)
            raise InputError(f"class {text}: {self.name} has the classes 0 to {len(self.labels) - 1}")
        said = text.casefold()
        names = [[label.casefold(), *_synonyms(label)] for label in self.labels]
        for found in (
            [i for i, all_ in enumerate(names) if said in all_],
            [i for i, all_ in enumerate(names) if said in all_[0]],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                listed = "; ".join(f"{i} {self.labels[i]}" for i in found[:8])
                more = f"; {len(found) - 8} more" if len(found) > 8 else ""
                raise InputError(f"class {text!r} may be any of these: {listed}{more}")
        flat: dict[str, list[int]] = {}
        for i, all_ in enumerate(names):
            for part in {*all_, *(word for name in all_ for word in name.split())}:
                flat.setdefault(part, []).append(i)
        close = difflib.get_close_matches(said, flat, 5, 0.7)
        near = list(dict.fromkeys(i for part in close for i in flat[part]))[:5]
        listed = "; ".join(f"{i} {self.labels[i]}" for i in near)
        hint = f"; near it: {listed}" if near else f"; a number from 0 to {len(self.labels) - 1} will do, too"
        if not near and len(self.labels) <= MAX_LISTED_CLASSES:
            hint = f"; it has {', '.join(self.labels)}"
        raise InputError(f"class {text!r}: {self.name} has no such class{hint}")

    def short_label(self, index: int) -> str:
        """Return the first of a class's synonyms."""
        return self.labels[index].split(",")[0]

    def top(self, logits: Tensor, count: int = 5) -> list[tuple[int, float]]:
        """Return (class, probability) of the most probable classes of one picture's logits."""
        p, index = logits.detach().flatten().softmax(0).topk(min(count, len(self.labels)))
        return [(int(i), float(v)) for i, v in zip(index, p, strict=True)]


def _synonyms(label: str) -> list[str]:
    return [part.strip() for part in label.casefold().split(",")]


def _three(spec: str, name: str, values: Any) -> tuple[float, ...]:
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3:
        raise InputError(f"{spec}: its {name} must be three numbers, one for each colour, not {values}")
    return found


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
    """Load the classifier that ``spec`` names; InputError in one line if it cannot be had.

    spec: ``faces`` (the bundled attribute network; ``faces:bald,smiling`` chooses attributes, and so does a
        ``.safetensors`` file of train-attributes), ``efficientnet_lite0``, a name of torchvision's
        (``vgg19``), an exported program (``FILE.pt2``), or ``FILE.py:FUNCTION``, where the function is called
        without arguments and returns the network.
    labels: a file with one name a line, or JSON; "" takes what comes with the network.
    weights: a file for ImageNet's networks; "" takes their package's, or looks into torch's cache and
        downloads what is missing.
    input_size, mean, std: instead of what the network or its weights say.
    crop: look at the centre only, as torchvision does, instead of the whole photo.
    random_weights_seed: random weights instead of trained ones, for tests.
    """
    check_device(device)
    file = spec.rpartition(":")[0] or spec
    ending = Path(spec if spec.endswith((".pt2", ".safetensors")) else file).suffix.lower()
    source = from_attributes if file == "faces" else _SOURCES.get(ending)
    if source:
        if weights or random_weights_seed is not None:
            raise InputError(f"{spec}: --weights and random weights go with ImageNet's networks only")
        loaded = source(spec)
    elif spec == efficientnet.NAME:
        loaded = efficientnet.from_efficientnet(weights, random_weights_seed)
    else:
        loaded = from_torchvision(spec, weights, random_weights_seed)
    size = (input_size, input_size) if input_size else loaded.input_size
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and len(values) != 3:
            raise InputError(f"--{name} takes three numbers, not {len(values)}")
    mean, std = mean or _three(spec, "mean", loaded.mean), std or _three(spec, "std", loaded.std)
    if min(std) <= 0:
        raise InputError("--std must be above 0")
    if size is None:
        raise InputError(f"{spec}: how large are its pictures? Say so with --input-size")
    if not 1 <= min(size) <= max(size) <= 4096:
        raise InputError(f"--input-size must be from 1 to 4096, not {size[0]}")
    names = read_labels(labels) if labels else loaded.labels
    classifier = Classifier(
        spec,
        loaded.module,
        size,
        mean=mean,
        std=std,
        crop=loaded.crop if crop else 0.0,
        device=device,
        batch=loaded.batch,
        faces=loaded.faces,
    )
    if names and len(names) != len(classifier.labels):
        raise InputError(
            f"{labels or spec}: {len(names)} labels for {len(classifier.labels)} classes of {spec}"
        )
    classifier.labels = list(names) or classifier.labels
    return classifier
