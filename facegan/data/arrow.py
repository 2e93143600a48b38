"""Opening Parquet and Arrow files, both streamed and with bounds for what they unpack to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.data.items import MAX_RATIO
from facegan.errors import InputError, first_line

ARROW_SUFFIXES = (".arrow", ".feather", ".ipc")
_AT_ONCE = 64  # rows


class DamagedTable(InputError):
    """A file is no Parquet or Arrow file that can be read."""


@dataclass
class Opened:
    """A table that is read batch by batch; a column at a time, where ``batches`` is given names."""

    schema: Any
    rows: int | None
    source: Any
    reader: Any = None

    def batches(self, columns: list[str] | None = None) -> Iterator[Any]:
        """Yield record batches of at most 64 rows."""
        if self.reader is not None:
            size = rows_at_once(self.reader.metadata)
            yield from self.reader.iter_batches(size, columns=columns)
            return
        for batch in _arrow_batches(self.source):
            batch.validate(full=True)  # lengths and offsets beyond its buffers would end the process
            if batch.nbytes > 2**20 + MAX_RATIO * self.source.stat().st_size:
                raise InputError(f"{self.source}: compressed beyond reason")
            part = batch.select(columns) if columns is not None else batch
            for start in range(0, part.num_rows, _AT_ONCE):
                yield part.slice(start, _AT_ONCE)


def _check_size(name: str, metadata: Any, size: int) -> None:
    """Raise InputError for what unpacks beyond reason; a small file may hold large zeros.

    By whole groups: looking at the columns of damaged ones ends the process (pyarrow 26).
    """
    groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if sum(groups) > 2**20 + MAX_RATIO * size:
        raise InputError(f"{name}: compressed beyond reason")


def rows_at_once(metadata: Any) -> int:
    """Return how many rows fit into 256 MiB even if each is as large as its row group."""
    largest = max((metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)), default=0)
    return max(1, min(_AT_ONCE, 2**28 // max(largest, 1)))


def _is_parquet(source: Path | Any) -> bool:
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return stream.read(4) == b"PAR1"
    return bytes(source[:4]) == b"PAR1"


def _arrow_reader(mapped: Any) -> Any:
    import pyarrow as pa

    head = mapped.read(8)
    mapped.seek(0)
    return pa.ipc.open_file(mapped) if head[:6] == b"ARROW1" else pa.ipc.open_stream(mapped)


def _arrow_batches(source: Any) -> Iterator[Any]:
    """Yield the batches of an Arrow file or stream, which is mapped and not read into memory."""
    import pyarrow as pa

    with pa.memory_map(str(source)) as mapped:
        reader = _arrow_reader(mapped)
        if hasattr(reader, "num_record_batches"):
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)
        else:
            yield from reader


@contextlib.contextmanager
def opened(source: Path | bytes, name: str) -> Iterator[Opened]:
    """Open a Parquet file or (as a path only) an Arrow one; InputError in one line for what is neither."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(source, bytes) or _is_parquet(source):
            with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source) as file:
                size = len(source) if isinstance(source, bytes) else source.stat().st_size
                _check_size(name, file.metadata, size)
                yield Opened(file.schema_arrow, file.metadata.num_rows, source, file)
        else:
            with pa.memory_map(str(source)) as mapped:
                schema = _arrow_reader(mapped).schema
            yield Opened(schema, None, source)
    except InputError:
        raise
    except Exception as error:  # Arrow's own, and Unicode, number and key errors of damaged files
        kind = "Arrow" if isinstance(source, Path) and source.suffix in ARROW_SUFFIXES else "Parquet"
        raise DamagedTable(f"{name}: not a readable {kind} file ({first_line(error)})") from None
