"""Publish a model on the Hugging Face Hub: ``facegan.publish``, which ``facegan publish`` calls."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facegan import arguments
from facegan.errors import InputError, ModelError
from facegan.exchange.exporting import export_model
from facegan.exchange.parity import Parity
from facegan.exchange.publish_card import (
    DIRECTIONS_FILE,
    GRAPH_FILE,
    LICENCE_FILE,
    SHEET_FILE,
    model_card,
)
from facegan.exchange.publish_facts import SHEET, Facts, facts_of, stored_type, told
from facegan.exchange.publish_metadata import config_json, space_card
from facegan.exchange.publish_upload import OURS, Upload
from facegan.files import fit_name, write_bytes, writing
from facegan.generator import Generator
from facegan.hub import MODEL_FILE, PREFIX, forget_hub_models, is_repository
from facegan.images import save_picture
from facegan.marks import made
from facegan.sheets import show
from facegan.version import __version__

_KINDS = ("model", "space")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """What :func:`publish` wrote. ``addresses`` are those on the Hub; none after a dry run."""

    repo: str
    hash: str
    """The hash of the published model."""
    files: dict[str, int]
    """Size in bytes by name, such as ``model/README.md``."""
    folder: Path | None
    """Where they were written; None if nothing was kept."""
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        width = max(map(len, self.files))
        lines = [f"{name:<{width}}  {_size(size):>8}" for name, size in self.files.items()]
        if self.folder is not None:
            lines = [f"{self.folder}/", *(f"  {line}" for line in lines)]
        lines += [f"published: {address}" for address in self.addresses]
        lines += [f"next: facegan generate {PREFIX}{self.repo} --count 25"] if self.addresses else []
        return "\n".join(lines)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def publish(
    model: Generator | str | Path,
    repo: str,
    *,
    dry_run: bool = False,
    out: str | Path = "",
    private: bool = False,
    space: bool = True,
    onnx: bool = True,
    evaluation: str | Path = "",
    licence: str = "",
    data_licence: str = "",
    say: Say = lambda line: None,
) -> Published:
    """Write and upload a model's repository on the Hugging Face Hub.

    It holds the model, a card with a sheet of uncurated samples, ``config.json`` and an ONNX graph; a static
    Space of the same name holds the model as a page. Paths of this computer are left out, also of the
    model's header, which changes its hash.

    Args:
        model: a Generator, or what :func:`facegan.load` takes.
        repo: the repository, ``owner/name``.
        dry_run: write the files to a folder, and upload nothing.
        out: the folder; "" is NAME-hub here in a dry run, else a temporary one.
        private: create private repositories.
        space: publish the page, too.
        onnx: publish the ONNX graph, too.
        evaluation: a result of ``facegan evaluate --json`` for the card; "" takes what the run or the bundled
            card says.
        licence: the model's licence, such as cc-by-4.0 or a sentence; "" takes what its file says.
        data_licence: the licence of the training pictures, for the card; "" is unknown.
        say: called with a line about each step.

    Raises:
        InputError: the name or an option cannot be used, or the Hub refuses; the message says what was done.
        ModelError: there is no such model, or it cannot be exported.
    """
    flags = {"dry-run": dry_run, "private": private, "space": space, "onnx": onnx}
    _check_arguments(repo, flags, {"licence": licence, "data-licence": data_licence})
    folder = _folder(repo, out, dry_run)
    facts = facts_of(
        model,
        repo,
        evaluation=str(arguments.place(evaluation, "--evaluation")) if evaluation != "" else "",
        licence=licence,
        data_licence=data_licence,
        onnx=onnx,
        space=space,
    )
    if dry_run and folder:
        return Published(repo, facts.model.hash, _write(facts, folder, say), folder)
    return _upload(facts, folder, private, say=say)


def _upload(facts: Facts, folder: Path | None, private: bool, *, say: Say) -> Published:
    """Write and upload the files."""
    kinds = _KINDS if facts.space else _KINDS[:1]
    upload = Upload(facts.repo, private, say)
    for kind in kinds:
        upload.check(kind)
    with tempfile.TemporaryDirectory(prefix="facegan-") as temporary:
        place = folder or Path(temporary)
        files = _write(facts, place, say)
        message = f"Model {facts.model.hash[:12]}, by facegan {__version__}"
        addresses = tuple(upload.send(kind, place / kind, message) for kind in kinds)
    forget_hub_models()
    return Published(facts.repo, facts.model.hash, files, folder, addresses)


def _check_arguments(repo: str, flags: Mapping[str, bool], texts: Mapping[str, str]) -> None:
    """Raise InputError for a name that is none, and for arguments of another type."""
    if not isinstance(repo, str) or not is_repository(repo):
        raise InputError(
            f"{repo}: not a repository's name; write owner/name with letters, digits, '-', '_' and '.'"
        )
    for name, flag in flags.items():
        arguments.switch(flag, f"--{name}")
    for name, text in texts.items():
        arguments.text(text, f"--{name}")


def _folder(repo: str, out: str | Path, dry_run: bool) -> Path | None:
    """Return the folder to write to, None for a temporary one; InputError if it cannot be used."""
    folder = arguments.place(out, "out") if out != "" else None
    if dry_run and folder is None:
        folder = Path(fit_name(repo.partition("/")[2], "-hub"))
    if folder:
        _check_folder(folder)
    return folder


def _check_folder(folder: Path) -> None:
    """Raise InputError unless it is new, or holds what was published before."""
    if folder.is_dir():
        # A link to a folder is one of the others: what lies there is not ours to replace.
        found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        there = {path.relative_to(folder).as_posix() for path in found}
        others = sorted(there - {f"{kind}/{name}" for kind, names in OURS.items() for name in names})
        if others:
            raise InputError(
                f"--out {folder}: this folder holds other files ({others[0]}); choose another one"
            )
    elif folder.exists():
        raise InputError(f"--out {folder}: this is a file; name a folder")


def _write(facts: Facts, folder: Path, say: Say) -> dict[str, int]:
    """Write all files; return their sizes by name."""
    with writing("--out", str(folder)):
        for kind in _KINDS:
            shutil.rmtree(folder / kind, ignore_errors=True)
        _write_model(facts, folder / "model", say)
        if facts.space:
            _write_space(facts, folder / "space", say)
        return {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for kind in _KINDS
            for path in sorted((folder / kind).glob("*"))
        }


def _write_model(facts: Facts, folder: Path, say: Say) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts.model.save(folder / MODEL_FILE, stored_type(facts.model))
    if facts.directions:
        write_bytes(folder / DIRECTIONS_FILE, facts.directions.content())
    mark = made(facts.model.hash, seed=f"0-{SHEET - 1}")
    # Published once more, the same model gives the same file, whatever the options of the command were.
    mark = replace(mark, command=f"facegan generate {PREFIX}{facts.repo} --count {SHEET}")
    save_picture(folder / SHEET_FILE, show(told(facts.model).sample(SHEET)).image, mark)
    parity = None
    if facts.onnx:
        say("exporting the ONNX graph")
        parity = _export(facts, folder / GRAPH_FILE, "--no-onnx", say=say)
    texts = {"README.md": model_card(facts, parity), "config.json": config_json(facts)}
    for name, text in (texts | _licence(facts)).items():
        write_bytes(folder / name, text.encode())


def _write_space(facts: Facts, folder: Path, say: Say) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ({"README.md": space_card(facts)} | _licence(facts)).items():
        write_bytes(folder / name, text.encode())
    say("exporting the page")
    _export(facts, folder / "index.html", "--no-space", say=say)


def _licence(facts: Facts) -> dict[str, str]:
    """Return the file LICENSE where the Hub has no name for the licence."""
    return {LICENCE_FILE: facts.licence.text + "\n"} if facts.licence.identifier == "other" else {}


def _export(facts: Facts, path: Path, without: str, *, say: Say) -> Parity | None:
    """Write a graph or page; return how it compares with PyTorch, None where it could not be run."""
    page: dict[str, Any] = {}
    if path.suffix == ".html":
        page = {"directions": facts.directions or "", "title": facts.name}
    try:
        done = export_model(facts.model, path, **page)
    except (InputError, ModelError) as error:
        raise type(error)(
            f"{str(error).replace(f'--out {path}', path.name)}; {without} publishes without"
        ) from None
    if done.parity is None:
        say(f"{path.name}: {done.kind}")
    return done.parity
