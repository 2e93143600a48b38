"""Bring the runtime of exported pages, onnxruntime-web, into the package; needs npm.

    python .ci/onnxruntime_web.py

It packs the pinned version, compares its hash, and writes facegan/exchange/web/. Licence and notices are
those of the installed package onnxruntime, which is built of the same sources; npm's package has none.
To take another version, change VERSION and SHA256, and run the tests.
"""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import tarfile
import tempfile
from importlib.metadata import distribution
from pathlib import Path

VERSION = "1.30.0"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
WEB = Path(__file__).parents[1] / "facegan" / "exchange" / "web"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"onnxruntime-web@{VERSION}"]
        name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
        archive = Path(folder) / name
        if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != SHA256:
            raise SystemExit(f"{name}: SHA-256 {found}, not the pinned {SHA256}")
        with tarfile.open(archive) as tar:
            contents = {file: tar.extractfile(f"package/dist/{file}").read() for file in FILES}
    licences = distribution("onnxruntime").locate_file("onnxruntime")
    for file in ("LICENSE", "ThirdPartyNotices.txt"):
        contents[file] = Path(str(licences), file).read_bytes().replace(b"\r\n", b"\n")
    for file, content in contents.items():
        (WEB / f"{file}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        print(f"{file}.gz  {(WEB / f'{file}.gz').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
