"""Reading run folders: which models there are, and what a MODEL on the command line means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.errors import InputError, ModelError

if TYPE_CHECKING:
    from facegan.generator import Generator

ASSETS = Path(__file__).parent / "assets"


def moments(run: str | Path) -> dict[float, Path]:
    """kimg -> model file, in the order of progress."""
    found: dict[float, Path] = {}
    for file in sorted(Path(run).glob("models/*kimg.safetensors")):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)kimg\.safetensors", file.name)
        if match:
            found[float(match[1])] = file
    return dict(sorted(found.items()))


def moment_name(kimg: float) -> str:
    """``30kimg``, ``0.512kimg``: what follows the @ in ``RUN@30kimg``."""
    return f"{kimg:.3f}".rstrip("0").rstrip(".") + "kimg"


def bundled() -> list[str]:
    """Names of the models inside the package."""
    return sorted(p.stem for p in ASSETS.glob("*.safetensors") if not p.stem.endswith("-encoder"))


def resolve(reference: str | Path) -> Path:
    """The model file that ``reference`` means.

    A run folder (its newest model), a moment of one (``RUN@30kimg``, ``RUN@30``, ``RUN@best``), a
    ``.safetensors`` file, or a bundled name; of ``MODEL+FILE.safetensors`` (a model with a delta) the
    model. ModelError in one line otherwise.
    """
    text = str(reference)
    path = Path(text).expanduser()
    if path.is_dir():
        found = moments(path)
        if found:
            return list(found.values())[-1]
        if text not in bundled():  # else a dataset, say, of the same name
            raise ModelError(f"{text}: no models in this folder; is it a run of 'facegan train'?")
    if path.is_file():
        return path
    if text.endswith("@best") and Path(text[:-5]).expanduser().is_dir():
        return _best(Path(text[:-5]).expanduser())
    match = re.fullmatch(r"(.+)@(\d+(?:\.\d+)?)(?:kimg)?", text)
    if match and Path(match[1]).expanduser().is_dir():
        found = moments(Path(match[1]).expanduser())
        if float(match[2]) not in found:
            there = ", ".join(moment_name(kimg) for kimg in found) or "none"
            raise ModelError(f"{match[1]}: no model at {match[2]}kimg (there are: {there})")
        return found[float(match[2])]
    if text in bundled():
        return ASSETS / f"{text}.safetensors"
    if split_delta(text)[1]:
        return resolve(split_delta(text)[0])
    names = bundled()
    known = f"; bundled: {', '.join(names)}" if names else ""
    if "+" in text:
        known += "; after a + comes a delta, a .safetensors file"
    raise ModelError(f"{text}: no such run folder, model file or bundled model{known}")


def split_delta(reference: str | Path) -> tuple[str, str]:
    """``MODEL+FILE.safetensors`` as model and delta; the latter "" where there is none."""
    text = str(reference)
    if Path(text).expanduser().exists():
        return text, ""
    # Names may have a + themselves: the delta is what is there, else what follows the last.
    splits = [(text[: m.start()], Path(text[m.end() :]).expanduser()) for m in re.finditer(r"\+", text)]
    fitting = [(model, delta) for model, delta in splits if model and delta.suffix == ".safetensors"]
    if not fitting:
        return text, ""
    model, delta = next((pair for pair in fitting if pair[1].is_file()), fitting[-1])
    return model, str(delta)


def _best(run: Path) -> Path:
    """The model of the best moment, by the metric that the run was trained with."""
    import json

    try:
        file = run / "models" / str(json.loads((run / "best.json").read_text())["model"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{run}@best: no metric was measured in this run (--metric)") from None
    if not file.is_file():
        raise ModelError(f"{file}: the best moment's model is gone")
    return file


def check_device(device: str) -> None:
    """InputError if there is no such device here."""
    import torch

    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device {device}: not available here ({first}); try --device cpu") from None


def load(reference: str | Path, device: str = "cpu") -> Generator:
    """The generator that ``reference`` means (see :func:`resolve`), on ``device`` (cpu, cuda or mps).

    ``MODEL+FILE.safetensors`` is MODEL with the delta that ``facegan invert --tune`` saved; MODEL may be such
    a one itself.
    """
    from facegan.deltas import apply_delta
    from facegan.generator import Generator

    before, delta = split_delta(reference)
    if delta:
        return apply_delta(load(before, device), delta)
    path = resolve(reference)
    check_device(device)
    model = Generator.load(path, device)
    if path.parent == ASSETS:
        model.bundled = path.stem
    return model
