"""Points in latent space as users write them: seeds, ranges, saved vectors, constants."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.sampler import Sampler
from facegan.seeds import is_seeds, parse_seeds, seed_name

if TYPE_CHECKING:
    import torch


def is_point(text: str) -> bool:
    """Return whether ``text`` is written as a point in latent space: seeds, or vectors of ``FILE.npz``."""
    return is_seeds(text) or ".npz" in text.lower()


SPACES = ("z", "w", "w+")


@dataclass(frozen=True)
class Vectors:
    """Latents with a name each (a seed, "all 0.5", "result"), given as a tensor or an array.

    They are ``N,dim``, or in the spaces ``w`` (the same in all layers) and ``w+`` ``N,num_ws,w_dim``:
    ``z`` is them as a tensor, ``array`` as an array, which needs no PyTorch.
    """

    given: torch.Tensor | np.ndarray
    names: tuple[str, ...]
    model_hash: str = ""
    space: str = "z"

    @property
    def z(self) -> torch.Tensor:
        """The vectors as a tensor."""
        import torch

        return torch.from_numpy(self.given) if isinstance(self.given, np.ndarray) else self.given

    @property
    def array(self) -> np.ndarray:
        """The vectors as an array."""
        return self.given if isinstance(self.given, np.ndarray) else self.given.detach().cpu().numpy()

    def __repr__(self) -> str:
        names = ", ".join(self.names[:5]) + ", ..." * (len(self.names) > 5)
        shape, known = "x".join(map(str, self.given.shape)), self.model_hash[:12] or "any"
        return f"<Vectors: {len(self)} in {self.space} ({shape}): {names}; of model {known}>"

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, indices: Sequence[int]) -> Vectors:
        """Return those at ``indices`` (from 0)."""
        return Vectors(
            self.given[list(indices)], tuple(self.names[i] for i in indices), self.model_hash, self.space
        )


def save_vectors(path: str | Path, vectors: Vectors) -> None:
    """Write an ``.npz`` with ``names``, ``model_hash`` and ``z``, ``w`` or ``w+``, named as the space."""
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: saved vectors are .npz files; choose such a name")
    arrays: dict[str, np.ndarray] = {
        vectors.space: vectors.array.astype(np.float32),
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
            z = np.atleast_2d(archive[name]).astype(np.float32)
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
    if not np.isfinite(z).all():
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


def seed_vectors(model: Sampler, seeds: Sequence[int]) -> Vectors:
    """Return the latents ``N,dim`` of seeds; w, which holds labels, where each has labels of its own."""
    z, names = model.latents(seeds), tuple(map(seed_name, seeds))
    if model.varied is None:
        return Vectors(z, names, model.hash)
    return Vectors(model.to_w(z, labels=model.labels_of(seeds)), names, model.hash, "w+")


def constant_vectors(model: Sampler, text: str) -> Vectors:
    """Return latents whose every component is one number: ``0,0.5,1``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--constant '{text}': not a list of numbers such as 0,0.5,1") from None
    with np.errstate(over="ignore"):  # infinite ones are refused
        z = np.array(values, np.float32)[:, None].repeat(model.latent.dim, 1)
    if not np.isfinite(z).all():
        raise InputError(f"--constant '{text}': the numbers must be finite")
    return Vectors(z, tuple(f"all {v:g}" for v in values), model.hash)


def parse_point(model: Sampler, text: str) -> Vectors:
    """Return the vectors of seeds (``seed:7``, or numbers alone) or of ``FILE.npz``, also ``FILE.npz:3``."""
    if ".npz" in text.lower():
        return select_vectors(text, model.latent.dim, "point", w_shape=(model.num_ws, model.w_dim))
    return seed_vectors(model, parse_seeds(text, "point"))


def joined(model: Sampler, parts: Sequence[Vectors]) -> Vectors:
    """Return all of them in one: in z where all are, else each as w of its layers."""
    names = tuple(name for part in parts for name in part.names)
    if all(part.space == "z" for part in parts):
        return Vectors(np.concatenate([part.array for part in parts]), names, model.hash)
    w = [model.to_w(part) if part.space == "z" else part.array for part in parts]
    return Vectors(np.concatenate(w), names, model.hash, "w+")
