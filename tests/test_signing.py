"""Signatures by C2PA: made with a certificate of the test's own, read by the library, broken by one byte."""

from __future__ import annotations

import datetime
import json
import resource
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

import facegan
from facegan import images, video
from facegan.cli.main import main
from facegan.errors import InputError
from facegan.marks import COMPOSITE, made, read_mark
from facegan.signing import read_signature, sign

BEGIN, END = datetime.datetime(2026, 1, 1), datetime.datetime(2046, 1, 1)
KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}
NAMES = ["a.png", "a.jpg", "a.webp", "f.mp4", "f.gif", "f.webp"]


def named(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "T"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


def usage(**chosen: bool) -> x509.KeyUsage:
    words = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    more = ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{word: chosen.get(word, False) for word in (*words, *more)})


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificates(
    folder: Path, kind: str = "P-256", *, extended: Any = None, alone: bool = False
) -> list[str]:
    """Write a chain and its key, as C2PA's profile has them; return the options that name them."""
    root, key = ec.generate_private_key(ec.SECP256R1()), KEYS[kind]()
    issuer = key if alone else root

    def begun(name: str, by: str, public: Any) -> x509.CertificateBuilder:
        built = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(by)).public_key(public)
        built = built.serial_number(x509.random_serial_number()).not_valid_before(BEGIN).not_valid_after(END)
        return built.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)

    above = begun("Root", "Root", root.public_key())
    above = above.add_extension(x509.BasicConstraints(True, None), True)
    above = above.add_extension(usage(key_cert_sign=True, crl_sign=True), True)
    leaf = begun("Anna", "Anna" if alone else "Root", key.public_key())
    leaf = leaf.add_extension(x509.BasicConstraints(False, None), True)
    leaf = leaf.add_extension(usage(digital_signature=True), True)
    of = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    leaf = leaf.add_extension(of, False)
    wanted = [ExtendedKeyUsageOID.EMAIL_PROTECTION] if extended is None else extended
    leaf = leaf.add_extension(x509.ExtendedKeyUsage(wanted), False) if wanted else leaf
    own = leaf.sign(issuer, hashes.SHA256())
    chain = pem(own) + (b"" if alone else pem(above.sign(root, hashes.SHA256())))
    (folder / "chain.pem").write_bytes(chain)
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return ["--cert", str(folder / "chain.pem"), "--key", str(folder / "key.pem")]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return certificates(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One picture or film of each format, in the current folder."""
    monkeypatch.chdir(tmp_path)
    frames = [np.random.default_rng(i).integers(0, 256, (32, 48, 3), np.uint8) for i in range(3)]
    for name in NAMES:
        if name.startswith("f"):
            video.write_film(name, frames, mark=made("a" * 64, seed="3"))
        else:
            images.save_picture(name, frames[0], made("a" * 64, seed="3"))
    return tmp_path


def test_every_format_is_signed_and_a_changed_byte_is_seen(
    pictures: Path, keys: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sign", *NAMES, *keys, "--out", "signed"]) == 0
    text = capsys.readouterr().out
    assert text == "6 signed -> signed/a.png, signed/a.jpg, signed/a.webp, signed/f.mp4, ...\n"
    for name in NAMES:
        place = Path("signed", name)
        found = read_signature(place)
        assert found and found.holds and not found.trusted and found.name == "Anna" and not found.problems
        assert read_mark(place) == read_mark(name)
        assert 0 < place.stat().st_size - Path(name).stat().st_size < 5000, "no thumbnail"
        assert read_signature(name) is None
        if name.startswith("a"):
            with Image.open(place) as signed, Image.open(name) as plain:
                assert np.array_equal(np.asarray(signed), np.asarray(plain))
        content = bytearray(place.read_bytes())
        at = content.rindex(b'"seed":"3"') + 8
        content[at : at + 1] = b"4"
        place.write_bytes(content)
        found = read_signature(place)
        assert found and not found.holds and any("mismatch" in code for code in found.problems), name


def test_a_changed_pixel_is_seen(pictures: Path, keys: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else's picture in place of the signed one, with its metadata and signature."""
    image = np.zeros((32, 48, 3), np.uint8)
    images.save_png("black.png", image, made("a" * 64))
    sign("black.png", keys[1], keys[3])
    assert main(["show", "black-signed.png"]) == 0
    last = "signature    by Anna, unchanged; the certificate's authority is not known here"
    assert capsys.readouterr().out.splitlines()[-1] == last
    whole = Path("black-signed.png").read_bytes()
    image[5, 7] = 0, 1, 0
    images.save_png("black.png", image, made("a" * 64))
    begin, other = whole.index(b"IDAT") - 4, Path("black.png").read_bytes()
    Path("black-signed.png").write_bytes(whole[:begin] + other[other.index(b"IDAT") - 4 :])
    assert main(["show", "black-signed.png"]) == 0
    text = capsys.readouterr().out.splitlines()[-1]
    assert text.startswith("signature    broken: the file was changed, or is not what Anna signed (")
    assert main(["show", "black-signed.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signature"]["holds"] is False


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_of_key(pictures: Path, kind: str) -> None:
    (written,) = sign("a.png", *certificates(pictures, kind)[1::2])
    found = read_signature(written)
    assert written.name == "a-signed.png" and found and found.holds


@pytest.mark.parametrize("kind", ["P-256", "RSA"])
def test_keys_in_the_older_form_of_openssl(pictures: Path, kind: str) -> None:
    """``openssl ecparam -genkey`` and ``genrsa -traditional`` write what begins with the kind of key."""
    options = certificates(pictures, kind)
    key = serialization.load_pem_private_key(Path(options[3]).read_bytes(), None)
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    Path(options[3]).write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    (written,) = sign("a.png", *options[1::2])
    found = read_signature(written)
    assert found and found.holds


def test_a_full_disk_is_named_as_such(
    pictures: Path, keys: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        code = main(["sign", "a.png", *keys, "--out", "signed"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    err = capsys.readouterr().err
    assert code == 2 and err.startswith(
        "facegan sign: --out signed/a.png: cannot be written; is there room"
    ), err
    assert err.count("\n") == 1 and not list(Path("signed").iterdir())


@pytest.mark.parametrize("source", ["trainedAlgorithmicMedia", COMPOSITE])
def test_the_manifest_says_what_the_mark_says(pictures: Path, keys: list[str], source: str) -> None:
    import c2pa

    images.save_png("a.png", np.zeros((8, 8, 3), np.uint8), made("a" * 64, source=source))
    (written,) = sign(["a.png"], keys[1], keys[3], out="x")
    with c2pa.Reader(str(written)) as reader:
        manifest = reader.get_active_manifest()
    (actions,) = [a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    (action,) = actions["data"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == f"http://cv.iptc.org/newscodes/digitalsourcetype/{source}"
    maker = manifest["claim_generator_info"][0]
    assert (maker["name"], maker["version"]) == ("facegan", facegan.__version__)
    assert "thumbnail" not in manifest


MISTAKES = {
    "no certificate": (["--cert", "no.pem"], "--cert no.pem: cannot be read (No such file or directory)"),
    "no --cert": (["--cert", ""], "--cert is missing: signing needs a certificate and its key, PEM files"),
    "a key for it": (["--cert", "key.pem"], "--cert key.pem: no PEM file of certificates"),
    "no key": (["--key", "no.pem"], "--key no.pem: cannot be read (No such file or directory)"),
    "a certificate for it": (["--key", "chain.pem"], "--key chain.pem: no PEM file of a private key"),
    "another key": (
        ["--key", "other.pem"],
        "--key other.pem: not the key of the first certificate in chain.pem",
    ),
    "a password": (
        ["--key", "locked.pem"],
        "--key locked.pem: it has a password; remove it with 'openssl pkey'",
    ),
    "a short key": (
        ["--key", "short.pem"],
        "--key short.pem: C2PA takes P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more",
    ),
    "no mark": (["plain.png"], "plain.png: no mark says what made it, so there is nothing to sign for"),
    "no picture": (["key.pem"], "key.pem: not a PNG, JPEG, WebP, GIF or MP4 file"),
    "nothing there": (["b.png"], "b.png: cannot be read (No such file or directory)"),
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(
    pictures: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates(pictures)
    form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    locked, key = serialization.BestAvailableEncryption(b"x"), KEYS["P-256"]()
    Path("locked.pem").write_bytes(key.private_bytes(encoding, form, locked))
    Path("other.pem").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    short = ec.generate_private_key(ec.SECP256K1())
    Path("short.pem").write_bytes(short.private_bytes(encoding, form, serialization.NoEncryption()))
    images.save_png("plain.png", np.zeros((8, 8, 3), np.uint8))
    options = {"--cert": "chain.pem", "--key": "key.pem"}
    if words[0] in options:
        options |= dict([words])
        words = ["a.png"]
    argv = ["sign", *words, *(part for pair in options.items() for part in pair)]
    before = set(pictures.iterdir())
    assert main(argv) == 2
    assert capsys.readouterr().err == f"facegan sign: {message}\n"
    assert set(pictures.iterdir()) == before


@pytest.mark.parametrize("case", ["for servers", "for anything", "for nothing"])
def test_certificates_outside_of_the_profile(pictures: Path, case: str) -> None:
    wanted = {
        "for servers": [ExtendedKeyUsageOID.SERVER_AUTH],
        "for anything": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
        "for nothing": [],
    }
    options = certificates(pictures, extended=wanted[case])
    with pytest.raises(InputError, match=r"C2PA does not take this certificate.*documentSigning"):
        sign("a.png", *options[1::2])
    assert not [p for p in pictures.iterdir() if "signed" in p.name]


def test_a_certificate_that_signed_itself(pictures: Path) -> None:
    (written,) = sign("a.png", *certificates(pictures, alone=True)[1::2])
    found = read_signature(written)
    assert found and found.holds and not found.trusted


def test_a_signed_file_is_not_signed_again(pictures: Path, keys: list[str]) -> None:
    sign("a.png", keys[1], keys[3])
    with pytest.raises(InputError, match=r"a-signed.png: it is signed already"):
        sign("a-signed.png", keys[1], keys[3])
    shutil.copy("a.png", "x-signed.png")
    with pytest.raises(InputError, match="is read"):
        sign(["x-signed.png", "x.png"], keys[1], keys[3])


def test_without_the_package(
    pictures: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    monkeypatch.setattr("facegan.signing.is_installed", lambda: False)
    assert main(["sign", "a.png", *keys]) == 2
    message = "facegan sign: signatures need the package c2pa-python: pip install 'facegan[c2pa]'\n"
    assert capsys.readouterr().err == message
    assert main(["show", "a.png"]) == 0
    assert "signature" not in capsys.readouterr().out
