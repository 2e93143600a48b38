"""Attribute tables and split lists that come beside the photos."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path

from facegan.data.splits import SPLIT_NAMES
from facegan.errors import InputError
from facegan.files import printable

_FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_id", "path", "name")


def _lines(path: Path, option: str) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{option} {path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{option} {path}: not readable as text ({type(error).__name__})") from None


def _value(text: str, option: str, path: Path, line: int) -> int | None:
    text = text.strip().lower()
    words = {"": None, "nan": None, "none": None, "true": 1, "yes": 1, "false": 0, "no": 0}
    if text in words:
        return words[text]
    try:
        number = float(text)
    except ValueError:
        raise InputError(f"{option} {path}: line {line}: '{text}' is no number, yes or no") from None
    if not math.isfinite(number) or number != int(number) or not -32768 <= number <= 32767:
        raise InputError(f"{option} {path}: line {line}: '{text}' is no whole number from -32768 to 32767")
    return int(number)


def read_attributes(path: str | Path) -> tuple[list[str], dict[str, dict[str, int | None]]]:
    """Names, and attributes by file name, from CelebA's layout or a CSV with a file-name column.

    CelebA's -1 becomes 0; a column that holds other numbers keeps them (classes).
    """
    path, option = Path(path), "--attributes"
    lines = [(n, line) for n, line in enumerate(_lines(path, option), 1) if line.strip()]
    if not lines:
        raise InputError(f"{option} {path}: empty")
    if "," in lines[0][1]:
        try:
            rows = [(n, next(csv.reader([line]))) for n, line in lines]
        except csv.Error as error:
            raise InputError(f"{option} {path}: not readable as CSV ({error})") from None
        header, body = [name.strip() for name in rows[0][1]], rows[1:]
        column = next((i for i, name in enumerate(header) if name.lower() in _FILE_COLUMNS), -1)
        if column < 0:
            raise InputError(f"{option} {path}: no column is called {' or '.join(_FILE_COLUMNS[:3])}")
    else:
        if re.fullmatch(r"\s*\d+\s*", lines[0][1]):  # CelebA's first line counts the rest
            lines = lines[1:]
        header, column = ["file", *lines[0][1].split()] if lines else [], 0
        body = [(n, line.split()) for n, line in lines[1:]]
    names = [name for i, name in enumerate(header) if i != column]
    if not names or len(set(names)) != len(names):
        raise InputError(f"{option} {path}: the header names no attributes, or one twice")
    table: dict[str, dict[str, int | None]] = {}
    for line, cells in body:
        if len(cells) != len(header):
            raise InputError(
                f"{option} {path}: line {line} has {len(cells)} columns, the header {len(header)}"
            )
        rest = [cell for i, cell in enumerate(cells) if i != column]
        table[cells[column].strip()] = {
            n: _value(c, option, path, line) for n, c in zip(names, rest, strict=True)
        }
    if not table:
        raise InputError(f"{option} {path}: no line follows the header")
    for name in names:
        if {row[name] for row in table.values()} <= {-1, 1, None}:
            for row in table.values():
                row[name] = 0 if row[name] == -1 else row[name]
    return names, table


def lookup(table: Mapping[str, object], name: str) -> object | None:
    """The entry for a picture's name, as datasets have it: by its path in the source, or by its last part."""
    name = printable(name)
    return table.get(name, table.get(name.rsplit("/", 1)[-1]))


class Splitter:
    """Which split a picture belongs to: by a list of names, or by its content's hash.

    ``spec`` is "" (all train, unless the source says otherwise), "test=0.05", "val=0.05,test=0.1",
    or a file of "name split" lines. By hash, a picture's split does not depend on the others; what a source
    holds out itself stays held out.
    """

    def __init__(self, spec: str) -> None:
        self.table: dict[str, str] | None = None
        self.shares: list[tuple[str, float]] = []
        if re.fullmatch(r"\s*\w+\s*=.*", spec):
            self.shares = self._shares(spec)
        elif spec:
            self.table = self._table(Path(spec))

    @staticmethod
    def _shares(spec: str) -> list[tuple[str, float]]:
        shares = []
        for part in spec.split(","):
            name, _, number = part.strip().partition("=")
            try:
                share = float(number)
            except ValueError:
                share = -1.0
            if name not in ("val", "test") or not 0 <= share < 1:
                raise InputError(f"--split '{spec}': write val=SHARE,test=SHARE with shares from 0 to 1")
            shares.append((name, share))
        if sum(share for _, share in shares) >= 1 or len({n for n, _ in shares}) != len(shares):
            raise InputError(f"--split '{spec}': the shares must leave something for training")
        return shares

    @staticmethod
    def _table(path: Path) -> dict[str, str]:
        table = {}
        for number, line in enumerate(_lines(path, "--split"), 1):
            if not line.strip():
                continue
            cells = line.strip().rsplit(None, 1)  # names may have spaces, and commas in between
            if len(cells) < 2 or cells[1].lower() not in SPLIT_NAMES:
                cells = next(csv.reader([line.strip().replace("\0", " ")]))
            name, split = (
                (cells[0].strip().rstrip(","), cells[1].strip().lower()) if len(cells) == 2 else ("", "")
            )
            if number == 1 and split not in SPLIT_NAMES and name.lower() in _FILE_COLUMNS:
                continue  # a table's header
            if split not in SPLIT_NAMES:
                raise InputError(f"--split {path}: line {number} is not 'name train|val|test'")
            table[name] = SPLIT_NAMES[split]
        if not table:
            raise InputError(f"--split {path}: empty")
        return table

    def __call__(self, name: str, digest: bytes, own: str | None) -> str | None:
        """train, val or test; None for a picture that the list does not name."""
        if self.table is not None:
            found = lookup(self.table, name)
            return str(found) if found is not None else None
        if self.shares and own in (None, "train"):
            # Eight bytes of SHA-256, hashed again so that file-level and pixel-level uses stay apart.
            u = int.from_bytes(hashlib.sha256(b"split" + digest).digest()[:8], "big") / 2**64
            for split, share in self.shares:
                if u < share:
                    return split
                u -= share
            return "train"
        return own or "train"
