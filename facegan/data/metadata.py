"""``metadata.csv``, ``.jsonl`` and ``.parquet`` in folders of pictures: a row for each file name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from facegan.data.arrow import opened
from facegan.data.cells import scalars
from facegan.data.items import AttributeValue
from facegan.data.splits import SPLIT_COLUMNS, split_value
from facegan.errors import InputError, first_line

METADATA_FILES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet", "_classes.csv")
FILE_COLUMNS = (
    "file_name",
    "filename",
    "file",
    "file_path",
    "filepath",
    "image_path",
    "image_name",
    "image_file",
    "image_id",
    "path",
    "image",
    "name",
)

Values = dict[str, AttributeValue]


@dataclass
class Table:
    """What a file says of pictures by name, below its own folder."""

    rows: dict[str, Values]
    splits: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = dict.fromkeys(name for values in self.rows.values() for name in values)

    def of(self, name: str) -> tuple[Values, str | None]:
        """The attributes of a picture, unknown ones too, and its split."""
        return {**self.names, **self.rows.get(name, {})}, self.splits.get(name)


def file_column(names: Iterable[str]) -> str | None:
    """The column that names files, by the usual names for it."""
    known = {name.strip().lower(): name for name in reversed(list(names))}
    return next((known[name] for name in FILE_COLUMNS if name in known), None)


def read_metadata(name: str, content: bytes) -> Table:
    """The table in the file called ``name``; InputError says in a few words why it cannot be used."""
    rows = list(_rows(name.lower(), content))
    if not rows:
        raise InputError("empty")
    column = file_column(rows[0])
    if column is None:
        shown = ", ".join(list(rows[0])[:8])
        raise InputError(f"no column 'file_name' (columns: {shown})")
    return _table(rows, column)


def _rows(name: str, content: bytes) -> Iterator[dict[str, Any]]:
    if name.endswith(".parquet"):
        with opened(content, "it") as table:
            for batch in table.batches():
                yield from batch.to_pylist()
        return
    try:
        text = content.decode("utf-8-sig")
        if name.endswith(".jsonl"):
            for line in filter(None, map(str.strip, text.splitlines())):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise InputError("a line is no JSON object")
                yield row
            return
        head = text[: text.find("\n")]
        delimiter = max(",;\t", key=head.count)
        for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey=""):
            yield {key.strip(): cell for key, cell in row.items()}
    except InputError:
        raise
    except (ValueError, csv.Error, RecursionError) as error:
        raise InputError(f"unreadable ({first_line(error)})") from None


def _table(rows: list[dict[str, Any]], column: str) -> Table:
    split_column = next((n for n in rows[0] if n.strip().lower() in SPLIT_COLUMNS), None)
    notes = []
    if split_column is not None:
        given = [row.get(split_column) for row in rows]
        odd = next((v for v in given if v not in (None, "") and split_value(v) is None), None)
        if odd is not None:
            notes.append(f"column '{split_column}' is an attribute: '{str(odd)[:40]}' is no split")
            split_column = None
    table: dict[str, Values] = {}
    splits: dict[str, str] = {}
    left_out: set[str] = set()
    twice = ""
    for row in rows:
        name = str(row.get(column)).replace("\\", "/").removeprefix("./")
        split = split_value(row[split_column]) if split_column and row.get(split_column) is not None else None
        cells = ((k, v) for k, v in row.items() if k not in (column, split_column))
        values, others = scalars(cells)
        left_out |= others
        if table.get(name, values) != values or splits.get(name, split) != split:
            twice = twice or name
        table[name] = values
        if split:
            splits[name] = split
    notes += [f"column '{n}' left out: several values a picture" for n in sorted(left_out)]
    if twice:
        notes.append(f"'{twice[:60]}' comes twice with different values; the last ones hold")
    return Table(table, splits, notes)
