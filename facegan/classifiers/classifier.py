"""Classifiers: networks whose logits, layers and gradients are looked at.

Outside, pictures are float ``N,3,H,W`` in [0, 1] at their own size; how a network wants them (size, mean,
std) is part of the :class:`Classifier`.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan.classifiers.sources import keras_names
from facegan.errors import InputError, first_line

MAX_LISTED_CLASSES = 16  # classes that an error message lists


class _AllFound(Exception):
    """Every wanted activation is there; the rest of the forward pass is not needed."""


def _other_dtypes(module: nn.Module) -> str:
    """Return the types of weights other than float32, which pictures have."""
    kinds = {p.dtype for p in module.parameters() if p.is_floating_point()} - {torch.float32}
    return ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))


def _synonyms(label: str) -> list[str]:
    return [part.strip() for part in label.casefold().split(",")]


class Classifier:
    """A network that is only looked at: evaluation mode, no gradient of its weights.

    Args:
        name: What the user called it.
        module: The network; takes normalised ``N,3,*input_size``, gives logits ``N,classes``.
        input_size: (height, width) that it was trained with.
        mean: Of each channel, for pictures in [0, 1]; so is ``std``.
        std: The standard deviation of each channel.
        labels: A name for each class; may hold synonyms, separated by commas.
        crop: 0 takes the whole photo, whatever its shape; otherwise the centre square with this share of the
            shorter side.
        device: Where it runs.
        batch: The only batch size that an exported program takes, 0 for any.
        faces: It sees faces only: of a photo it is shown the largest face.
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
        self.name, self.input_size, self.crop, self.batch, self.faces = name, input_size, crop, batch, faces
        self.device = torch.device(device)
        if "float16" in (kinds := _other_dtypes(module)).split(", ") and self.device.type == "cpu":
            raise InputError(
                f"{name}: its weights are {kinds}, with which a processor takes 16 to 200 times as long; "
                "give it in float32 (module.float())"
            )
        self.module = module.to(self.device).requires_grad_(False)
        for part in module.modules():
            if isinstance(getattr(part, "inplace", None), bool):
                part.inplace = False  # type: ignore[assignment]  # else it overwrites outputs that hooks keep
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self._shift = torch.tensor(self.mean, device=self.device).view(1, -1, 1, 1)
        self._scale = 1 / torch.tensor(self.std, device=self.device).view(1, -1, 1, 1)
        self._layers: list[tuple[str, tuple[int, ...]]] = []
        self._calls: dict[str, int] = {}
        self._channels_last: set[str] = set()
        self.labels = list(labels) or [f"class {i}" for i in range(self._probe().shape[1])]

    def __repr__(self) -> str:
        h, w = self.input_size
        return f"<Classifier {self.name}: {w}x{h} px, {len(self.labels)} classes, on {self.device}>"

    # What the network sees ------------------------------------------------------------------------

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
            logits: Tensor = self.module(x)
            return logits
        parts = []
        for part in torch.split(x, self.batch):
            filler = part[-1:].detach().expand(self.batch - len(part), *part.shape[1:])
            parts.append(self.module(torch.cat([part, filler]))[: len(part)])
        return torch.cat(parts)

    def probabilities(self, x01: Tensor) -> Tensor:
        """Return probabilities ``N,classes`` of pictures in [0, 1] of any size."""
        return self.logits(x01).softmax(1)

    # Layers ---------------------------------------------------------------------------------------

    def activations(self, x01: Tensor, layers: Sequence[str], resize: bool = True) -> dict[str, Tensor]:
        """Return outputs of the named layers, by the names given, for pictures in [0, 1].

        Without ``resize`` the network sees them at their own size (convolutions do not mind). What lies
        behind the deepest wanted layer is not computed. Of a layer that runs several times, the last output.
        """
        found = {name: self.find_layer(name) for name in layers}
        wanted = set(found.values())
        kept: dict[str, Tensor] = {}
        left = sum(self._calls[name] for name in wanted)

        def keep(name: str, output: Tensor) -> Tensor:
            nonlocal left
            kept[name] = output.permute(0, 3, 1, 2) if name in self._channels_last else output
            left -= 1
            if left == 0:
                raise _AllFound
            return output.clone()  # later layers may write into it

        with self._hooked(wanted, keep), contextlib.suppress(_AllFound):
            self.module(self.preprocess(x01) if resize else self.normalise(x01))
        return {name: kept[layer] for name, layer in found.items()}

    @contextlib.contextmanager
    def _hooked(self, names: Collection[str], hook: Callable[[str, Any], Any]) -> Iterator[None]:
        """Call ``hook(name, output)`` when a layer has run; what it returns replaces the output."""
        modules = dict(self.module.named_modules())
        handles = [
            modules[name].register_forward_hook(lambda _, __, output, name=name: hook(name, output))
            for name in names
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def features(self, x01: Tensor) -> Tensor:
        """Return what the last layer with weights is given, ``N,D``, for pictures in [0, 1] of any size.

        Values at several places, as before a last convolution, are averaged over them.
        """
        name = self._last_layer()
        kept: list[Tensor] = []
        layer = dict(self.module.named_modules())[name]
        with layer.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0])):
            self.logits(x01)
        found = torch.cat(kept[self._calls[name] - 1 :: self._calls[name]])[: len(x01)]
        return found.flatten(2).mean(2) if found.ndim == 4 else found.flatten(1)

    def _last_layer(self) -> str:
        """Return the name of the layer with weights that runs last."""
        if not self._calls:
            self._probe()
        modules = dict(self.module.named_modules())
        last = [name for name in self._calls if [*modules[name].parameters(recurse=False)]]
        if not last:
            raise InputError(
                f"{self.name}: none of its layers has weights, so it has no features before the classes"
            )
        return last[-1]

    def digest(self) -> str:
        """Return twelve digits that name the weights and how pictures are brought to the network."""
        found = hashlib.sha256(repr((self.input_size, self.crop, self.mean, self.std)).encode())
        for name, value in self.module.state_dict().items():
            found.update(name.encode())
            found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return found.hexdigest()[:12]

    def layer_names(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return (name, output shape without the batch) of each layer at the input size, in order of use."""
        self._probe()
        return list(self._layers)

    def _probe(self) -> Tensor:
        """Run one grey picture through; record the layers, how often they run, and their shapes."""
        shapes: dict[str, tuple[int, ...]] = {}
        calls: dict[str, int] = {}

        def note(name: str, output: Any) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape[1:])
                calls[name] = calls.get(name, 0) + 1

        grey = torch.zeros(self.batch or 1, len(self.mean), *self.input_size, device=self.device)
        try:
            with torch.no_grad(), self._hooked([n for n, _ in self.module.named_modules() if n], note):
                logits = self.module(grey)
        except RuntimeError as error:
            reason = first_line(error)
            if kinds := _other_dtypes(self.module):
                problem = f"its weights are {kinds}, pictures are float32 ({reason}); "
                raise InputError(f"{self.name}: {problem}give it in float32 (module.float())") from None
            raise InputError(
                f"{self.name}: it does not take pictures of {self.input_size} px ({reason})"
            ) from None
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
        wanted = text.casefold()
        if (exact := [label.casefold() for label in self.labels]).count(wanted) == 1:
            return exact.index(wanted)
        if text.removeprefix("-").isdecimal():
            if 0 <= int(text) < len(self.labels):
                return int(text)
            raise InputError(f"class {text}: {self.name} has the classes 0 to {len(self.labels) - 1}")
        same = [i for i, label in enumerate(self.labels) if wanted in (label.casefold(), *_synonyms(label))]
        found = same or [i for i, label in enumerate(exact) if wanted in label]
        if len(found) == 1:
            return found[0]
        if found:
            more = f"; {len(found) - 8} more" if len(found) > 8 else ""
            raise InputError(f"class {text!r} may be any of these: {self._listed(found[:8])}{more}")
        raise InputError(f"class {text!r}: {self.name} has no such class; {self._near_classes(wanted)}")

    def _listed(self, classes: Sequence[int]) -> str:
        return "; ".join(f"{i} {self.labels[i]}" for i in classes)

    def _near_classes(self, wanted: str) -> str:
        """Return what to choose instead of an unknown name."""
        parts: dict[str, list[int]] = {}
        for i, label in enumerate(self.labels):
            names = [label.casefold(), *_synonyms(label)]
            for part in {*names, *(word for name in names for word in name.split())}:
                parts.setdefault(part, []).append(i)
        close = difflib.get_close_matches(wanted, parts, 5, 0.7)
        if near := list(dict.fromkeys(i for part in close for i in parts[part]))[:5]:
            return f"near it: {self._listed(near)}"
        if len(self.labels) <= MAX_LISTED_CLASSES:
            return f"it has {', '.join(self.labels)}"
        return f"a number from 0 to {len(self.labels) - 1} will do, too"

    def short_label(self, index: int) -> str:
        """Return the first of a class's synonyms."""
        return self.labels[index].split(",")[0]

    def top(self, logits: Tensor, count: int = 5) -> list[tuple[int, float]]:
        """Return (class, probability) of the most probable classes of one picture's logits."""
        p, index = logits.detach().flatten().softmax(0).topk(min(count, len(self.labels)))
        return [(int(i), float(v)) for i, v in zip(index, p, strict=True)]
