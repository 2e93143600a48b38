"""Kinds of files by their first bytes; suffixes are whatever browsers, scrapers and cameras write."""

from __future__ import annotations

import codecs
import os
import re

HEAD = 1024  # bytes at a file's beginning that suffice

NO_IMAGE = "not an image file"
_CONVERT = "convert it to PNG or JPEG first"
_EXPORT = "export it as PNG or JPEG first"
_UNPACK = "unpack it first"
_SAVE = "save its pictures as files or as .npz first"
_VIDEO = "a video (take its pictures out first: ffmpeg -i VIDEO FOLDER/%05d.png)"
RAW = "a RAW photo (develop it to JPEG, PNG or TIFF first)"

# What is read, by its begin; the decoders of pictures are those of images.FORMATS.
_PICTURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|BM|II\*\0|MM\0\*|II\+\0|MM\0\+"
    rb"|P[1-6fFy][\s#]|\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    re.DOTALL,
)
_CONTAINERS = {
    "zip": (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
    "gzip": (b"\x1f\x8b",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ\0",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "npy": (b"\x93NUMPY",),
    "table": (b"PAR1", b"ARROW1\0\0"),
}
PACKED = ("gzip", "bzip2", "xz", "zstd")
ARRAYS = ("npy", "npz", "idx", "table", "csv")
_PIXELS = re.compile(  # a header with a column of this name, and a line with numbers between blanks
    rb"(?:\xef\xbb\xbf)?(?:[^\r\n]*[,;\t|])?[ \"]*pixels[ \"]*(?:[,;\t|][^\r\n]*)?"
    rb"\r?\n[^\r\n]*?[-\d.]+(?: +[-\d.]+){3}",
    re.IGNORECASE,
)

# What is not read: the way out, and how it begins.
_OTHERS: dict[str, tuple[bytes, ...]] = {
    f"a 7z archive ({_UNPACK})": (b"7z\xbc\xaf\x27\x1c",),
    f"a RAR archive ({_UNPACK})": (b"Rar!\x1a\x07",),
    f"packed by lz4, which is not read ({_UNPACK})": (b"\x04\x22\x4d\x18",),
    f"packed by lzip, which is not read ({_UNPACK})": (b"LZIP\x01",),
    f"packed by lzop, which is not read ({_UNPACK})": (b"\x89LZO\0",),
    f"packed by compress, which is not read ({_UNPACK})": (b"\x1f\x9d",),
    f"packed by lzma, which is not read ({_UNPACK})": (b"\x5d\0\0",),
    "a document or program (export its pictures first)": (b"PK\x03\x04",),
    "a pointer of Git LFS ('git lfs pull' fetches the file itself)": (b"version https://git-lfs",),
    f"a cabinet archive ({_UNPACK})": (b"MSCF\0\0",),
    _VIDEO: (
        b"\x1a\x45\xdf\xa3",
        b"\0\0\x01\xba",
        b"\0\0\x01\xb3",
        b"FLV\x01",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    ),
    RAW: (b"FUJIFILMCCD-RAW", b"II*\0\x10\0\0\0CR", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb"),
    f"a Photoshop document ({_EXPORT})": (b"8BPS",),
    f"a GIMP document ({_EXPORT})": (b"gimp xcf",),
    "a PDF (export its pictures first)": (b"%PDF",),
    f"a PostScript file ({_EXPORT})": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    f"a JPEG XL picture ({_CONVERT})": (b"\0\0\0\x0cJXL ", b"\xff\x0a"),
    f"a JPEG XR picture ({_CONVERT})": (b"II\xbc\x01",),
    f"an OpenEXR picture ({_CONVERT})": (b"\x76\x2f\x31\x01",),
    f"a Radiance picture ({_CONVERT})": (b"#?RADIANCE",),
    f"a DDS texture ({_CONVERT})": (b"DDS |",),
    f"a QOI picture ({_CONVERT})": (b"qoif",),
    f"an icon ({_CONVERT})": (b"\0\0\x01\0",),
    f"a FITS picture ({_CONVERT})": (b"SIMPLE  =",),
    f"an HDF5 file ({_SAVE})": (b"\x89HDF\r\n\x1a\n",),
    f"a MATLAB file ({_SAVE})": (b"MATLAB 5.0 MAT",),
    f"a database ({_SAVE})": (b"SQLite format 3\0",),
}
_OTHERS_WITHIN = ((8, b"AVI LIST", _VIDEO), (128, b"DICM", f"a DICOM picture ({_CONVERT})"))
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95\x7d\x5d\x28\x63\x8a\x58\x8c\x71]", re.DOTALL)
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)[\s>]", re.IGNORECASE)
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]", re.DOTALL
)
_RAW_SUFFIXES = re.compile(r"\.(3fr|arw|cr2|dcr|dng|erf|iiq|kdc|mef|mos|nef|nrw|pef|raw|rwl|sr2|srf|srw)")
_TARGA_SUFFIXES = (".tga", ".targa", ".icb", ".vda", ".vst")
_HEIF_BRANDS = b"heic heix hevc hevx heim heis mif1 msf1 avif avis miaf".split()


def is_picture(head: bytes, name: str = "") -> bool:
    """Return whether a file begins as a picture that is read.

    The name matters only for TGA, which has no signature, and for RAW photos, which begin as TIFF.
    """
    if head[4:8] == b"ftyp":
        return _is_heif(head)
    if head[:3] in (b"II*", b"MM\0") and (_RAW_SUFFIXES.fullmatch(_suffix(name)) or head[8:10] == b"CR"):
        return False
    return bool(_PICTURES.match(head)) or is_targa(head, name)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_heif(head: bytes) -> bool:
    size = min(max(int.from_bytes(head[:4], "big"), 16), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    return any(brand in _HEIF_BRANDS for brand in brands)


def is_targa(head: bytes, name: str) -> bool:
    """Return whether a file of that name has a plausible header of TGA, which has no signature."""
    if _suffix(name) not in _TARGA_SUFFIXES or len(head) < 18:
        return False
    sides = int.from_bytes(head[12:14], "little"), int.from_bytes(head[14:16], "little")
    kinds, depths = (1, 2, 3, 9, 10, 11), (8, 15, 16, 24, 32)
    return head[1] < 2 and head[2] in kinds and head[16] in depths and all(sides)


def container(head: bytes) -> str:
    """Return ``zip``, ``tar``, one of ``PACKED`` or ``ARRAYS``, or ''; documents and programs are no zips."""
    if head[:2] == b"\0\0" and head[2:3] in b"\x08\x09\x0b\x0c\x0d\x0e" and head[3:4] in b"\x01\x02\x03\x04":
        return "idx" if len(head) >= 8 else ""
    found = next((kind for kind, begins in _CONTAINERS.items() if head.startswith(begins)), "")
    if found == "zip":
        return _zip_kind(head)
    return found or ("tar" if _is_tar(head) else "csv" if _PIXELS.match(head) else "")


def _zip_kind(head: bytes) -> str:
    """Return ``npz``, ``zip``, or '' for a document or program, by the name of the first member."""
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if first.endswith(b".npy") and b"/" not in first:
        return "npz"
    others = first in (b"[Content_Types].xml", b"mimetype") or first.endswith(b"/data.pkl")
    return "" if others or first.startswith(b"META-INF/") else "zip"


def _is_tar(head: bytes) -> bool:
    if len(head) < 512:
        return False
    if head[257:262] == b"ustar":
        return True
    try:  # the oldest kind has no mark, but a checksum
        checksum = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return checksum == sum(head[:148]) + 8 * 32 + sum(head[156:512])


def refusal(head: bytes, name: str = "") -> str:
    """Return the kind of a file that is not read, and the way out; ``NO_IMAGE`` if it is unknown."""
    if head[4:8] == b"ftyp":
        return RAW if head[8:11] == b"crx" else _VIDEO
    if head[:3] in (b"II*", b"MM\0") and not is_picture(head, name):
        return RAW
    kind = container(head)
    if kind in ARRAYS:
        return "an array or table, not a picture"
    if kind:
        return f"an archive ({_UNPACK})"
    if found := next((text for text, begins in _OTHERS.items() if head.startswith(begins)), ""):
        return found
    if found := next((text for at, begin, text in _OTHERS_WITHIN if head[at:].startswith(begin)), ""):
        return found
    if _PICKLE.match(head):
        return f"a pickle, which may run code when it is read ({_SAVE})"
    if _HTML.match(head):
        return "a web page (download the picture itself)"
    return f"an SVG drawing ({_EXPORT})" if _SVG.match(head) else NO_IMAGE


def is_part(name: str) -> bool:
    """Return whether a name is that of one part of a split archive."""
    part = r"\.(z\d\d|r\d\d|part0*[2-9]\d*\.rar|(zip|7z|tar|gz|tgz|rar)\.\d{3})$"
    return bool(re.search(part, name.lower()))


def text_kind(head: bytes) -> str:
    """Return the kind of text that begins so: a web page, a Git LFS pointer, or any; '' for no text."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "a text file"
    if not head or re.search(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]", head):
        return ""
    if head.startswith(b"version https://git-lfs") or _HTML.match(head):
        return refusal(head)
    for coding in ("utf-8", "cp1252"):
        try:  # the last sign may be cut through
            codecs.getincrementaldecoder(coding)().decode(head)
        except UnicodeDecodeError:
            continue
        return "a text file"
    return ""
