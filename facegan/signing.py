"""Signatures in pictures and films, by the C2PA standard, with anybody's certificate.

A signature (a manifest, "Content Credentials") says who vouches for a file, with the same word on its origin
as the mark, and breaks if a single byte changes. The package ``c2pa-python`` does the work.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from facegan.arguments import place
from facegan.errors import InputError
from facegan.files import check_places, derived, temporary_beside, writing
from facegan.marks import SOURCE_TYPES, Mark, one_line, read_mark
from facegan.version import __version__

_SETTINGS = {
    # Its thumbnails are 1024 px wide, also of smaller pictures.
    "builder": {"thumbnail": {"enabled": False}},
    # Reading a file asks for nothing from anywhere.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Signature:
    """A file's signature: ``holds`` unless the file was changed, and ``trusted`` if its authority is known.

    ``name`` is that of the certificate. ``problems`` are the standard's words for what is wrong.
    """

    holds: bool
    trusted: bool
    name: str
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.holds:
            why = ", ".join(self.problems)
            return f"broken: the file was changed, or is not what {self.name} signed ({why})"
        known = "" if self.trusted else "; the certificate's authority is not known here"
        return f"by {self.name}, unchanged{known}"


def sign(
    pictures: str | Path | Sequence[str | Path],
    cert: str | Path,
    key: str | Path,
    *,
    out: str | Path = "",
) -> list[Path]:
    """Sign pictures and films that have a mark, and return the signed files.

    >>> facegan.sign("faces.png", "chain.pem", "key.pem")
    [PosixPath('faces-signed.png')]

    Args:
        pictures: files with a mark of facegan (PNG, JPEG, WebP, GIF, MP4).
        cert: a PEM file with the certificate, followed by those of its authorities.
        key: a PEM file with its private key, without a password.
        out: a folder for the signed files; "" puts NAME-signed beside each.

    Raises:
        InputError: A file is missing, has no mark or is signed already, or certificate and key do not fit.
    """
    named = [pictures] if isinstance(pictures, (str, Path)) else list(pictures)
    files = [Path(place(name, "pictures")) for name in named]
    if not files:
        raise InputError("which pictures? Name one or more files")
    for option, name in (("--cert", cert), ("--key", key)):
        if not str(name):
            raise InputError(f"{option} is missing: signing needs a certificate and its key, PEM files")
    folder = Path(place(out, "out")) if str(out) else None
    c2pa = _library()
    signer = _signer(c2pa, Path(cert), Path(key))
    written = [folder / file.name if folder else derived(file, f"-signed{file.suffix}") for file in files]
    check_places({"--out": list(written)}, [*map(str, files), str(cert), str(key)])
    marks = [_unsigned(c2pa, file) for file in files]
    with contextlib.closing(signer):
        for file, target, mark in zip(files, written, marks, strict=True):
            with writing("--out", str(target)):
                _sign(c2pa, signer, file, target=target, mark=mark)
    return written


def read_signature(path: str | Path) -> Signature | None:
    """Return the signature of a file; None if it has none.

    Raises:
        InputError: There is no such file, or the package ``c2pa-python`` is missing.
    """
    c2pa, place = _library(), Path(path)
    if not place.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        with c2pa.Reader(str(place), context=_context(c2pa)) as reader:
            found, state = json.loads(reader.json()), reader.get_validation_state()
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        return Signature(False, False, "anybody", (_line(error),))
    active = found["manifests"][found["active_manifest"]]
    owner = active.get("signature_info", {})
    problems = [status["code"] for status in found.get("validation_status", [])]
    known = tuple(code for code in problems if code != "signingCredential.untrusted")
    name = one_line(str(owner.get("common_name") or owner.get("issuer") or "somebody"))
    return Signature(state in ("Valid", "Trusted"), state == "Trusted", name, known)


def is_installed() -> bool:
    """Return whether signatures can be read here."""
    from importlib.util import find_spec

    return find_spec("c2pa") is not None


def _library() -> ModuleType:
    try:
        import c2pa
    except ImportError:
        raise InputError("signatures need the package c2pa-python: pip install 'facegan[c2pa]'") from None
    return c2pa


def _context(c2pa: ModuleType) -> Any:
    return c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _unsigned(c2pa: ModuleType, file: Path) -> Mark:
    """Return the file's mark; InputError if it has none, or a signature."""
    mark = read_mark(file)
    if mark is None or not mark.source:
        raise InputError(f"{file}: no mark says what made it, so there is nothing to sign for")
    if read_signature(file) is not None:
        raise InputError(f"{file}: it is signed already; sign the file that this one was made from")
    return mark


def _signer(c2pa: ModuleType, cert: Path, key: Path) -> Any:
    """Return what signs; InputError where certificate and key are not what they should be."""
    from cryptography import x509

    contents = []
    for option, file in (("--cert", cert), ("--key", key)):
        try:
            contents.append(file.read_bytes())
        except OSError as error:
            raise InputError(f"{option} {file}: cannot be read ({error.strerror or error})") from None
    chain, private = contents
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError):
        raise InputError(f"--cert {cert}: no PEM file of certificates") from None
    algorithm, loaded = _private_key(private, key)
    if first.public_key() != loaded.public_key():
        raise InputError(f"--key {key}: not the key of the first certificate in {cert}")
    try:
        # None: no service is asked for the time; an empty address would fail without a reason.
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm.encode(), chain, _pkcs8(loaded), None))
    except c2pa.C2paError as error:
        raise InputError(f"--cert {cert}: C2PA does not take it ({_line(error)})") from None


def _pkcs8(key: Any) -> bytes:
    """Return a private key as PKCS #8, which c2pa reads; OpenSSL's older forms it does not."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _private_key(private: bytes, file: Path) -> tuple[str, Any]:
    """Return the standard's name of what a private key signs by, and the key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(private, None)
    except TypeError:
        raise InputError(f"--key {file}: it has a password; remove it with 'openssl pkey'") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"--key {file}: no PEM file of a private key") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name], key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519", key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256", key
    raise InputError(f"--key {file}: C2PA takes P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more")


def _sign(c2pa: ModuleType, signer: Any, file: Path, *, target: Path, mark: Mark) -> None:
    """Write a signed copy, which appears whole or not at all."""
    tool = {"name": "facegan", "version": __version__}
    source = mark.source if "/" in mark.source else SOURCE_TYPES + mark.source
    action = {"action": "c2pa.created", "digitalSourceType": source, "softwareAgent": tool}
    manifest = {
        "claim_generator_info": [tool],
        "title": file.name,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target, target.suffix.lower())
    with _removed(temporary):
        try:
            with c2pa.Builder(json.dumps(manifest), _context(c2pa)) as builder:
                builder.sign_file(str(file), str(temporary), signer)
        except c2pa.C2paError.Signature as error:
            raise InputError(
                f"--cert: C2PA does not take this certificate ({_line(error)}); it needs the key usage "
                "digitalSignature and the extended usage emailProtection or documentSigning"
            ) from None
        except c2pa.C2paError.Io as error:  # the picture was read before
            raise InputError(
                f"--out {target}: cannot be written; is there room, and may you write there? ({_line(error)})"
            ) from None
        except c2pa.C2paError as error:
            raise InputError(f"{file}: cannot be signed ({_line(error)})") from None
        found = read_signature(temporary)
        if found is None or not found.holds:
            why = ", ".join(found.problems) if found else "no manifest"
            raise InputError(f"{file}: the certificate does not make a valid signature ({why})")
        os.replace(temporary, target)


@contextlib.contextmanager
def _removed(file: Path) -> Iterator[None]:
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
