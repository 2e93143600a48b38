"""Files and names of files with which a studio is probed; all are harmless."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(data or b"\0" * 1000)
    begin = b"\x89PNG\r\n\x1a\n"
    return begin + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _symlinks() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, kind in (("face.png", tarfile.SYMTYPE), ("other.png", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "../../../secret.txt"
            archive.addfile(entry)
        outside = tarfile.TarInfo("../../../../outside.txt")
        outside.size = 1
        archive.addfile(outside, io.BytesIO(b"x"))
    return content.getvalue()


def _zip(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def hostile_files() -> dict[str, tuple[str, bytes, tuple[int, ...]]]:
    """Return name -> file name, content, and with which statuses it may be answered."""
    text = b"this is no picture\n" * 10
    return {
        "100 megapixels": ("big.png", png(10_000, 10_000), (400,)),
        "4 gigapixels": ("bomb.png", png(65_000, 65_000), (400,)),
        "no width": ("none.png", png(0, 10), (400,)),
        "cut": ("cut.png", png(64, 64)[:60], (400,)),
        "text as png": ("a.png", text, (201,)),
        "gif bomb": ("a.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0" * 20, (400,)),
        "bmp bomb": ("a.bmp", b"BM" + b"\xff" * 60, (400,)),
        "tiff loop": ("a.tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", (400,)),
        "heif": ("a.heic", b"\0\0\0\x18ftypheic" + b"\xff" * 200, (400,)),
        "jpeg": ("a.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100, (400,)),
        "webp": ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 40, (400,)),
        "svg": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", (201,)),
        "html": ("a.html", b"<!doctype html><script>1</script>", (201,)),
        "pickle": ("a.pt", b"\x80\x04cposix\nsystem\n(S'true'\ntR.", (201,)),
        "program": ("a.exe", b"MZ" + b"\0" * 100, (201,)),
        "symlinks": ("a.tar", _symlinks(), (201,)),
        "zip bomb": ("a.zip", _zip(a=b"\0" * 10**7), (201,)),
        "model header": ("a.safetensors", struct.pack("<Q", 2**60) + b"{" * 100, (201,)),
    }


FILE_NAMES = {
    "dots": "..%2F..%2Fsecret.png",
    "absolute": "%2Fetc%2Fpasswd",
    "backslashes": "..%5C..%5Csecret.png",
    "nul": "a%00.png",
    "line": "a%0d%0aSet-Cookie:%20x=y.png",
    "long": "a" * 9000,
    "turned": "%E2%80%AEgnp.exe",
    "no utf-8": "%ff%fe.png",
    "none": "",
    "dot": "..",
    "device": "CON",
    "html": "%3Cimg%20src=x%20onerror=alert(1)%3E.png",
}
