"""A project: a folder with datasets, runs, models and results, each with an id.

A request names an item by its id, which is looked up in a listing. Nothing that a request brings is ever
joined to a path.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.model_hash import hash_of_file
from facegan.models import bundled, bundled_file, bundled_translators, moment_name, moments
from facegan.runs.record import read_json
from facegan.studio.refusals import NotFoundError, shown

PRIVATE = ".studio"
MAX_LISTED = 10_000
"""Entries of a folder that are looked at."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_HEAD_BYTES = 4 * 2**20  # the most of a model's header that is read


@dataclass(frozen=True)
class Item:
    """Something in a project."""

    kind: str
    """``datasets``, ``runs``, ``models`` or ``results``."""
    id: str
    """The name that requests use; unique among those of its kind."""
    name: str
    """The name for people and command lines: its path within the project."""
    path: Path
    """Where it lies."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What a list shows of it."""

    @property
    def loaded(self) -> str:
        """Return the name by which facegan loads a model, wherever it is called from."""
        if self.facts.get("bundled"):
            return self.name
        moment = self.id.rpartition("@")[2] if "@" in self.id else ""
        return f"{self.path}@{moment}" if moment else str(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Return the item for JSON, without its path."""
        return {"id": self.id, "name": self.name, "kind": self.kind, **self.facts}


class Project:
    """A folder with everything that somebody makes in the studio."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().resolve()
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{root}: this is a file; choose a folder for the project")
        self.private = self.root / PRIVATE
        self.results_folder = self.root / "results"

    def prepare(self) -> None:
        """Make the project's folder, readable for its owner alone within ``.studio``."""
        try:
            self.private.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.chmod(self.private, 0o700)
        except OSError as error:
            raise InputError(f"{self.root}: cannot be written ({error.strerror or error})") from None

    # --- listings ---------------------------------------------------------------------------

    def datasets(self) -> list[Item]:
        """Return the datasets: folders with ``dataset.json``, in the project or its ``datasets/``."""
        return self._listed("datasets", _dataset_facts)

    def runs(self) -> list[Item]:
        """Return the runs of training: folders with ``config.json``, in the project or its ``runs/``."""
        return self._listed("runs", _run_facts)

    def models(self, runs: Iterable[Item] | None = None) -> list[Item]:
        """Return the bundled models, the model files, and those of ``runs`` that have models."""
        inside = _bundled_names()
        found = [
            Item("models", name, name, path, {"model": kind, "bundled": True})
            for name, kind in inside.items()
            if (path := bundled_file(name)) is not None
        ]
        found += self._listed("models", model_facts, taken=set(inside))
        for run in self.runs() if runs is None else runs:
            if run.facts["moments"]:
                facts = {"model": run.facts["model"], "run": run.id, "moments": run.facts["moments"]}
                found.append(Item("models", f"run~{run.id}", run.name, run.path, facts))
        return found

    def results(self) -> list[Item]:
        """Return the results, newest first: those for which ``results/`` has ``ID.json``."""
        found = []
        for file in sorted(_entries(self.results_folder), reverse=True):
            if file.suffix == ".json" and _PLAIN.fullmatch(file.stem) and file.is_file():
                about = _result_facts(file) or {}
                if about.get("id") == file.stem:
                    found.append(Item("results", file.stem, f"results/{file.name}", file, about))
        return found

    def find(self, kind: str, wanted: Any) -> Item:
        """Return the item of that kind and id.

        Of a run, the model at 30 kimg is ``run~NAME@30kimg``, the best one ``run~NAME@best``.

        Raises:
            NotFoundError: The listing has no such id.
        """
        listing: dict[str, Callable[[], list[Item]]] = {
            "datasets": self.datasets,
            "runs": self.runs,
            "models": self.models,
            "results": self.results,
        }
        if kind in listing and isinstance(wanted, str) and len(wanted) <= 200:
            for item in listing[kind]():
                if item.id == wanted:
                    return item
                for moment in item.facts.get("moments", ()) if kind == "models" else ():
                    if f"{item.id}@{moment}" == wanted:
                        return Item(kind, wanted, f"{item.name}@{moment}", item.path, item.facts)
        raise NotFoundError(f"this project has no {kind.removesuffix('s')} '{shown(wanted)}'")

    def _listed(
        self, kind: str, facts: Callable[[Path], dict[str, Any] | None], taken: Iterable[str] = ()
    ) -> list[Item]:
        """Return the items of a kind; those in the folder of that name come first."""
        found: list[Item] = []
        ids = set(taken)
        for place in (self.root / kind, self.root):
            for path in sorted(_entries(place)):
                if path.name.startswith(".") or (about := facts(path)) is None:
                    continue
                name = self.relative(path)
                plain = path.name.removesuffix(".safetensors")
                wanted = plain if place != self.root else f"~{plain}"
                found.append(Item(kind, _free_id(wanted, name, ids), name, path, about))
        return found

    # --- new items --------------------------------------------------------------------------

    def check_new(self, kind: str, name: Any) -> str:
        """Return the name of a new dataset, run or model.

        Raises:
            InputError: It is no plain name, or taken.
        """
        if not isinstance(name, str) or not _PLAIN.fullmatch(name) or name.endswith("."):
            raise InputError(
                f"name '{shown(name)}': take letters, digits, '-', '_' and '.', at most 80, with a letter or "
                "digit first"
            )
        path = self.root / kind / name
        if path.exists() or path.is_symlink():
            raise InputError(f"name '{name}': the project has {kind}/{name} already; choose another")
        return name

    def relative(self, path: str | Path) -> str:
        """Return a path as command lines in the project's folder name it."""
        path = Path(path)
        if not path.is_relative_to(self.root):
            return str(path)
        name = path.relative_to(self.root).as_posix()
        odd = "/" not in name and (name in _bundled_names() or not name[:1].isalnum())
        return f"./{name}" if odd else name

    # --- results ----------------------------------------------------------------------------

    def file_of(self, result: str, files: Any, number: int) -> Path:
        """Return a result's file by its number in the result's list ``files``.

        Raises:
            NotFoundError: There is no such file, or it is not one of this result in ``results/``.
        """
        listed = files[number] if isinstance(files, list) and 0 <= number < len(files) else None
        name = listed.get("name") if isinstance(listed, dict) else None
        if isinstance(name, str) and name.startswith(f"{result}.") and _FILE.fullmatch(name):
            path = self.results_folder / name
            if path.is_file() and not path.is_symlink():
                return path
        raise NotFoundError(f"result '{shown(result)}' has no file {number}")

    def file_as(self, item: Item, role: str) -> tuple[int, Path] | None:
        """Return number and path of a result's file with this role, such as ``vectors``; None without one."""
        files = item.facts.get("files")
        for number, about in enumerate(files if isinstance(files, list) else ()):
            if isinstance(about, dict) and about.get("role") == role:
                with contextlib.suppress(NotFoundError):
                    return number, self.file_of(item.id, files, number)
        return None

    def save_result(
        self, name: str, files: Sequence[dict[str, Any]], about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write ``results/NAME.json``, by which a result is listed, and return it.

        Args:
            name: its id.
            files: ``name`` and ``role`` of each of its files in ``results/``; ``bytes`` are added here.
            about: what else is known of it.
        """
        self.results_folder.mkdir(exist_ok=True)
        for file in files:
            file["bytes"] = (self.results_folder / file["name"]).stat().st_size
        found = {"id": name, "files": files, **about, "made": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        text = json.dumps(found, indent=1, default=as_json)
        write_bytes(self.results_folder / f"{name}.json", text.encode())
        return found

    def note_result(self, item: Item, notes: Mapping[str, Any]) -> None:
        """Write notes of a user, ``kept`` and ``label``, into a result's file; empty ones are taken out."""
        about = {**read_json(item.path), **notes}
        kept = {name: value for name, value in about.items() if value or name not in notes}
        write_bytes(item.path, json.dumps(kept, indent=1).encode())

    def delete_result(self, item: Item) -> None:
        """Delete a result with its files."""
        for number in range(len(item.facts.get("files") or ())):
            with contextlib.suppress(NotFoundError):
                self.file_of(item.id, item.facts["files"], number).unlink()
        item.path.unlink(missing_ok=True)


def new_id(what: str) -> str:
    """Return an id for a job or a result, which sorts by time."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{what}-{secrets.token_hex(3)}"


def as_json(value: Any) -> Any:
    """Return numbers of NumPy and paths as JSON's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) else str(value)


def _bundled_names() -> dict[str, str]:
    """Return name -> ``generator`` or ``translator`` of the bundled models."""
    return {
        **dict.fromkeys(bundled(), "generator"),
        **dict.fromkeys(bundled_translators(), "translator"),
    }


_Facts = Callable[[Path], dict[str, Any] | None]


def _kept(read: _Facts) -> _Facts:
    """Return a function that reads a file again only when it has changed."""

    @functools.lru_cache(maxsize=20_000)
    def known(path: Path, version: tuple[int, int, int]) -> dict[str, Any] | None:
        return read(path)

    @functools.wraps(read)
    def looked(path: Path) -> dict[str, Any] | None:
        try:
            about = path.stat()
        except OSError:
            return None
        return known(path, (about.st_mtime_ns, about.st_size, about.st_ino))

    return looked


def _entries(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return [Path(entry.path) for _, entry in zip(range(MAX_LISTED), entries, strict=False)]
    except OSError:
        return []


def _free_id(wanted: str, name: str, taken: set[str]) -> str:
    """Return an id for an address: the name, with a hash where that is odd or taken."""
    plain = re.sub(r"[^A-Za-z0-9._~-]", "_", wanted)[:80]
    if plain != wanted or plain in taken or "@" in wanted:
        plain = f"{plain}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:6]}"
    taken.add(plain)
    return plain


# --- facts -------------------------------------------------------------------------------------------


_result_facts = _kept(read_json)


def _dataset_facts(path: Path) -> dict[str, Any] | None:
    return _facts_of_dataset(path / "dataset.json")


@_kept
def _facts_of_dataset(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    about = read_json(file)
    keys = ("size", "channels", "counts", "attributes", "class_names", "has_inputs")
    return {key: about[key] for key in keys if key in about}


def _run_facts(path: Path) -> dict[str, Any] | None:
    if not (path / "config.json").is_file() or (path / "dataset.json").is_file():
        return None
    about = read_json(path / "config.json")
    found = moments(path)
    names = [moment_name(kimg) for kimg in found]
    if names and (path / "best.json").is_file():
        names.append("best")
    newest = model_facts(next(reversed(found.values()))) if found else None
    wanted = ("recipe", "family", "kimg", "size")
    facts = {key: about[key] for key in wanted if isinstance(about.get(key), (str, int, float))}
    return {**facts, "moments": names, "model": (newest or {}).get("model", "generator")}


@_kept
def model_facts(path: Path) -> dict[str, Any] | None:
    """Return what the header of a model's file says; None of other files. It reads no weights."""
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with open(path, "rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(length)) if length <= _HEAD_BYTES else {}
        about = json.loads(header["__metadata__"]["facegan"])
        shape = [int(side) for side in about["image_shape"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    kind = "translator" if about.get("kind") == "translator" else "generator"
    known = {"family": str(about.get("family", "")), "hash": str(about.get("hash", ""))}
    identity = str(header["__metadata__"].get("facegan-identity", ""))
    return {"model": kind, "image_shape": shape, **known, "identity": identity}


@_kept
def hash_of_model(path: Path) -> dict[str, Any] | None:
    """Return the hash of a model's file from its weights, as ``hash``: earlier files do not say it."""
    return {"hash": hash_of_file(path)}
