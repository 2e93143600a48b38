"""Bring the libraries of the studio's page, preact and htm, into the package; needs npm.

    python .ci/preact.py

It packs the pinned versions, compares their hashes, and writes facegan/studio/page/vendor/: the modules,
which import each other by relative addresses, and both licences. To take another version, change VERSIONS,
give .ci/page/package.json the same one, and run the tests.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSIONS = {  # package -> version, SHA-256 of npm's archive
    "preact": ("11.2.0", "3c4456766bd32b6b534d52bf4e9c2a29b33e7eedf6e96ed479300ba1a7888ebf"),
    "htm": ("3.1.1", "2425b9bee11409177bcabc7f32e319926fc6690c1701c0b257c88bdff2d5ba90"),
}
FILES = {  # name in vendor/ -> package, file in it
    "preact.js": ("preact", "dist/preact.mjs"),
    "hooks.js": ("preact", "hooks/dist/hooks.mjs"),
    "htm.js": ("htm", "dist/htm.module.js"),
    "LICENSE.preact": ("preact", "LICENSE"),
    "LICENSE.htm": ("htm", "LICENSE"),
}
VENDOR = Path(__file__).parents[1] / "facegan" / "studio" / "page" / "vendor"


def main() -> None:
    archives = {name: packed(name) for name in VERSIONS}
    for file, (package, member) in FILES.items():
        text = archives[package][member]
        if file.endswith(".js"):
            text = text.replace('from"preact"', 'from"./preact.js"')
            text = re.sub(r"\n?//# sourceMappingURL=.*\n?$", "", text).rstrip("\n") + "\n"
            if found := re.findall(r'from"(?!\./)[^"]*"', text):
                raise SystemExit(f"{file} imports {found[0]}, which vendor/ does not have")
            text = f"/* {package} {VERSIONS[package][0]}, see LICENSE.{package} */\n{text}"
        (VENDOR / file).write_text(text)
        print(f"{file:<16} {len(text):,} bytes")


def packed(package: str) -> dict[str, str]:
    """Return the texts of a package's modules and licence by name, once its hash is the pinned one."""
    version, pinned = VERSIONS[package]
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
        archive = Path(folder) / name
        if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != pinned:
            raise SystemExit(f"{name}: SHA-256 {found}, not the pinned {pinned}")
        with tarfile.open(archive) as tar:
            wanted = [member for owner, member in FILES.values() if owner == package]
            files = {member: tar.extractfile(f"package/{member}") for member in wanted}
            return {member: file.read().decode() for member, file in files.items() if file is not None}


if __name__ == "__main__":
    main()
