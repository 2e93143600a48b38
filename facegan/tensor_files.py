"""Read and write ``.safetensors`` files with one JSON text in the header; loading executes nothing.

Models, deltas, directions, encoders, attribute networks and packed runs are such files, and so is the
half-done work of everything that takes long.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan import kinds
from facegan.errors import FaceganError, ModelError, first_line
from facegan.files import write_bytes

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn
    from torch.optim import Optimizer

MAX_HALF = 65504  # half precision has no greater value; such a weight would silently become infinite

_OURS = {  # key of the header -> what the file is, and what takes it
    "facegan": "a model",
    "facegan-attributes": "an attribute network; --network, and attack's --model, take it",
    "facegan-delta": "a delta; MODEL+FILE is the model with it",
    "facegan-directions": "directions; edit's --directions takes them",
    "facegan-encoder": "an encoder, which invert finds beside its model",
    "facegan-networks": "the networks of 'facegan pack'; train's --init takes them",
}


def read_tensors(
    path: str | Path, key: str, form: int | str, *, what: str, absent: str = ""
) -> contextlib.AbstractContextManager[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Open the header and the tensors of a ``.safetensors`` file; the header is JSON, stored under ``key``.

    Args:
        path: the file.
        key: the header's entry, which says what kind of file it is.
        form: the format that this version reads, the header's ``format``.
        what: the kind of file, for messages.
        absent: what is missing if there is no such file; ``what`` by default.

    Entries of the file whose names begin with ``key`` and a hyphen are added to the header.

    Raises:
        ModelError: in one line, if there is no such file, if it is damaged or of another kind or format, or
            if the block cannot make sense of it.
    """
    return _read(path, key, form, what=what, absent=absent, framework="pt")


def read_arrays(
    path: str | Path, key: str, form: int | str, *, what: str, absent: str = ""
) -> contextlib.AbstractContextManager[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Open the header and the arrays of a file as :func:`read_tensors` does, without PyTorch."""
    return _read(path, key, form, what=what, absent=absent, framework="np")


@contextlib.contextmanager
def _read(
    path: str | Path, key: str, form: int | str, *, what: str, absent: str, framework: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework=framework) as handle:
            header = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such {absent or what}") from None
    except (SafetensorError, OSError) as error:
        if other := foreign_kind(path):
            article = "" if what.endswith("s") else "an " if what[0] in "aeiou" else "a "
            raise ModelError(f"{path}: this is {other}, not {article}{what}") from None
        why = "it is a folder" if Path(path).is_dir() else first_line(error)
        raise ModelError(f"{path}: not a readable .safetensors file ({why})") from None
    if (text := header.get(key)) is None:
        others = [name for entry, name in _OURS.items() if entry in header]
        why = f"it is {others[0]}" if others else f"its header has no '{key}' entry"
        raise ModelError(f"{path}: no {what} ({why})")
    try:
        head = json.loads(text)
        if (found := head.get("format")) != form:
            raise ModelError(f"format {str(found)[:20]} is not {form}; is facegan up to date?")
        head.update({name: text for name, text in header.items() if name.startswith(f"{key}-")})
        yield head, tensors
    except FaceganError as error:
        raise ModelError(f"{path}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise ModelError(f"{path}: the header does not describe its tensors ({first_line(error)})") from None


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and without spaces, so that equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors in half precision (integers unchanged), sorted by name."""
    return {
        k: v.detach().clamp(-MAX_HALF, MAX_HALF).half() if v.is_floating_point() else v
        for k, v in sorted(tensors.items())
    }


def tensor_bytes(
    key: str,
    head: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    beside: Mapping[str, str] | None = None,
) -> bytes:
    """Return the content of a file that :func:`read_tensors` reads; ``head`` names its ``format``.

    ``beside`` are further entries of the header, which it does not read.
    """
    from safetensors.torch import save

    stored = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    content: bytes = save(stored, {key: canonical_json(head), **(beside or {})})
    return _in_order(content) if beside else content


def _in_order(content: bytes) -> bytes:
    """Return the file with the entries of its header sorted: the library writes several in any order."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def write_tensors(
    path: str | Path,
    key: str,
    head: Mapping[str, Any],
    *,
    tensors: Mapping[str, Tensor],
    beside: Mapping[str, str] | None = None,
) -> None:
    """Write a file for :func:`read_tensors`, completely or not at all."""
    write_bytes(path, tensor_bytes(key, head, tensors, beside=beside))


# --- half-done work ----------------------------------------------------------------------------------


class ResumableTensors:
    """Keep the results of unfinished work in one file or a folder of files, so that it can continue.

    Args:
        place: the file (:meth:`save`, :meth:`load`) or the folder (:meth:`kept`); None keeps nothing.
        key: what the work belongs to: settings and data. Files of other work are not looked at.
    """

    def __init__(self, place: Path | None, key: str = "") -> None:
        self.place, self.key = place, key

    def save(self, tensors: Mapping[str, Tensor], **head: Any) -> None:
        """Save the tensors and the entries of ``head``, replacing earlier ones."""
        if self.place is not None:
            copies = {k: v.detach().clone() for k, v in tensors.items()}  # safetensors takes no shared memory
            write_tensors(self.place, _UNFINISHED, {**head, "format": 1, "key": self.key}, tensors=copies)

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Return the header and the tensors, or None if nothing of this work was saved."""
        return None if self.place is None else self._read(self.place)

    def kept(self, name: str, make: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """Return the tensors saved under ``name``; otherwise call ``make``, save its result and return it."""
        if self.place is None:
            return list(make())
        file = self.place / f"{name}.safetensors"
        if (found := self._read(file)) is not None:
            return [found[1][str(i)] for i in range(len(found[1]))]
        made = list(make())
        with contextlib.suppress(OSError):  # a full disk: the work goes on without
            ResumableTensors(file, self.key).save({str(i): t for i, t in enumerate(made)})
        return made

    def clear(self) -> None:
        """Remove the file or folder after the work is finished."""
        if self.place is not None and self.place.is_dir():
            shutil.rmtree(self.place, ignore_errors=True)
        elif self.place is not None:
            self.place.unlink(missing_ok=True)

    def _read(self, file: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        with (
            contextlib.suppress(ModelError),
            read_tensors(file, _UNFINISHED, 1, what="unfinished work") as (head, tensors),
        ):
            if head["key"] == self.key:
                return head, tensors
        return None


_UNFINISHED = "facegan-unfinished"


def training_tensors(networks: Mapping[str, nn.Module], optimizer: Optimizer) -> dict[str, Tensor]:
    """Return all trained tensors by names for one file."""
    found = {f"{name}/{k}": v for name, module in networks.items() for k, v in module.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        found |= {f"optimizer/{i}/{k}": v for k, v in state.items()}
    return found


def load_training(
    tensors: Mapping[str, Tensor], networks: Mapping[str, nn.Module], optimizer: Optimizer
) -> None:
    """Load the result of :func:`training_tensors` into networks and optimiser."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, i, name = key.split("/")
            moments.setdefault(int(i), {})[name] = value
    for name, module in networks.items():
        module.load_state_dict(
            {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}
        )
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


# --- files that are none of these ----------------------------------------------------------------------

_PICTURE = "a picture ('facegan invert' finds a photo's vector, 'facegan edit' changes a photo)"
_OTHERS = (  # how a file begins, and what it is
    (b"\x89HDF", "a Keras (HDF5) file"),
    (b"PAR1", "a Parquet table"),
    *((bytes([0x80, protocol]), "a pickle, such as PyTorch weights") for protocol in range(2, 6)),
)


def foreign_kind(path: str | Path) -> str:
    """Return a file's kind by its first bytes if it is certainly not a ``.safetensors`` file, else ""."""
    import zipfile

    try:
        with open(path, "rb") as handle:
            head = handle.read(kinds.HEAD)
        if not head:
            return "an empty file"
        if head[:2] == b"PK" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
            vectors = any(name.endswith(".npy") for name in names)
            weights = any(name.endswith("data.pkl") for name in names)
            return "an .npz of vectors" if vectors else "PyTorch weights" if weights else "a zip archive"
    except (OSError, zipfile.BadZipFile, ValueError):
        return ""
    if kinds.is_picture(head, str(path)):
        return _PICTURE
    if head[4:8] == b"ftyp":
        return "a picture or film"
    return next((kind for begin, kind in _OTHERS if head.startswith(begin)), "") or kinds.text_kind(head)


def has_header(path: str | Path, key: str) -> bool:
    """Return whether ``path`` is a ``.safetensors`` file with an entry ``key`` in its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as handle:
            return key in (handle.metadata() or {})
    except (SafetensorError, OSError):
        return False


def by_group(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors named ``group/key`` by group and key."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, key = name.partition("/")
        found.setdefault(group, {})[key] = value
    return found
