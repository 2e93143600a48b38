"""Points in latent space as users write them: seeds, ranges, saved vectors, constants."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.generator import Generator
from facegan.seeds import is_seeds, parse_seeds, seed_name


def is_point(text: str) -> bool:
    """Return whether ``text`` is written as a point in latent space: seeds, or vectors of ``FILE.npz``."""
    return is_seeds(text) or ".npz" in text.lower()


SPACES = ("z", "w", "w+")


@dataclass(frozen=True)
class Vectors:
    """Latents with a name each (a seed, "all 0.5", "result").

    ``z`` is ``N,dim``, or in the spaces ``w`` (the same in all layers) and ``w+`` ``N,num_ws,w_dim``.
    """

    z: torch.Tensor
    names: tuple[str, ...]
    model_hash: str = ""
    space: str = "z"

    def __repr__(self) -> str:
        names = ", ".join(self.names[:5]) + ", ..." * (len(self.names) > 5)
        shape, known = "x".join(map(str, self.z.shape)), self.model_hash[:12] or "any"
        return f"<Vectors: {len(self)} in {self.space} ({shape}): {names}; of model {known}>"

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, indices: Sequence[int]) -> Vectors:
        """Return those at ``indices`` (from 0)."""
        return Vectors(
            self.z[list(indices)], tuple(self.names[i] for i in indices), self.model_hash, self.space
        )


def save_vectors(path: str | Path, vectors: Vectors) -> None:
    """Write an ``.npz`` with ``names``, ``model_hash`` and ``z``, ``w`` or ``w+``, named as the space."""
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: saved vectors are .npz files; choose such a name")
    arrays: dict[str, np.ndarray] = {
        vectors.space: vectors.z.detach().cpu().float().numpy(),
        "names": np.array(vectors.names),
        "model_hash": np.array(vectors.model_hash),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    try:
        write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def load_vectors(path: str | Path, dim: int | None = None, w_shape: tuple[int, int] | None = None) -> Vectors:
    """Read what :func:`save_vectors` wrote, or any ``.npz`` whose ``z`` (or first array) is ``N,dim``.

    Vectors of the spaces w and w+ are for those who say ``w_shape``, the model's (num_ws, w_dim).
    """
    path = Path(path)
    if path.is_file() and not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a readable .npz of vectors, such as numpy.savez(FILE, z=ARRAY) writes")
    try:
        with np.load(path, allow_pickle=False) as archive:
            name = next((s for s in SPACES if s in archive.files), None) or archive.files[0]
            z = torch.from_numpy(np.atleast_2d(archive[name]).astype(np.float32))
            names = tuple(str(n) for n in archive["names"]) if "names" in archive.files else ()
            model_hash = str(archive["model_hash"]) if "model_hash" in archive.files else ""
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file of vectors") from None
    except Exception as error:  # zip, header and dtype errors of many kinds, all of them the file's
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a readable .npz of vectors ({text})") from None
    space = name if name in SPACES else "z"
    if space != "z":
        if w_shape is None:
            raise InputError(f"{path}: its vectors are in the space {space}, but here z is needed")
        if z.ndim != 3 or not len(z) or tuple(z.shape[1:]) != w_shape:
            need = ",".join(map(str, w_shape))
            raise InputError(
                f"{path}: its vectors in {space} have shape {tuple(z.shape)}, but the model needs N,{need}"
            )
    elif z.ndim != 2 or not len(z) or (dim is not None and z.shape[1] != dim):
        need = f"N,{dim}" if dim is not None else "N,dim"
        raise InputError(f"{path}: its vectors have shape {tuple(z.shape)}, but the model needs {need}")
    if not torch.isfinite(z).all():
        raise InputError(f"{path}: some values are not finite")
    return Vectors(
        z, names if len(names) == len(z) else tuple(f"#{i + 1}" for i in range(len(z))), model_hash, space
    )


def select_vectors(
    text: str, dim: int | None = None, option: str = "--vectors", *, w_shape: tuple[int, int] | None = None
) -> Vectors:
    """Return all vectors of ``FILE.npz``, or some by number from 1: ``FILE.npz:3``, ``FILE.npz:1,4-6``."""
    file, chosen = split_numbers(text)
    saved = load_vectors(file, dim, w_shape)
    if chosen is None:
        return saved
    numbers = parse_seeds(chosen, f"{option} {file}:")
    for number in numbers:
        if not 1 <= number <= len(saved):
            raise InputError(f"{file}: there is no vector {number} (it holds 1 to {len(saved)})")
    return saved[[n - 1 for n in numbers]]


def split_numbers(text: str) -> tuple[str, str | None]:
    """Return ``FILE.npz:1,4-6`` as file and numbers; the latter None where there are none."""
    match = re.fullmatch(r"(.+\.npz):([^/\\]*)", text, re.IGNORECASE)
    return (match[1], match[2]) if match else (text, None)


def seed_vectors(model: Generator, seeds: Sequence[int]) -> Vectors:
    """Return the latents ``N,dim`` of seeds; w, which holds labels, where each has labels of its own."""
    z, names = model.latent.sample(seeds), tuple(map(seed_name, seeds))
    if model.varied is None:
        return Vectors(z, names, model.hash)
    with torch.inference_mode():
        w = model.map(z, labels=model.labels_of(seeds)).cpu().clone()
    return Vectors(w, names, model.hash, "w+")


def constant_vectors(model: Generator, text: str) -> Vectors:
    """Return latents whose every component is one number: ``0,0.5,1``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--constant '{text}': not a list of numbers such as 0,0.5,1") from None
    z = torch.tensor(values, dtype=torch.float32)[:, None].repeat(1, model.latent.dim)
    if not torch.isfinite(z).all():
        raise InputError(f"--constant '{text}': the numbers must be finite")
    return Vectors(z, tuple(f"all {v:g}" for v in values), model.hash)


def parse_point(model: Generator, text: str) -> Vectors:
    """Return the vectors of seeds (``seed:7``, or numbers alone) or of ``FILE.npz``, also ``FILE.npz:3``."""
    if ".npz" in text.lower():
        return select_vectors(text, model.latent.dim, "point", w_shape=(model.num_ws, model.w_dim))
    return seed_vectors(model, parse_seeds(text, "point"))


def joined(model: Generator, parts: Sequence[Vectors]) -> Vectors:
    """Return all of them in one: in z where all are, else each as w of its layers."""
    names = tuple(name for part in parts for name in part.names)
    if all(part.space == "z" for part in parts):
        return Vectors(torch.cat([part.z for part in parts]), names, model.hash)
    with torch.no_grad():
        w = [model.map(part.z).cpu() if part.space == "z" else part.z for part in parts]
    return Vectors(torch.cat(w), names, model.hash, "w+")
