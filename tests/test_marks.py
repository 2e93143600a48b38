"""Marks: what a picture's file says of its making, in every format; damaged files; words of commands."""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from facegan import images, marks, video, xmp
from facegan.cli.main import main
from facegan.errors import InputError
from facegan.marks import COMPOSITE, Mark, made, read_mark

PICTURES = ["a.png", "a.jpg", "a.webp"]
FILMS = ["a.mp4", "a.gif", "f.webp"]
MODEL = "0123456789abcdef" * 4
HARD = {
    "plain": "seed:0-8",
    "quotes": """it's "quoted" & <tagged> ]]> &amp;""",
    "letters": "Zoë 顔 \U0001f600 e\u0301",
    "no XML": "\x00\x01\x1f\x7f\ufffe\uffff\ud800 end",
    "lines": "one\ntwo\ttabs\r\n",
}


def write(place: Path, mark: Mark | None, scale: int = 1) -> Path:
    """Write a picture, or three frames, by the name's ending."""
    frames = [np.full((16 * scale, 24 * scale, 3), v, np.uint8) for v in (20, 120, 220)]
    frames[0][:8, :8] = 255, 0, 0
    if place.name in FILMS:
        video.write_film(place, frames, 10, mark=mark)
    else:
        images.save_picture(place, frames[0], mark)
    return place


def pixels(place: Path) -> np.ndarray:
    if place.suffix == ".mp4":
        with av.open(str(place)) as film:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])
    with Image.open(place) as picture:
        frames = range(getattr(picture, "n_frames", 1))
        return np.stack([(picture.seek(i), np.asarray(picture.convert("RGB")))[1] for i in frames])


@pytest.mark.parametrize("name", PICTURES + FILMS)
@pytest.mark.parametrize("source", [marks.GENERATED, COMPOSITE])
def test_a_mark_comes_back_and_changes_no_pixel(tmp_path: Path, name: str, source: str) -> None:
    mark = made(MODEL, source=source, seed="0-8", truncation="0.7")
    marked, plain = write(tmp_path / name, mark), write(tmp_path / f"plain-{name}", None)
    if name in FILMS:  # the plain name would be that of a picture
        plain = tmp_path / "plain" / name
        write(plain, None)
    assert read_mark(marked) == mark
    assert read_mark(plain) is None
    assert np.array_equal(pixels(marked), pixels(plain))
    assert 600 < marked.stat().st_size - plain.stat().st_size < 1500
    assert write(tmp_path / "again" / name, mark).read_bytes() == marked.read_bytes()


@pytest.mark.parametrize("name", PICTURES + FILMS)
def test_settings_and_a_long_command_come_back_whole(tmp_path: Path, name: str) -> None:
    settings = json.dumps(
        {"action": "generate", "settings": {"points": "seed:" + "7," * 900, "x": HARD["quotes"]}}
    )
    argv = ["generate", "faces", f"seed:{'8,' * 900}"]
    with marks.command_line(argv, settings):
        mark = made(MODEL, seed="7")
    found = read_mark(write(tmp_path / name, mark))
    assert found is not None
    assert (found.details["recall"], found.command) == (settings, marks.spell_command(argv))
    assert marks.RECALL not in mark.texts() and marks.RECALL not in str(mark), "it is for programs"
    assert marks.RECALL not in made(MODEL).details, "the context has ended"


def test_settings_that_are_too_long_are_left_out_and_a_command_is_cut(tmp_path: Path) -> None:
    with marks.command_line(["x" * 3000], "{" * (marks.MAX_RECALL + 1)):
        found = read_mark(write(tmp_path / "a.png", made(MODEL, seed="8" * 400)))
    assert found is not None and marks.RECALL not in found.details
    assert (len(found.command), len(found.seed)) == (marks.MAX_COMMAND, marks.MAX_VALUE)
    assert found.command.endswith("…")


@pytest.mark.parametrize("name", PICTURES + FILMS)
def test_no_mark_is_no_byte(tmp_path: Path, name: str) -> None:
    off = write(tmp_path / "off" / name, made(MODEL, seed="7", mark=False))
    assert off.read_bytes() == write(tmp_path / "none" / name, None).read_bytes()


def test_other_programs_find_the_packet(tmp_path: Path) -> None:
    """Pillow names the packet in each format that it reads; the XML is that of XMP's specification."""
    mark = made(MODEL, seed="3")
    for name in ("a.png", "a.jpg", "a.webp", "f.webp"):
        with Image.open(write(tmp_path / name, mark)) as picture:
            packet = picture.info.get("xmp") or picture.info["XML:com.adobe.xmp"].encode()
        assert packet == mark.packet(), name
    text = re.sub(r"<\?xpacket.*?\?>", "", mark.packet().decode())
    (description,) = ElementTree.fromstring(text).iter(f"{{{marks._RDF}}}Description")
    assert description.attrib[f"{{{marks._IPTC}}}DigitalSourceType"] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    assert json.loads(description.attrib[f"{{{marks._OWN}}}Mark"])["model"] == MODEL


def test_the_texts_of_a_png_stay(tmp_path: Path) -> None:
    with Image.open(write(tmp_path / "a.png", made(MODEL, seed="0-8", truncation="1"))) as picture:
        texts = dict(picture.text)  # type: ignore[attr-defined]
    texts.pop("XML:com.adobe.xmp")
    assert list(texts) == ["seed", "truncation", "model", "Software"] and texts["model"] == MODEL


@pytest.mark.parametrize("value", HARD.values(), ids=HARD)
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif"])
def test_any_text_comes_back(tmp_path: Path, name: str, value: str) -> None:
    found = read_mark(write(tmp_path / name, made(MODEL, expression=value)))
    assert found is not None
    assert found.details["expression"] == re.sub("[\ud800-\udfff\ufffe\uffff]", "?", value)


def test_a_thousand_seeds_stay_small() -> None:
    seeds = ",".join(str(i * i) for i in range(1000))
    mark = made(MODEL, seed=seeds, points=seeds)
    assert len(mark.packet()) < 1500
    assert mark.texts()["seed"] == seeds


# --- files of others, and damaged ones ---------------------------------------------------------------


def packet(inside: str, before: str = "") -> bytes:
    return (
        f'{before}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{marks._RDF}"><rdf:Description '
        f'xmlns:Iptc4xmpExt="{marks._IPTC}" xmlns:xmp="{marks._XMP}" xmlns:facegan="{marks._OWN}">{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def png_with(content: bytes, compressed: bool = False) -> bytes:
    body = b"iTXt" + xmp._PNG_KEY + bytes([compressed, 0]) + b"\0\0"
    body += zlib.compress(content) if compressed else content
    plain = images.png_bytes(np.zeros((8, 8, 3), np.uint8))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return plain[:33] + chunk + plain[33:]


@pytest.mark.parametrize("compressed", [False, True])
def test_elements_of_another_program(tmp_path: Path, compressed: bool) -> None:
    """Programs that save a picture again write elements, often compressed, with their own name."""
    inside = (
        f"<Iptc4xmpExt:DigitalSourceType>{marks.SOURCE_TYPES}digitalCapture</Iptc4xmpExt:DigitalSourceType>"
        "<xmp:CreatorTool>Camera 5</xmp:CreatorTool>"
    )
    (tmp_path / "a.png").write_bytes(png_with(packet(inside), compressed))
    assert read_mark(tmp_path / "a.png") == Mark({}, "digitalCapture", "", "Camera 5")


def test_a_packet_without_a_word_on_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_with(packet("<xmp:Rating>5</xmp:Rating>")))
    assert read_mark(tmp_path / "a.png") is None


LAUGHS = "<!DOCTYPE a [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
DAMAGED_XML = {
    "entities": packet("<xmp:CreatorTool>&i;</xmp:CreatorTool>", f"{LAUGHS}]>"),
    "a file": packet(
        "<xmp:CreatorTool>&f;</xmp:CreatorTool>", '<!DOCTYPE a [<!ENTITY f SYSTEM "/etc/passwd">]>'
    ),
    "unknown entity": packet("<xmp:CreatorTool>&f;</xmp:CreatorTool>"),
    "cut": packet("")[:-9],
    "no XML": b"\xff\xfe\0\1 nothing",
    "JSON": packet("<facegan:Mark>{</facegan:Mark>"),
    "a list": packet("<facegan:Mark>[1]</facegan:Mark>"),
    "deep": packet(f"<facegan:Mark>{'[' * 100_000}</facegan:Mark>"),
}


@pytest.mark.parametrize("content", DAMAGED_XML.values(), ids=DAMAGED_XML)
def test_damaged_packets_are_one_line(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png_with(content))
    assert main(["show", "a.png"]) == 2
    assert capsys.readouterr().err == "facegan show: a.png: its mark (XMP) is damaged\n"


def test_a_bomb_is_unpacked_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_with(b" " * 50_000_000, compressed=True))
    with pytest.raises(InputError, match="damaged"):
        read_mark(tmp_path / "a.png")


@pytest.mark.parametrize("name", PICTURES + FILMS)
def test_files_that_end_too_early(tmp_path: Path, name: str) -> None:
    """Cut anywhere, a file has its mark, none, or an error in one line; one that has lost it is reported."""
    mark = made(MODEL, seed="1")
    whole = write(tmp_path / name, mark).read_bytes()
    begin = whole.index(b"<?xpacket") if name != "a.jpg" else whole.index(b"http://ns.adobe")
    for length in {*range(0, len(whole), 31), *range(max(begin - 40, 0), begin + 60)}:
        (tmp_path / "cut").write_bytes(whole[:length])
        try:
            found = read_mark(tmp_path / "cut")
        except InputError as error:
            assert "\n" not in str(error)
            continue
        lost = name == "a.mp4" and length == begin - 24  # a whole film: boxes have no end
        assert found == (None if lost else mark), f"{length} of {len(whole)} bytes"


@pytest.mark.parametrize("name", PICTURES + FILMS)
def test_files_with_wrong_bytes(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path / name, made(MODEL, seed="1")).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        other = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 3000), 4):
            other[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
        (tmp_path / "wrong").write_bytes(other)
        try:
            read_mark(tmp_path / "wrong")
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a PNG"), (b"hello, world", "not a PNG"), (None, "No such file")],
)
def test_other_files_are_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_mark(tmp_path / "a")
    assert not xmp.is_readable(tmp_path / "a")


# --- commands ----------------------------------------------------------------------------------------

COMMANDS = {
    "generate celeba64 seed:0-8 --out /home/anna/faces.png": "generate celeba64 seed:0-8 --out out.png",
    "generate m.safetensors --out=../x/": "generate m.safetensors --out=out",
    "film /anna/r@best --out b.mp4 --evenness /p/e.png": "film r@best --out out.mp4 --evenness e.png",
    "generate hf:anna/faces": "generate hf:anna/faces",
    "generate hf:anna/faces@refs/pr/3/b.safetensors": "generate hf:anna/faces@refs/pr/3/b.safetensors",
    "generate hf:anna/faces+/b/d.safetensors": "generate hf:anna/faces+d.safetensors",
    "invert https://anna:word@host": "invert host",
    "generate /a/m.safetensors+/b/d.safetensors": "generate d.safetensors",
    "generate celeba64+/b/d.safetensors": "generate celeba64+d.safetensors",
    "invert https://host/a/me.jpg?token=secret#x --tune": "invert me.jpg --tune",
    r"invert C:\Users\Anna\me.jpg": "invert me.jpg",
    "edit celeba64 seed:5 'smiling=+2, eyeglasses=-1'": "edit celeba64 seed:5 'smiling=+2, eyeglasses=-1'",
    "attack ~anna/me.jpg --target cat --out me.png": "attack me.jpg --target cat --out out.png",
}


@pytest.mark.parametrize(("typed", "kept"), COMMANDS.items())
def test_a_command_names_no_folder(typed: str, kept: str) -> None:
    import shlex

    words = shlex.split(typed.replace("\\", "\\\\"))
    assert marks.spell_command(words) == f"facegan {kept}"


def test_a_delta_beside_a_model_keeps_both_names(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").touch()
    spelled = marks.spell_command(["generate", f"{tmp_path}/m.safetensors+{tmp_path}/d.safetensors"])
    assert spelled == "facegan generate m.safetensors+d.safetensors"


def test_a_command_is_known_inside_it_only() -> None:
    with marks.command_line(["generate", "celeba64"]):
        assert made().command == "facegan generate celeba64"
    assert made().command == ""


def test_show_prints_the_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.png"), made(MODEL, seed="0-8"))
    write(Path("none.png"), None)
    assert main(["show", "a.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1) == ["source", "generated by a trained model"]
    assert {"seed         0-8", f"model        {MODEL}", "command      unknown"} <= set(lines)
    assert main(["show", "a.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == "0-8"
    assert main(["show", "none.png"]) == 1
    assert capsys.readouterr().out == "none.png: no mark says what made it\n"


def test_control_characters_of_a_stranger_are_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = r'<facegan:Mark>{"a\u001b[2J":"\u001b]0;title\u0007 one\ntwo\u009b31m"}</facegan:Mark>'
    (tmp_path / "a.png").write_bytes(png_with(packet(inside)))
    assert main(["show", str(tmp_path / "a.png")]) == 0
    text = capsys.readouterr().out
    assert "?]0;title? one?two?31m" in text and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_long_films_are_read_block_by_block(tmp_path: Path) -> None:
    """A file of 3 GB with a mark behind it is read in an instant, and does not come into memory."""
    place = tmp_path / "long.mp4"
    mark = made(MODEL, seed="5")
    write(tmp_path / "a.mp4", None)
    place.write_bytes((tmp_path / "a.mp4").read_bytes() + struct.pack(">I4sQ", 1, b"free", 3_000_000_016))
    os.truncate(place, place.stat().st_size + 3_000_000_000)  # sparse
    xmp.append(place, mark.packet())
    assert read_mark(place) == mark
