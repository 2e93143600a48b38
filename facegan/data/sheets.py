"""Tables as people have them, CSV of every kind, CelebA's lists, JSON and Parquet: a header and rows."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.data.arrow import opened
from facegan.data.items import FILE_COLUMNS, MAX_FILE_BYTES, looks_like_image, read_packed
from facegan.errors import InputError

_ID_COLUMNS = ("id", "img_id", "key", "image_key", "photo_id")
DELIMITERS = (",", "\t", ";", "|")
_MAX_CELLS = 10**8
_SAMPLED_ROWS = 20  # rows by which a table is understood


@dataclass
class Sheet:
    """A header and rows of as many cells; ``column`` holds the pictures' names."""

    header: list[str]
    rows: list[list[Any]]
    column: int = 0
    notes: list[str] = field(default_factory=list)


def read_sheet(path: Path, option: str) -> Sheet:
    """Return the table in ``path``; InputError in one line that begins with ``option`` if it is none."""
    where = f"{option} {path}"
    return sheet_of(_content(path, where), where)


def sheet_of(content: bytes, where: str) -> Sheet:
    """Return the table in a file's content; InputError ``WHERE: why`` if it is none."""
    if content[:4] == b"PAR1":
        with opened(content, where) as table:
            columns = ([cells.to_pylist() for cells in batch.columns] for batch in table.batches())
            rows = [list(row) for batch in columns for row in zip(*batch, strict=True)]
            return _pointed(Sheet(list(table.schema.names), rows, -1), where)
    if not content.strip(b"\r\n\t \xef\xbb\xbf"):
        raise InputError(f"{where}: empty")
    text, notes = _text(content, where)
    if text.lstrip()[:1] in "[{" and (sheet := _json(text, where)):
        return _pointed(sheet, where)
    sheet = _lines(text, where)
    sheet.notes[:0] = notes
    return _pointed(sheet, where)


def read_text(path: Path, option: str) -> str:
    """Return a file's text, whatever its coding; InputError in one line that begins with ``option``."""
    where = f"{option} {path}"
    return _text(_content(path, where), where)[0]


def _content(path: Path, where: str) -> bytes:
    try:
        if path.is_file() and path.stat().st_size > 4 * MAX_FILE_BYTES:
            raise InputError(f"{where}: too large for a table")
        return read_packed(path, where)
    except FileNotFoundError:
        raise InputError(f"{where}: there is no such file") from None
    except InputError:
        raise
    except Exception as error:  # a folder; NUL in the name; each method of compression fails in its own ways
        raise InputError(f"{where}: not readable as text ({type(error).__name__})") from None


def _text(content: bytes, where: str) -> tuple[str, list[str]]:
    """Return text in UTF-8, UTF-16, or Windows' Western code page, as Excel writes it."""
    if content[:4] == b"PK\x03\x04" or content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        kind = _workbook(content)
        raise InputError(f"{where}: {kind}; save the table as CSV (UTF-8) and name that file")
    nul = content[:4000].count(0)
    codings = ["utf-8-sig", "cp1252"]
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        codings = ["utf-16"]
    elif nul:  # of ASCII every other byte in UTF-16 is 0
        even, odd = content[:4000:2].count(0), content[1:4000:2].count(0)
        codings = ["utf-16-le" if odd > even else "utf-16-be"] if min(even, odd) * 10 < max(even, odd) else []
        if nul * 4 < len(content[:4000]):
            codings = []
    for coding in codings:
        try:
            text = content.decode(coding)
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\0-\x08]", text):
            return text, ["it is read as Windows-1252"] * (coding == "cp1252")
    raise InputError(f"{where}: not readable as text (UnicodeDecodeError)")


def _workbook(content: bytes) -> str:
    if content[:2] != b"PK":
        return "an old Excel workbook or another document of Office"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = []
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook"
    return "a document of OpenOffice" if "mimetype" in names else "a zip archive"


def _lines(text: str, where: str) -> Sheet:
    """Read CSV with any usual delimiter, or cells parted by blanks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"\A\s*sep=.(?=\n)", "", text)  # Excel's own first line
    text = re.sub(r"\A\s*\d+\s*(?=\n)", lambda m: "\n" * m[0].count("\n"), text)  # CelebA's count of the rest
    delimiter = _delimiter(text)
    text = _without_comments(text, delimiter)
    try:
        rows = _split(text, delimiter)
    except csv.Error as error:
        raise InputError(f"{where}: not readable as CSV ({error})") from None
    if not rows:
        raise InputError(f"{where}: the header names no attributes")
    header, body = [" ".join(cell.split()) for cell in rows[0][1]], rows[1:]
    wider = any(len(cells) == len(header) + 1 for _, cells in body[:_SAMPLED_ROWS])
    notes = []
    if any(looks_like_image(cell) for cell in header):
        body = rows
        header = ["file" if looks_like_image(c) else f"column{i}" for i, c in enumerate(header, 1)]
        notes.append(f"it has no header; its columns are called {', '.join(header)}")
    elif not delimiter and wider and not any(_plain(name) in FILE_COLUMNS for name in header):
        header = ["file", *header]  # CelebA's and R's way: the column of names has none itself
    if len(header) < 2:
        raise InputError(f"{where}: the header names no attributes")
    if not body:
        raise InputError(f"{where}: no line follows the header")
    fitting: list[list[Any]] = [*_fitting(header, body, delimiter, notes=notes, where=where)]
    return Sheet(header, fitting, -1, notes)


def _delimiter(text: str) -> str:
    """Return the delimiter of the first line; '' for blanks."""
    bare = re.sub(r'"[^"]*"', "", text[:20_000])
    lines = [line for line in bare.split("\n") if line.strip()]
    first = next((line for line in lines if not line.lstrip().startswith("#")), "")
    return max(DELIMITERS, key=first.count) if any(d in first for d in DELIMITERS) else ""


def _without_comments(text: str, delimiter: str) -> str:
    """Return the text without lines of # before the header; one that fits the next line is the header."""

    def cells(line: str) -> int:
        return len(line.split(delimiter or None))

    while match := re.match(r"(\s*)#([^\n]*)\n([^\n]*)", text):
        if cells(match[2].strip()) == cells(match[3].strip()) > 1:
            return match[1] + match[2].strip() + text[match.end(2) :]
        text = match[1] + text[match.end(2) :]
    return text


class _Clean(dict[str, str]):
    """Cells as they are meant; they repeat, so each is looked at, and kept, once."""

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter

    def __missing__(self, cell: str) -> str:
        clean = cell.strip()
        if self.delimiter == ";" and re.fullmatch(r"[+-]?\d+,\d+", clean):
            clean = clean.replace(",", ".")  # where semicolons part the cells, commas stand for points
        if not self.delimiter and len(clean) > 1 and clean[0] == clean[-1] == '"':
            clean = clean[1:-1]
        self[cell] = clean
        return clean


def _split(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return lines by number with their cells; quoted cells may hold delimiters and line ends."""
    clean = _Clean(delimiter)
    if not delimiter:
        lines = enumerate(text.split("\n"), 1)
        return [(n, [clean[cell] for cell in line.split()]) for n, line in lines if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, before = [], 0
    for cells in reader:
        cells = [clean[cell] for cell in cells]
        if any(cells):
            rows.append((before + 1, cells))
        before = reader.line_num
    return rows


def _fitting(
    header: list[str], body: list[tuple[int, list[str]]], delimiter: str, *, notes: list[str], where: str
) -> list[list[str]]:
    """Return the rows with the header's number of cells; InputError where most have another."""
    rows, wrong, width = [], [], len(header)
    for number, cells in body:
        if len(cells) > width:
            cells = _shortened(cells, width, delimiter)
        if len(cells) == width:
            rows.append(cells)
        else:
            wrong.append((number, len(cells)))
    if len(wrong) * 2 > len(body):
        number, count = wrong[0]
        raise InputError(f"{where}: line {number} has {count} columns, the header {width}")
    if wrong:
        lines = ", ".join(str(number) for number, _ in wrong[:3]) + ", ..." * (len(wrong) > 3)
        notes.append(
            f"{len(wrong):,} line{'s' * (len(wrong) > 1)} left out that do{'es' * (len(wrong) == 1)} not "
            f"have the header's {width} cells (line {lines})"
        )
    return rows


def _shortened(cells: list[str], width: int, delimiter: str) -> list[str]:
    """Return the cells without empty ones at the end; between blanks, with a name of several words as one."""
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    words = len(cells) - width + 1
    name = " ".join(cells[:words])
    return [name, *cells[words:]] if words > 1 and not delimiter and looks_like_image(name) else cells


def _json(text: str, where: str) -> Sheet:
    """Read JSON or JSON lines of objects, pandas' columns, StyleGAN's ``labels``."""
    notes: list[str] = []
    try:
        data = json.loads(text)
    except ValueError:
        data = _json_lines(text, notes)
    except RecursionError:
        data = None
    if isinstance(data, dict) and isinstance(labels := data.get("labels"), list):
        data = [dict(zip(("file", "label"), pair, strict=False)) for pair in labels if isinstance(pair, list)]
    if isinstance(data, dict) and data and all(isinstance(v, dict) for v in data.values()):
        if any(_plain(name) in FILE_COLUMNS for name in data):  # columns, each by row
            keys = list(dict.fromkeys(key for column in data.values() for key in column))
            data = [{name: column.get(key) for name, column in data.items()} for key in keys]
        else:
            data = [{"file": name, **values} for name, values in data.items()]
    if data is None:
        raise InputError(f"{where}: not readable as JSON")
    if not isinstance(data, list) or not data or not all(isinstance(row, dict) for row in data):
        raise InputError(f'{where}: JSON, but no list of objects such as {{"file": "a.jpg", "Hat": 1}}')
    return _of_objects(data, where, notes)


def _json_lines(text: str, notes: list[str]) -> list[Any] | None:
    """Read an object a line; lines that are none are left out. None if most are none."""
    found, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.strip():
                found.append(json.loads(line))
        except (ValueError, RecursionError):
            wrong.append(number)
            if len(wrong) > len(found) + 1:
                return None
    if len(wrong) >= len(found):
        return None
    if wrong:
        notes.append(
            f"{len(wrong):,} line{'s' * (len(wrong) > 1)} left out that cannot be read (line {wrong[0]}, ...)"
        )
    return found


def _of_objects(rows: list[dict[str, Any]], where: str, notes: list[str]) -> Sheet:
    header = list(dict.fromkeys(str(key) for row in rows for key in row))
    if len(header) * len(rows) > _MAX_CELLS:
        raise InputError(f"{where}: {len(header):,} columns for {len(rows):,} rows are beyond reason")
    return Sheet(header, [[row.get(name) for name in header] for row in rows], -1, notes)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _pointed(sheet: Sheet, where: str) -> Sheet:
    """Return the sheet with the column of names: one that holds names of pictures, or is called so."""
    plain = [_plain(name) for name in sheet.header]
    sampled = [[row[i] for row in sheet.rows[:_SAMPLED_ROWS]] for i in range(len(plain))]
    holding = [i for i, cells in enumerate(sampled) if sum(map(_is_picture, cells)) > len(cells) / 2]
    # Neither empty, nor of structures.
    filled = [not c or any(isinstance(v, (str, int)) and str(v).strip() for v in c) for c in sampled]
    called = [plain.index(name) for name in FILE_COLUMNS if name in plain]
    ids = [plain.index(name) for name in _ID_COLUMNS if name in plain]
    candidates = [*(i for i in called if i in holding), *holding, *(i for i in called + ids if filled[i])]
    if not candidates:
        there = ", ".join(sheet.header[:8])
        raise InputError(
            f"{where}: no column is called {' or '.join(FILE_COLUMNS[:3])}, and none holds names of pictures "
            f"(columns: {there})"
        )
    sheet.column = candidates[0]
    if not sheet.rows:
        raise InputError(f"{where}: no line follows the header")
    return sheet


def _is_picture(cell: Any) -> bool:
    return isinstance(cell, str) and looks_like_image(cell.strip())
