"""Finished chunks of a dataset under way, each one file, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facegan.data.items import Row
from facegan.errors import InputError
from facegan.files import printable, take_lock, write_bytes

_LOCK = "lock"


def _schema() -> Any:
    import pyarrow as pa

    text, binary, floats = pa.string(), pa.binary(), pa.list_(pa.float64())
    kinds = {"source": text, "name": text, "digest": binary, "reject": text, "png": binary}
    kinds |= {"input_png": binary}
    kinds |= {
        "pixels_digest": binary,
        "near_hash": binary,
        "gray": binary,
        "box": floats,
        "landmarks": floats,
    }
    kinds |= {"score": pa.float64(), "by_review": pa.bool_()}
    return pa.schema(kinds | {"attributes": text, "split": text, "values": text})


@contextlib.contextmanager
def locked(folder: Path, command: str = "facegan prepare") -> Iterator[None]:
    """Hold ``folder`` for this process; InputError if another one has it. A killed one lets go."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / _LOCK, "w") as handle:
        if not take_lock(handle):
            raise InputError(f"{folder.parent}: another '{command}' is writing it")
        yield


class ChunkStore:
    """Chunks ``000000.arrow`` ... under one folder that belongs to one plan; another plan empties it."""

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        text, file = json.dumps(plan, sort_keys=True), folder / "plan.json"
        if not file.is_file() or file.read_text() != text:
            for old in folder.iterdir():
                if old.name != _LOCK:
                    old.unlink()
            write_bytes(file, text.encode())

    def path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.arrow"

    def write(self, index: int, digest: str, rows: list[Row], *, thumbnails: list[bytes]) -> None:
        """Store a chunk whole or not at all; its thumbnails first, so that they are there if it is."""
        import pyarrow as pa

        for i, png in enumerate(thumbnails):
            write_bytes(self.folder / f"{index:06d}-{i:02d}.png", png)
        columns = {field.name: [getattr(row, field.name) for row in rows] for field in _schema()}
        columns["attributes"] = [json.dumps(attributes) for attributes in columns["attributes"]]
        for name in ("source", "name"):
            columns[name] = list(map(printable, columns[name]))
        kept = sum(not row.reject for row in rows)
        note = json.dumps({"digest": digest, "kept": kept, "rejected": len(rows) - kept})
        table = pa.Table.from_pydict(columns, _schema().with_metadata({"chunk": note}))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        write_bytes(self.path(index), sink.getvalue().to_pybytes())

    def _note(self, index: int) -> dict[str, Any]:
        import pyarrow as pa

        if not self.path(index).exists():
            return {}
        try:
            with pa.OSFile(str(self.path(index))) as source, pa.ipc.open_file(source) as reader:
                return json.loads(reader.schema.metadata[b"chunk"])
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            return {}

    def has(self, index: int, digest: str) -> tuple[int, int] | None:
        """Return how many rows of this chunk were kept and rejected; None where it is not stored."""
        note = self._note(index)
        return (note["kept"], note["rejected"]) if note.get("digest") == digest else None

    def truncate(self, count: int) -> None:
        """Forget chunks beyond the end, left by a source that has become shorter."""
        while self.path(count).exists():
            self.path(count).unlink()
            count += 1

    def rows(self, without: Sequence[str] = ()) -> Iterator[Row]:
        """Yield all rows in order; columns that are left out stay at their defaults and are not read."""
        index = 0
        while self.path(index).exists():
            yield from self.chunk(index, without)
            index += 1

    def chunk(self, index: int, without: Sequence[str] = ()) -> Iterator[Row]:
        """Yield the rows of one chunk."""
        columns = self._columns(index, without)
        texts = columns["attributes"]
        known = {text: json.loads(text) for text in set(texts)}  # few differ: labels
        columns["attributes"] = [dict(known[text]) for text in texts]
        for values in zip(*columns.values(), strict=True):
            yield Row(**dict(zip(columns, values, strict=True)))

    def _columns(self, index: int, without: Sequence[str]) -> dict[str, list[Any]]:
        import pyarrow as pa

        try:
            with pa.memory_map(str(self.path(index))) as source, pa.ipc.open_file(source) as reader:
                table = reader.read_all()
                return {name: table[name].to_pylist() for name in _schema().names if name not in without}
        except (OSError, pa.ArrowException):
            raise InputError(f"{self.path(index)}: damaged; delete it and run again") from None

    def thumbnails(self) -> list[bytes]:
        return [p.read_bytes() for p in sorted(self.folder.glob("*-*.png"))]
