"""Attribute tables and split lists that come beside the photos."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.data.attribute_columns import Columns, value_of
from facegan.data.folders import SPLIT_NAMES, column_splits, odd_split
from facegan.data.items import FILE_COLUMNS, AttributeValue
from facegan.data.names import NamedRows
from facegan.data.sheets import DELIMITERS, Sheet, read_sheet, read_text
from facegan.errors import InputError

_CELL = (str, int, float, type(None))


class AttributeTable(NamedRows):
    """Attributes of pictures by their names: ``rows`` of values (None is unknown) for the columns ``names``.

    Values are as the table has them, but numbers are numbers, and a column of 1 and -1 is one of 1 and 0.
    ``splits`` are those of a column ``split`` or ``partition``, None where there is none.
    """

    def __init__(self, sheet: Sheet) -> None:
        notes = self.notes = list(sheet.notes)
        lasting = self._lasting(sheet)
        self.pictures = list(lasting)
        rows = [sheet.rows[i] for i in lasting.values()]
        self.splits: list[str | None] | None = None
        kept: dict[str, list[Any]] = {}
        for i, name in enumerate(sheet.header):
            cells = [row[i] for row in rows]
            if i == sheet.column:
                continue
            if name in kept:
                self.notes.append(f"a second column '{name}' left out")
            elif other := [c for c in cells if not isinstance(c, _CELL)][:1]:
                kind = type(other[0]).__name__
                self.notes.append(f"column '{name}' left out: it holds values of the type {kind}")
            elif (column := self._column(name, cells)) is not None:
                kept[name] = column
        self.names = list(kept)
        self.rows = list(zip(*kept.values(), strict=True)) if kept else [()] * len(rows)
        meanings = list(zip(self.rows, self.splits, strict=True)) if self.splits else self.rows
        super().__init__(self.pictures, meanings)
        self.notes = notes

    def _column(self, name: str, cells: list[Any]) -> list[Any] | None:
        """Return the values of an attribute; None for the column of splits."""
        splits, odd = column_splits(name, cells)
        if splits and self.splits is None:
            self.splits = splits
            self.notes.append(f"column '{name}' says which pictures are for train, val and test")
            return None
        if odd and self.splits is None:
            self.notes.append(odd_split(name, odd))
        meant = {cell: value_of(cell) for cell in set(cells)}  # True, 1 and 1.0 are one
        values = [meant[cell] for cell in cells]
        return [0 if v == -1 else v for v in values] if set(values) <= {-1, 1, None} else values

    def _lasting(self, sheet: Sheet) -> dict[str, int]:
        """Return the row that counts for each name: the last one."""
        found: dict[str, int] = {}
        differing, nameless = [], 0
        for i, row in enumerate(sheet.rows):
            name = _name(row, sheet)
            before = found.get(name)
            if not name:
                nameless += 1
                continue
            if before is not None and sheet.rows[before] != row:
                differing.append(name)
            found[name] = i
        if nameless:
            self.notes.append(f"{nameless:,} line{'s' * (nameless != 1)} without a name left out")
        if differing:
            self.notes.append(
                f"{len(differing):,} name{'s' * (len(differing) != 1)} (such as '{differing[0]}') "
                f"come{'s' * (len(differing) == 1)} again with other values: the last line counts"
            )
        return found

    def use(self, name: str, source: str, digest: bytes) -> tuple[dict[str, AttributeValue], str | None]:
        """Return the values and the split of a picture with this content, which is counted."""
        row, _ = self.count(name, source, digest)
        if row is None:
            return dict.fromkeys(self.names), None
        return self.values(row), self.splits[row] if self.splits else None

    def values(self, row: int) -> dict[str, AttributeValue]:
        return dict(zip(self.names, self.rows[row], strict=True))

    def merged(self, name: str, source: str, own: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        """Return a picture's ``own`` attributes with those of the table, which come first.

        Once all pictures have been seen by :meth:`use`: rows that several pictures share are none's.
        """
        row, how = self.find(name, source)
        merged = {**dict.fromkeys(self.names), **own} if self.names else dict(own)
        if row is not None and self.matches.sure(row, how):
            merged |= {n: v for n, v in self.values(row).items() if v is not None}
        return {n: merged[n] for n in dict.fromkeys([*own, *self.names])}

    def columns(self) -> Columns:
        """Return what the columns hold in the whole table."""
        columns = Columns()
        for i, name in enumerate(self.names):  # many times faster than row by row
            columns.add_column(name, (row[i] for row in self.rows))
        return columns


def attribute_files(text: str | Path) -> list[str]:
    """Return the files that ``--attributes`` names: one, or several separated by commas."""
    text = str(text)
    several = [part.strip() for part in text.split(",") if part.strip()]
    return several if len(several) > 1 and not os.path.exists(text) else [text]


def _joined(sheets: Mapping[str, Sheet]) -> Sheet:
    """Return one table of several by their files: rows of the same picture in different files are one."""
    columns = dict.fromkeys(n for s in sheets.values() for i, n in enumerate(s.header) if i != s.column)
    place = {name: i for i, name in enumerate(columns, 1)}
    rows: list[list[Any]] = []
    notes: list[str] = []
    known: dict[str, list[Any]] = {}
    for path, sheet in sheets.items():
        file = Path(path).name
        notes += [f"{file}: {note}" for note in sheet.notes]
        twice = {n for n, count in Counter(sheet.header).items() if count > 1 and n in place}
        notes += [f"{file}: a second column '{name}' left out" for name in sorted(twice)]
        first = {n: i for i, n in reversed(list(enumerate(sheet.header))) if i != sheet.column}
        own: dict[str, list[Any]] = {}
        changed = 0
        for cells in sheet.rows:
            name = _name(cells, sheet)
            new = {place[n]: cells[i] for n, i in first.items() if cells[i] is not None and cells[i] != ""}
            if name not in known:
                own[name] = row = [name, *[None] * len(columns)]
                rows.append(row)
            else:
                row = known[name]
                changed += any(row[i] is not None and row[i] != value for i, value in new.items())
            for i, value in new.items():
                row[i] = value
        known |= own
        if changed:
            again = "name {} comes" if changed == 1 else "names {} come"
            notes.append(f"{changed:,} {again.format(f'in {file}')} again with other values, which count")
    return Sheet(["", *columns], rows, 0, notes)


def _name(cells: list[Any], sheet: Sheet) -> str:
    """Return the name of a row's picture."""
    return "" if cells[sheet.column] is None else str(cells[sheet.column]).strip()


def read_attributes(path: str | Path) -> AttributeTable:
    """Return the table in a file of CelebA's layout, CSV of any kind, JSON or Parquet, or in several."""
    sheets = {file: read_sheet(Path(file), "--attributes") for file in attribute_files(path)}
    table = AttributeTable(_joined(sheets) if len(sheets) > 1 else next(iter(sheets.values())))
    if not table.names and table.splits is None:
        raise InputError(f"--attributes {path}: the header names no attributes")
    return table


class Splitter(NamedRows):
    """Assigns pictures to splits, by a list of names or by the hash of their contents.

    ``spec`` is "" (all train, unless the source says otherwise), "test=0.05", "val=0.05,test=0.1",
    or a file of "name split" lines. By hash, a picture's split does not depend on the others; what a source
    holds out itself stays held out.
    """

    def __init__(self, spec: str) -> None:
        self.shares: list[tuple[str, float]] = []
        self.table: dict[str, str] | None = None
        if re.fullmatch(r"\s*\w+\s*=.*", spec):
            self.shares = self._shares(spec)
        elif spec:
            self.table = self._table(Path(spec))
        super().__init__(list(self.table or ()), list((self.table or {}).values()))

    @staticmethod
    def _shares(spec: str) -> list[tuple[str, float]]:
        shares = []
        for part in spec.split(","):
            name, _, number = part.strip().partition("=")
            try:
                share = float(number)
            except ValueError:
                share = -1.0
            name = SPLIT_NAMES.get(name.lower(), "") if not name.isdecimal() else ""
            if name not in ("val", "test") or not 0 <= share < 1:
                raise InputError(f"--split '{spec}': write val=SHARE,test=SHARE with shares from 0 to 1")
            shares.append((name, share))
        if sum(share for _, share in shares) >= 1 or len({n for n, _ in shares}) != len(shares):
            raise InputError(f"--split '{spec}': the shares must leave something for training")
        return shares

    @staticmethod
    def _table(path: Path) -> dict[str, str]:
        """Return splits by name: lines of two cells, or a table with a column ``split`` or ``partition``."""
        table = {}
        for number, line in enumerate(read_text(path, "--split").splitlines(), 1):
            if not line.strip():
                continue
            cells = line.strip().rsplit(None, 1)  # names may have spaces, and commas in between
            if len(cells) < 2 or cells[1].lower() not in SPLIT_NAMES:
                cells = _two_cells(line.strip().replace("\0", " "))
            name, split = cells[0].strip().rstrip(","), cells[1].strip().lower()
            if number == 1 and split not in SPLIT_NAMES and name.lower() in FILE_COLUMNS:
                continue  # a table's header
            if split not in SPLIT_NAMES:
                if number == 1 and (found := _split_column(path)):
                    return found
                raise InputError(f"--split {path}: line {number} is not 'name train|val|test'")
            table[name] = SPLIT_NAMES[split]
        if not table:
            raise InputError(f"--split {path}: empty")
        return table

    def use(self, name: str, source: str, digest: bytes, *, own: str | None) -> tuple[str, str]:
        """Return the split of a picture with this content, which is counted; or '' and why it is left out."""
        if self.table is None:
            return self(name, digest, own) or "", ""
        row, how = self.count(name, source, digest)
        if row is None:
            return "", "several lines of the split file fit" if how else "not named by the split file"
        return str(self.meanings[row]), ""

    def __call__(self, name: str, digest: bytes, own: str | None) -> str | None:
        """train, val or test; None for a picture that the list does not name, or not clearly."""
        if self.table is not None:
            row, _ = self.find(name)
            return None if row is None else str(self.meanings[row])
        if self.shares and own in (None, "train"):
            # Eight bytes of SHA-256, hashed again so that file-level and pixel-level uses stay apart.
            u = int.from_bytes(hashlib.sha256(b"split" + digest).digest()[:8], "big") / 2**64
            for split, share in self.shares:
                if u < share:
                    return split
                u -= share
            return "train"
        return own or "train"


def _two_cells(line: str) -> list[str]:
    """Return the cells of a line that a delimiter parts in two, or empty ones."""
    with contextlib.suppress(csv.Error):
        found = [next(csv.reader([line], delimiter=d)) for d in DELIMITERS]
        return next((cells for cells in found if len(cells) == 2), ["", ""])
    return ["", ""]


def _split_column(path: Path) -> dict[str, str]:
    """Return splits by name from a table's column; {} where it has none."""
    try:
        table = AttributeTable(read_sheet(path, "--split"))
    except InputError:
        return {}
    splits = table.splits or []
    return {name: split for name, split in zip(table.pictures, splits, strict=bool(splits)) if split}
