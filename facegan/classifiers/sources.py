"""Where classifiers come from: torchvision, exported programs, Python files; and their labels."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib.util
import io
import json
import logging
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facegan.errors import InputError, ModelError
from facegan.pickles.tables import read_state

# Of ImageNet's training pictures, in [0, 1]; what torchvision's networks expect.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NO_NAME = "no classifier of torchvision's has this name"
_OTHERS = "others are faces, efficientnet_lite0, FILE.pt2 and FILE.py:FUNCTION"
_BLOCK = 1 << 20  # random numbers that large tables repeat
# What torchvision's builders change when they are given weights of their own.
_AS_TRAINED: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "aux_logits": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "aux_logits": True, "init_weights": False},
}


@dataclass(frozen=True)
class Loaded:
    """A network and the input that it expects.

    Attributes:
        crop: The share of the shorter side that it saw.
        faces: Whether it sees faces only, cut out as ours are.
    """

    module: nn.Module
    input_size: tuple[int, int] | None
    mean: Sequence[float]
    std: Sequence[float]
    labels: Sequence[str] = ()
    crop: float = 1.0
    batch: int = 0
    faces: bool = False


def from_torchvision(name: str, weights: str = "", random_seed: int | None = None) -> Loaded:
    """Build a network of torchvision's by its name."""
    try:
        from torchvision import models
    except ImportError:
        raise InputError(
            f"--model {name}: {NO_NAME} here; pip install torchvision brings them; {_OTHERS}"
        ) from None
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, 4, 0.5)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise InputError(f"--model {name}: {NO_NAME}{hint}; {_OTHERS}")
    default = models.get_model_weights(name).DEFAULT
    build = functools.partial(models.get_model, name, weights=None, **_AS_TRAINED.get(name, {}))
    if random_seed is None:
        module = _trained(build, read_weights(weights) if weights else _own_weights(name, default), name)
    elif weights:
        raise InputError("--weights and random weights exclude each other")
    else:
        module = _random(build, random_seed)
    transforms = default.transforms()
    side = transforms.crop_size[0]
    return Loaded(
        module.eval(),
        (side, side),
        transforms.mean,
        transforms.std,
        default.meta["categories"],
        crop=side / transforms.resize_size[0],
    )


def _build_empty(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network without making random weights, which takes long, unless it has other constants, too."""
    with torch.device("meta"):
        module = build()
    constants = any(key not in module.state_dict() for key, _ in module.named_buffers())
    return build() if constants else module


def _trained(build: Callable[[], nn.Module], state: dict[str, torch.Tensor], name: str) -> nn.Module:
    module = _build_empty(build)
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    try:
        module.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(f"--weights: these are not the weights of {name} ({_reason(error)})") from None
    return module


def _random(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return the network with random weights (He et al. 2015); large tables repeat a block, which is fast."""
    module = _build_empty(build)
    if any(value.is_meta for value in module.state_dict().values()):
        module.to_empty(device="cpu")
    block = torch.randn(_BLOCK, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if value.ndim > 1:
                scaled = block * (2 / value[0].numel()) ** 0.5
                for part in torch.split(value.view(-1), _BLOCK):
                    part.copy_(scaled[: len(part)])
            else:
                value.fill_(1.0 if key.endswith(("running_var", "weight")) else 0.0)
    return module


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _own_weights(name: str, default: Any) -> dict[str, torch.Tensor]:
    """Read torchvision's weights from torch's cache, or download them."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = Path(default.url).name
    if (folder / file).is_file():
        return read_weights(folder / file)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it announces what it begins
            state: dict[str, torch.Tensor] = default.get_state_dict(
                progress=False, check_hash=True, weights_only=True
            )
            return state
    except (OSError, RuntimeError) as error:  # no network, no such address, a full disk, a broken file
        raise InputError(
            f"--model {name}: its weights are not here and cannot be downloaded ({_reason(error)}); give "
            f"their file with --weights, put {file} into {folder}, or take --model faces, which needs nothing"
        ) from None


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a state dict from .safetensors or torch's format; nothing that it holds is executed."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--weights {path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return read_state(path)
    except ModelError as error:
        raise InputError(f"--weights {path}: {error}") from None
    except Exception as error:  # safetensors has errors of its own
        raise InputError(f"--weights {path}: cannot be read as weights ({_reason(error)})") from None


def from_program(spec: str) -> Loaded:
    """Load what ``torch.export`` has saved. Its layers keep their names; some take only one batch size."""
    if not Path(spec).is_file():
        raise InputError(f"--model {spec}: no such file")
    if not zipfile.is_zipfile(spec):
        raise InputError(f"--model {spec}: not an exported program")
    log = logging.getLogger("torch.export")
    level = log.level
    try:
        log.setLevel(logging.CRITICAL)  # it prints tracebacks of what it tries in vain
        program = torch.export.load(spec)
        module: nn.Module = torch.export.unflatten(program)
    except Exception as error:  # a zip of another kind, another version
        raise InputError(f"--model {spec}: not an exported program ({_reason(error)})") from None
    finally:
        log.setLevel(level)
    inputs = [n for n in program.graph.nodes if n.op == "placeholder"]
    user = set(program.graph_signature.user_inputs)
    shapes = [n.meta["val"].shape for n in inputs if n.name in user]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise InputError(f"--model {spec}: a classifier takes one batch of pictures, N,3,H,W")
    n, _, height, width = shapes[0]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return Loaded(module, size, IMAGENET_MEAN, IMAGENET_STD, batch=n if isinstance(n, int) else 0)


def from_python(spec: str) -> Loaded:
    """Run the file of ``FILE.py:FUNCTION`` and call the function; both are the user's own."""
    file, _, function = spec.rpartition(":")
    if not file or not function.isidentifier():
        raise InputError(f"--model {spec}: which function makes the network? Write FILE.py:FUNCTION")
    if not Path(file).is_file():
        raise InputError(f"--model {spec}: there is no file {file}")
    python = _import(Path(file))
    make = getattr(python, function, None)
    if not callable(make):
        raise InputError(f"--model {spec}: {file} has no function {function}")
    try:
        module = make()
    except Exception as error:
        raise InputError(f"--model {spec}: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"--model {spec}: {function}() returns {type(module).__name__}, not a network")

    def declared(name: str, default: Any) -> Any:
        return getattr(module, name, getattr(python, name, default))

    size, names = declared("input_size", None), declared("labels", ())
    return Loaded(
        module.eval(),
        (size, size) if isinstance(size, int) else size and (int(size[-2]), int(size[-1])),
        declared("mean", IMAGENET_MEAN),
        declared("std", IMAGENET_STD),
        list(names() if callable(names) else names),
    )


def _import(path: Path) -> Any:
    name = f"_facegan_classifier_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None
    python = importlib.util.module_from_spec(specification)
    sys.modules[name] = python  # dataclasses and the like look their module up
    try:
        specification.loader.exec_module(python)
    except Exception as error:
        raise InputError(f"--model {path}: {type(error).__name__}: {error}") from error
    return python


def read_labels(path: str | Path) -> list[str]:
    """Read one name a line; or JSON, a list or a table of class -> name (or Keras's class -> [id, name])."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"--labels {path}: cannot be read ({reason})") from None
    if path.suffix.lower() != ".json":
        names = [line.strip() for line in text.splitlines()]
        while names and not names[-1]:
            names.pop()
    else:
        try:
            table = json.loads(text)
            values = [table[str(i)] for i in range(len(table))] if isinstance(table, dict) else list(table)
            names = [str(v if isinstance(v, str) else v[-1]).replace("_", " ") for v in values]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(f"--labels {path}: not a list of names ({error})") from None
    if not names:
        raise InputError(f"--labels {path}: is empty")
    return names


def keras_names(module: nn.Module) -> dict[str, str]:
    """Return Keras's name -> ours; a name of its convolutions means the output of the ReLU."""
    names: dict[str, str] = {}
    features = getattr(module, "features", None)
    if type(module).__name__ == "VGG" and isinstance(features, nn.Sequential):
        block, conv = 1, 0
        for i, part in enumerate(features):
            if isinstance(part, nn.ReLU):
                conv += 1
                names[f"block{block}_conv{conv}"] = f"features.{i}"
            elif isinstance(part, nn.MaxPool2d):
                names[f"block{block}_pool"] = f"features.{i}"
                block, conv = block + 1, 0
    if type(module).__name__ == "Inception3":
        mixed = [name for name, _ in module.named_children() if name.startswith("Mixed_")]
        names.update({f"mixed{i}": name for i, name in enumerate(mixed)})
    return names
