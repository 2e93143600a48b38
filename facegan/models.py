"""Reading run folders: which models there are, and what a MODEL on the command line means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from facegan import arguments
from facegan.errors import InputError, ModelError
from facegan.files import tell_twice
from facegan.hub import PREFIX, hub_model, is_hub_name, is_repository

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator
    from facegan.sampler import Sampler
    from facegan.translator import Translator

_Sampler = TypeVar("_Sampler", bound="Sampler")
ASSETS = Path(__file__).parent / "assets"
TRANSLATORS = "translators"  # the folder of assets with models that turn pictures into pictures


AVERAGE = "average.safetensors"  # in a run's folder of models: what ``average`` made of them


def moments(run: str | Path) -> dict[float, Path]:
    """Return the model files of a run by kimg, in the order of progress."""
    found: dict[float, Path] = {}
    for file in sorted(Path(run).glob("models/*kimg.safetensors")):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)kimg\.safetensors", file.name)
        if match:
            found[float(match[1])] = file
    return dict(sorted(found.items()))


def moment_name(kimg: float) -> str:
    """Return ``30kimg``, ``0.512kimg``: what follows the @ in ``RUN@30kimg``."""
    return f"{kimg:.3f}".rstrip("0").rstrip(".") + "kimg"


def bundled() -> list[str]:
    """Return names of the generators inside the package; its translators are apart."""
    return sorted(p.stem for p in ASSETS.glob("*.safetensors") if not p.stem.endswith("-encoder"))


def bundled_translators() -> list[str]:
    """Return names of the translators inside the package."""
    return sorted(p.stem for p in (ASSETS / TRANSLATORS).glob("*.safetensors"))


def bundled_file(name: str) -> Path | None:
    """Return the file of a bundled generator or translator; None if none has that name."""
    if name in bundled():
        return ASSETS / f"{name}.safetensors"
    return ASSETS / TRANSLATORS / f"{name}.safetensors" if name in bundled_translators() else None


@dataclass(frozen=True)
class Meaning:
    """What a name stands for.

    ``kind`` is bundled, folder, file, moment (``RUN@30kimg``), hub (``hf:owner/name``), delta
    (``MODEL+FILE``), or "" for nothing. ``path`` is the model's file, the folder, the file, or the run of a
    moment; ``moment`` is what follows the @ (30, 0.512, best, average).
    """

    text: str
    kind: str
    path: Path
    moment: str = ""

    @property
    def is_dataset(self) -> bool:
        """Whether it is a folder that 'facegan prepare' made."""
        return self.kind == "folder" and (self.path / "dataset.json").is_file()

    @property
    def is_run(self) -> bool:
        """Whether it is a folder with models."""
        return self.kind == "folder" and bool(moments(self.path))

    @property
    def is_model(self) -> bool:
        """Whether a generator can be loaded from it, as far as its name tells; of a dataset it cannot."""
        named = ("bundled", "file", "moment", "hub", "delta")
        return self.kind in named or (self.is_run and not self.is_dataset)

    @property
    def run(self) -> Path | None:
        """The run folder that it names, whole or by one of its moments; None where it names none."""
        return self.path if self.kind in ("folder", "moment") else None


def meaning(reference: str | Path) -> Meaning:
    """Return what ``reference`` stands for; all commands and functions ask here.

    A bundled name is the bundled model; a file or folder of that name beside it is written as a path,
    ``./celeba64``, and a line on standard error says so. Anything else is what lies there: a file, a folder,
    ``RUN@30kimg``, ``RUN@best``, ``RUN@average``, ``hf:owner/name``, ``MODEL+FILE.safetensors``.
    """
    path = arguments.place(reference, "a model, run or dataset").expanduser()
    text = str(reference)
    if is_hub_name(text):
        return Meaning(text, "delta" if split_delta(text)[1] else "hub", path)
    inside = bundled_file(text)
    if inside is not None and (isinstance(reference, str) or not path.exists()):
        tell_twice(text, "model")
        return Meaning(text, "bundled", inside)
    if path.is_dir() or path.is_file():
        return Meaning(text, "folder" if path.is_dir() else "file", path)
    match = re.fullmatch(r"(.+)@(?:(\d+(?:\.\d+)?)(?:kimg)?|(best|average))", text)
    if match and Path(match[1]).expanduser().is_dir():
        return Meaning(text, "moment", Path(match[1]).expanduser(), match[2] or match[3])
    return Meaning(text, "delta" if split_delta(text)[1] else "", path)


def resolve(reference: str | Path) -> Path:
    """Return the model file that ``reference`` means.

    A run folder (its newest model), a moment of one (``RUN@30kimg``, ``RUN@30``, ``RUN@best``), what
    ``average`` made of one (``RUN@average``), a ``.safetensors`` file, a bundled name, or a model on the Hub
    (``hf:owner/name``, which is downloaded unless it is cached); of ``MODEL+FILE.safetensors`` (a model with
    a delta) the model. ModelError in one line otherwise; InputError if the Hub refuses.
    """
    found = meaning(reference)
    text, path = found.text, found.path
    if found.kind in ("bundled", "file"):
        return path
    if found.kind == "hub":
        return hub_model(text)
    if found.kind == "delta":
        return resolve(split_delta(text)[0])
    if found.kind == "folder":
        return _newest(found)
    if found.kind == "moment":
        named = {"best": _best, "average": _average}.get(found.moment)
        return _at(path, found.moment) if named is None else named(path)
    inside = [*bundled(), *bundled_translators()]
    known_names = f"; bundled: {', '.join(inside)}" if inside else ""
    if repository := _on_the_hub(text):
        known_names += f"; a model on the Hugging Face Hub is {PREFIX}{repository}"
    if "+" in text:
        known_names += "; after a + comes a delta, a .safetensors file"
    raise ModelError(f"{text}: no such run folder, model file or bundled model{known_names}")


def _on_the_hub(text: str) -> str:
    """Return the repository that may be meant, of ``owner/name`` or its web address; "" for none."""
    address = re.fullmatch(r"https?://(?:huggingface\.co|hf\.co)/([^/?#]+/[^/?#]+).*", text)
    name = address[1] if address else text
    return name if is_repository(name) and not name.endswith(".safetensors") else ""


def split_delta(reference: str | Path) -> tuple[str, str]:
    """Return ``MODEL+FILE.safetensors`` as model and delta; the latter "" where there is none."""
    text = str(arguments.place(reference, "a model"))
    if Path(text).expanduser().exists():
        return text, ""
    # Names may have a + themselves: the delta is what is there, else what follows the last.
    splits = [(text[: m.start()], Path(text[m.end() :]).expanduser()) for m in re.finditer(r"\+", text)]
    fitting = [(model, delta) for model, delta in splits if model and delta.suffix == ".safetensors"]
    if not fitting:
        return text, ""
    model, delta = next((pair for pair in fitting if pair[1].is_file()), fitting[-1])
    return model, str(delta)


def _newest(found: Meaning) -> Path:
    """Return the newest model in a folder."""
    text, there = found.text, list(moments(found.path).values())
    if there:
        return there[-1]
    if found.is_dataset:
        raise ModelError(f"{text}: this is a dataset; 'facegan train {text}' makes a model of it")
    raise ModelError(f"{text}: no models in this folder; is it a run of 'facegan train'?")


def _at(run: Path, moment: str) -> Path:
    """Return the model of a run at so many kimg."""
    known = moments(run)
    if float(moment) not in known:
        names = ", ".join(moment_name(kimg) for kimg in known) or "none"
        raise ModelError(f"{run}: no model at {moment}kimg (there are: {names})")
    return known[float(moment)]


def _best(run: Path) -> Path:
    """Return the model of the best moment, by the metric that the run was trained with."""
    import json

    try:
        file = run / "models" / str(json.loads((run / "best.json").read_text())["model"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{run}@best: no metric was measured in this run (--metric)") from None
    if not file.is_file():
        raise ModelError(f"{file}: the best moment's model is gone")
    return file


def _average(run: Path) -> Path:
    """Return the model that ``facegan average`` made of a run."""
    file = run / "models" / AVERAGE
    if not file.is_file():
        raise ModelError(f"{run}@average: there is none yet; 'facegan average {run}' makes it")
    return file


def as_model(model: Generator | str | Path, device: str | torch.device = "cpu") -> Generator:
    """Return a Generator as it is, or the one that a name means.

    Raises:
        InputError: It is a translator; the message says what takes one.
        ModelError: There is no such model.
    """
    from facegan.generator import Generator

    found, name = _named(model, device)
    if isinstance(found, Generator):
        return found
    raise InputError(
        f"{name}: this is a translator, which makes pictures of pictures; use 'facegan translate {name} "
        "PHOTO'"
    )


def as_sampler(model: Sampler | str | Path, device: str | torch.device = "cpu") -> Sampler:
    """Return what draws a model's pictures: itself, or of a name that without PyTorch, if there is one.

    On a CPU, models of which :meth:`facegan.sampler.OnnxSampler.load` knows a graph are drawn by it; all
    others, and any with a delta, by the Generator of :func:`as_model`, which raises for what is none.
    """
    from facegan.sampler import OnnxSampler

    if isinstance(model, OnnxSampler):
        return model
    if isinstance(model, (str, Path)) and str(device) == "cpu" and not split_delta(model)[1]:
        path = resolve(model)
        if (found := OnnxSampler.load(path)) is not None:
            found.bundled = path.stem if path.parent == ASSETS else ""
            return found
    return as_model(model, device)  # type: ignore[arg-type]


def as_generator(sampler: Sampler) -> Generator:
    """Return the model that a sampler draws, in PyTorch: for gradients, and what reads a network's layers."""
    from facegan.generator import Generator
    from facegan.sampler import OnnxSampler

    if isinstance(sampler, OnnxSampler):
        model = Generator.load(sampler.file)
        model.bundled = sampler.bundled
        return model
    assert isinstance(sampler, Generator)
    return sampler


def as_translator(model: Translator | str | Path, device: str | torch.device = "cpu") -> Translator:
    """Return a Translator as it is, or the one that a name means.

    Raises:
        InputError: It is a generator; the message says what takes one.
        ModelError: There is no such model.
    """
    from facegan.translator import Translator

    found, name = _named(model, device)
    if isinstance(found, Translator):
        return found
    raise InputError(
        f"{name}: this is a generator, which makes faces from noise; a translator comes from 'facegan train "
        "... --recipe pix2pix-64' or cyclegan-64, and 'facegan edit' changes photos with a generator"
    )


def _named(
    model: Generator | Translator | str | Path, device: str | torch.device
) -> tuple[Generator | Translator, str]:
    """Return the model, and what messages call it."""
    from facegan.model_files import Model

    return (model, "the model") if isinstance(model, Model) else (load(model, device), str(model))


def is_translator(model: object) -> bool:
    """Return whether a model, or the one that a name means, is a translator; False where there is none."""
    from facegan.model_header import TRANSLATOR, kind_of
    from facegan.translator import Translator

    if not isinstance(model, (str, Path)):
        return isinstance(model, Translator)
    try:
        return meaning(model).is_model and kind_of(resolve(model)) == TRANSLATOR
    except ModelError:
        return False


def with_labels(
    model: _Sampler,
    labels: str | Mapping[str, int],
    *,
    by_seed: bool = True,
    in_w: bool = False,
    say: Callable[[str], None] | None = None,
) -> _Sampler:
    """Return the model with the labels that a picture gets; a conditional one without any says what it takes.

    Args:
        model: the generator.
        labels: as :meth:`Generator.tell` reads them; "" leaves the model as it is.
        by_seed: whether the pictures are those of seeds, by which ``random`` draws labels.
        in_w: whether the vectors are of w, which holds labels already.
        say: receives the line about the labels taken.

    Raises:
        InputError: The labels do not fit the model, or the vectors.
    """
    if in_w and model.labels:
        if labels:
            raise InputError(f"--labels {labels}: vectors of w hold their labels already; leave it out")
        return model
    if labels:
        other: _Sampler = model.tell(labels)
        if other.varied is not None and not by_seed:
            raise InputError(
                f"--labels {labels}: only seeds have labels of their own; name them, as in "
                f"--labels {model.spelled()}"
            )
        return other
    if model.labels and say is not None:
        say(f"labels: {model.spelled()} (choose others with --labels{', or random' * by_seed})")
    return model


def load(reference: str | Path, device: str | torch.device = "cpu") -> Generator | Translator:
    """Return the generator or translator that ``reference`` means, on ``device`` (cpu, cuda or mps).

    :func:`resolve` says what a name means. ``MODEL+FILE.safetensors`` is MODEL with the delta that
    ``facegan invert --tune`` saved; MODEL may be such a one itself.
    """
    from facegan.deltas import apply_delta
    from facegan.devices import check_device
    from facegan.generator import Generator
    from facegan.model_header import TRANSLATOR, kind_of
    from facegan.translator import Translator

    before, delta = split_delta(reference)
    if delta:
        return apply_delta(as_model(before, device), delta)
    path = resolve(reference)
    check_device(device)
    model: Generator | Translator
    model = (Translator if kind_of(path) == TRANSLATOR else Generator).load(path, device)
    if path.parent in (ASSETS, ASSETS / TRANSLATORS):
        model.bundled = path.stem
    return model
