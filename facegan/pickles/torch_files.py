"""A reader of what ``torch.save`` and pickle have written, in place of ``torch.load``: it executes nothing.

Three formats: a zip archive (torch 1.6 and later), several pickles in a row followed by the numbers (older
torch), and a plain pickle whose storages are such files themselves (StyleGAN's ``.pkl``). Objects are plain
containers, ``StoredTensor`` and inert ``Stub`` objects (:mod:`facegan.pickles.objects`).
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from facegan.errors import ModelError, first_line
from facegan.pickles.calls import TENSOR_SHARE, Budget, Context
from facegan.pickles.machine import Machine, Reader
from facegan.pickles.objects import ITEM_BYTES, Storage, storage_type

MAX_BYTES = 16 * 2**30
MAX_PICKLE = 256 * 2**20  # of data.pkl, which holds no numbers
MAX_MEMBERS = 100_000
_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization's
_PROTOCOL = 1001


def read_torch(path: str | Path) -> Any:
    """Return what a file of torch or pickle holds.

    Raises:
        ModelError: in one line without the file's name, if it is damaged, too large, or of another kind.
    """
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise ModelError(f"a file of {size / 2**30:.0f} GiB; at most {MAX_BYTES / 2**30:.0f} GiB are read")
    return read_bytes(Path(path).read_bytes())


def read_bytes(content: bytes) -> Any:
    """Return what the content of a file holds; see :func:`read_torch`."""
    budget = Budget(tensor_bytes=TENSOR_SHARE * len(content) + 4096)
    try:
        return _read_zip(content, budget) if content[:4] == b"PK\x03\x04" else _read_stream(content, budget)
    except MemoryError:
        raise ModelError("it needs more memory than there is") from None
    except RecursionError:
        raise ModelError("it is nested too deeply") from None


def _read_zip(content: bytes, budget: Budget) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _Archive(archive, len(content)).read(budget)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        ValueError,
        NotImplementedError,
        EOFError,
        OSError,
    ) as error:
        raise ModelError(f"a damaged zip archive ({first_line(error)})") from None


class _Archive:
    """A zip file of torch: ``NAME/data.pkl`` and ``NAME/data/0``, ``NAME/data/1`` ... ."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise ModelError(f"an archive of {len(members):,} members; a model has at most {MAX_MEMBERS:,}")
        self.archive = archive
        self.members = {member.filename: member for member in members}
        pickles = [name for name in self.members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ModelError(f"an archive with {len(pickles)} files data.pkl; torch writes one")
        self.folder = pickles[0].removesuffix("data.pkl")
        if f"{self.folder}constants.pkl" in self.members:
            raise ModelError("a TorchScript program, which is not run; save its state_dict() with torch.save")
        if (
            sum(member.file_size for member in members) > size
        ):  # torch does not compress; members that overlap
            raise ModelError("an archive whose members are larger than the file; torch does not compress")
        self.storages: dict[str, Storage] = {}

    def content(self, name: str, most: int) -> bytes:
        member = self.members.get(self.folder + name)
        if member is None:
            raise ModelError(f"an archive without {name}")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ModelError(f"an archive whose {name} is compressed or encrypted; torch writes it plainly")
        if member.file_size > most:
            raise ModelError(
                f"an archive whose {name} has {member.file_size:,} bytes; at most {most:,} are read"
            )
        return self.archive.read(member)

    def read(self, budget: Budget) -> Any:
        big = False
        if f"{self.folder}byteorder" in self.members:
            big = self.content("byteorder", 16) == b"big"

        def persistent(reference: Any) -> Storage:
            dtype, key, count = _reference(reference)
            if key not in self.storages:
                content = self.content(f"data/{key}", MAX_BYTES)
                if len(content) < count * ITEM_BYTES[dtype]:
                    raise ModelError(f"a storage of {count:,} numbers has {len(content):,} bytes")
                self.storages[key] = Storage(dtype, count, lambda: content, big)
            found = self.storages[key]
            if found.dtype != dtype or found.count != count:
                return Storage(dtype, min(count, found.bytes // ITEM_BYTES[dtype]), found.read, big)
            return found

        reader = Reader(self.content("data.pkl", MAX_PICKLE))
        return Machine(reader, Context(budget, _read_nested), persistent).run()


def _reference(reference: Any) -> tuple[str, str, int]:
    """Return type, key and count of what ``persistent_id`` wrote of a storage."""
    if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
        raise ModelError("a pickle that refers to something outside of it")
    key, count = reference[2], reference[4]
    if not isinstance(key, (str, int)) or type(count) is not int or not 0 <= count < 2**48:
        raise ModelError("a storage without a name or a size")
    return storage_type(reference[1]), str(key), count


def _read_nested(content: bytes, budget: Budget) -> Any:
    return _read_zip(content, budget) if content[:4] == b"PK\x03\x04" else _read_stream(content, budget)


def _read_stream(content: bytes, budget: Budget) -> Any:
    """Read a plain pickle, or the pickles of torch before 1.6 with the numbers after them."""
    reader = Reader(content)
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Any:
        if isinstance(reference, tuple) and len(reference) == 4 and reference[0] == "module":
            return reference[1]  # a class with its source code, which is left where it is
        dtype, key, count = _reference(reference)
        whole = storages.setdefault(key, Storage(dtype, count))
        view = reference[5] if len(reference) > 5 else None
        if view is not None or whole.dtype != dtype or whole.count != count:
            raise ModelError("storages that are parts of others; save the file again with a newer torch")
        return whole

    first = Machine(reader, Context(budget, _read_nested)).run()
    if first != _MAGIC or type(first) is not int:
        return first
    if Machine(reader, Context(budget)).run() != _PROTOCOL:
        raise ModelError("a file of an unknown version of torch")
    system = Machine(reader, Context(budget)).run()
    big = isinstance(system, dict) and system.get("little_endian") is False
    found = Machine(reader, Context(budget, _read_nested), persistent).run()
    keys = Machine(reader, Context(budget)).run()
    if not isinstance(keys, list) or {str(key) for key in keys if isinstance(key, (str, int))} != set(
        storages
    ):
        raise ModelError("a file whose list of storages is not that of its tensors")
    for key in keys:
        storage = storages[str(key)]
        count = int.from_bytes(reader.read(8), "big" if big else "little")
        if count != storage.count:
            raise ModelError(f"a storage of {storage.count:,} numbers has {count:,} in the file")
        data = reader.content[reader.place : reader.place + storage.bytes]
        if len(data) < storage.bytes:
            raise ModelError("it ends too early")
        reader.place += storage.bytes
        storage.read, storage.big_endian = (lambda data=data: data), big
    return found
