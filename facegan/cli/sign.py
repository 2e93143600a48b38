"""``facegan sign``: pictures and films with a signature that breaks when they are changed."""

from __future__ import annotations

from typing import Annotated

import tyro


def main(
    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PICTURE...")],
    cert: str = "",
    key: str = "",
    *,
    out: str = "",
) -> None:
    """Sign pictures and films by the C2PA standard (Content Credentials), with your own certificate.

    The signature says that a model made the picture or changed a photo, as its mark does, and that facegan
    and the holder of the certificate vouch for the file. It breaks if a byte changes. 'facegan show PICTURE'
    checks it. Needs the package c2pa-python: pip install 'facegan[c2pa]'.

    Args:
        pictures: files that facegan has made and marked (PNG, JPEG, WebP, GIF, MP4).
        cert: a PEM file: the certificate, then those of its authorities.
        key: a PEM file: its private key, without a password.
        out: a folder for the signed files; '' puts NAME-signed beside each.
    """
    from facegan.signing import sign

    written = sign(list(pictures), cert, key, out=out)
    print(f"{len(written)} signed -> {', '.join(map(str, written[:4]))}{', ...' * (len(written) > 4)}")
