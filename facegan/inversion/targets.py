"""Photos to invert, from files, folders, standard input, addresses or seeds, as the model sees them.

They are aligned and cropped as the model's data set was.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facegan import arguments
from facegan.data import crops, fetch
from facegan.data.crops import Crop
from facegan.data.faces import FaceDetector
from facegan.data.items import MAX_FILE_BYTES
from facegan.data.sources import open_source
from facegan.errors import ImageError, InputError
from facegan.files import photo_path
from facegan.generator import Generator
from facegan.images import read_image
from facegan.kinds import NO_IMAGE
from facegan.metrics.shapes import of_array
from facegan.seeds import parse_seeds

MAX_SEEDS = 100_000
ANOTHER = "; give another picture, with --no-align if it shows no face"


def silent(text: str) -> None:
    """Say nothing."""


class PictureModel(Protocol):
    """A model of pictures of one shape, whose header says how its data were cut."""

    image_shape: tuple[int, int, int]
    meta: dict[str, Any]


@dataclass(frozen=True)
class Photo:
    """``image`` is uint8 ``H,W,C`` of the model's shape; ``seed`` that of a generated target."""

    name: str
    image: np.ndarray
    seed: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(np.ascontiguousarray(self.image).tobytes()).hexdigest()[:16]


def crop_of(model: PictureModel, align: bool = True) -> Crop:
    """Return how photos become pictures of the model: as its data were made, or resized as they are."""
    c, h, w = model.image_shape
    plain = Crop("none", (h, w), gray=c == 1)
    stored = dict(model.meta.get("alignment") or {})
    if not align or not stored:
        return plain
    known = {f.name for f in fields(Crop)} - {"size"}
    try:
        crop = Crop(size=(h, w), **{k: v for k, v in stored.items() if k in known})
    except (TypeError, ValueError, InputError):
        return plain
    # One face is wanted, and what a data set rejects as doubtful may well be meant here.
    return replace(crop, gray=c == 1, all_faces=False, min_sharpness=0.0, min_face=min(crop.min_face, 20))


class Reader:
    """Turns photos into pictures for ``model``; ``face`` is the number of the face, the largest being 1.

    ``left_out`` holds a line on each photo of a folder that could not be used; other files do not count.
    """

    def __init__(
        self,
        model: PictureModel,
        align: bool = True,
        face: int = 1,
        *,
        alpha: bool = True,
        say: Callable[[str], None] = silent,
    ) -> None:
        if face < 1:
            raise InputError(f"--face must be at least 1 (the largest), not {face}")
        self.model, self.face, self.alpha, self.say = model, face, alpha, say
        self.crop = crop_of(model, align)
        self.detector: FaceDetector | None = crops.make_detector(self.crop)
        self.left_out: list[str] = []

    def decoded(self, content: bytes, name: str, advice: str = "") -> Photo:
        """Return a file's picture.

        With ``advice``, which ends the messages, several faces in a photo are mentioned.

        Raises:
            InputError: It is no picture, or shows no such face.
        """
        try:
            image = read_image(content, name, alpha=self.alpha)
        except ImageError as error:
            raise InputError(f"{name}: not readable as a picture ({error.reason}){advice}") from None
        photo = Photo(name, self.fitted(image, name))
        if advice:
            self.tell_others(image, name)
        return photo

    def leave_out(self, why: Exception, photo: bool = True) -> None:
        """Go on without a file, and say so; one that is no ``photo`` does not count."""
        self.left_out += [str(why)] * photo
        self.say(f"left out: {why}")

    def tell_others(self, image: np.ndarray, name: str) -> None:
        """Say how another face is chosen, where a photo shows several and none was asked for."""
        if self.detector is None or self.face != 1 or self.say is silent:
            return
        if image.shape[-1] == 1:
            image = image.repeat(3, axis=-1)
        crop = self.crop
        faces = [
            face
            for face in self.detector.detect(image)
            if face.confidence >= crop.min_confidence and face.extent >= crop.min_face
        ]
        if len(faces) > 1:
            self.say(f"{name}: {len(faces)} faces, of which the largest is taken; --face 2 is the next")

    def fitted(self, image: np.ndarray, name: str) -> np.ndarray:
        """Return uint8 ``h,w,C`` of any size to the model's shape."""
        if image.shape[-1] == 1:
            image = image.repeat(3, axis=-1)
        try:
            if self.detector is None:
                return crops.apply(image, self.crop)[0].image
            if self.face == 1:
                return crops.apply(image, self.crop, self.detector)[0].image
            found = crops.apply_each(image, replace(self.crop, all_faces=True), self.detector)[0]
        except ImageError as error:
            raise InputError(f"{name}: {error.reason}; --no-align takes the picture as it is") from None
        if len(found) < self.face:
            raise InputError(
                f"{name}: --face {self.face}, but only {len(found)} face{'s' * (len(found) != 1)} found; "
                "--no-align takes the picture as it is"
            )
        return found[self.face - 1].image


def as_sources(photos: Any) -> list[str | Path | np.ndarray]:
    """Return photos of any kind as :func:`read_photos` takes them: arrays become uint8 ``H,W,C``."""
    if isinstance(photos, (str, os.PathLike)):
        arguments.place(photos, "a photo")
        photos = [photos]
    if isinstance(photos, (list, tuple)) and photos and isinstance(photos[0], (str, os.PathLike)):
        return [p if isinstance(p, str) else arguments.place(p, "a photo") for p in photos]
    if not isinstance(photos, (list, tuple)):
        photos = [photos] if _is_one(photos) else photos
    several = of_array(photos, "photos")
    return [several.at(np.array([row]))[0] for row in range(several.count)]


def _is_one(photos: Any) -> bool:
    """Return whether it is one picture: of Pillow, or with the dimensions of one."""
    shape = getattr(photos, "shape", None)
    return (
        shape is None or len(shape) == 2 or (len(shape) == 3 and (shape[2] in (1, 3) or shape[0] in (1, 3)))
    )


def read_photos(
    sources: Sequence[str | Path | np.ndarray],
    model: Generator,
    align: bool = True,
    *,
    face: int = 1,
    alpha: bool = True,
    say: Callable[[str], None] = silent,
) -> list[Photo]:
    """Return photos in order; an array is a uint8 picture ``H,W,C``.

    A file of a folder that is no picture, or shows no face, is left out, which ``say`` receives as a line;
    one that is named by itself is an InputError.
    """
    if not len(sources) or any(isinstance(source, str) and not source.strip() for source in sources):
        raise InputError("give a photo: a file, a folder, - (standard input), an address, or seed:7")
    reader = Reader(model, align, face, alpha=alpha, say=say)
    names = FreeNames()
    return [names.named(photo) for source in sources for photo in open_photos(source, reader)]


def open_photos(source: str | Path | np.ndarray, reader: Reader) -> Iterator[Photo]:
    """Yield the photos of one source, each read when it is wanted.

    Raises:
        InputError: The source is none, or nothing in it can be used.
    """
    if isinstance(source, np.ndarray):
        yield Photo("photo", reader.fitted(source, "photo"))
        return
    text = str(source)
    if text.startswith("seed:"):
        yield from _generated(text, reader.model)
    elif text != "-" and not fetch.is_url(text) and photo_path(text).is_dir():
        yield from _folder(text, reader)
    else:
        try:
            content, name = _content(text)
        except InputError as error:
            raise InputError(f"{error}{ANOTHER}") from None
        shown = "standard input" if text == "-" else text
        yield replace(reader.decoded(content, shown, ANOTHER), name=name)


def _content(text: str) -> tuple[bytes, str]:
    """Return what a file, an address or standard input holds, and the name of what is found in it."""
    if text == "-":
        content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise InputError(f"standard input: more than {MAX_FILE_BYTES // 1_000_000} MB")
        return content, "stdin"
    if fetch.is_url(text):
        return fetch.fetch(text), _stem(text.partition("?")[0]) or "web"
    path = photo_path(text)
    try:
        if not path.is_file():
            raise InputError(f"{text}: there is no such file or folder")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{text}: more than {MAX_FILE_BYTES // 1_000_000} MB")
        return path.read_bytes(), path.stem
    except OSError as error:
        raise InputError(f"{text}: cannot be read ({error.strerror or error})") from None


def _generated(text: str, model: PictureModel) -> Iterator[Photo]:
    if not isinstance(model, Generator):
        raise InputError(
            f"{text}: seeds are faces of a generator; 'facegan generate --seed {text[5:]} --out FOLDER/' "
            "draws them, and FOLDER is taken here"
        )
    seeds = parse_seeds(text[5:], "seed:")
    if len(seeds) > MAX_SEEDS:
        raise InputError(f"{text}: more than {MAX_SEEDS:,} at once")
    for seed, image in zip(seeds, model.sample(seeds), strict=True):
        yield Photo(f"seed{seed}", image, seed)


def _folder(text: str, reader: Reader) -> Iterator[Photo]:
    """Yield every picture below, and say what is left out."""
    count, rejects = 0, 0
    for item in open_source(text):
        try:
            if item.reject:
                raise InputError(f"{item.name}: {item.reject}")
            if item.pixels is not None:
                photo = Photo(item.name, reader.fitted(item.pixels, item.name))
            else:
                photo = reader.decoded(item.content, item.name)
        except InputError as error:
            rejects += 1
            reader.leave_out(error, photo=item.reject != NO_IMAGE)
            continue
        count += 1
        yield replace(photo, name=_stem(item.name))
    if not count:
        why = (
            f"none of its {rejects} files can be used" if rejects else "there are no pictures in this folder"
        )
        raise InputError(f"{text}: {why}; --no-align takes pictures without faces")


def _stem(name: str) -> str:
    return _fit(name.rstrip("/").rpartition("/")[2].rpartition(".")[0])


def _fit(name: str) -> str:
    """Fit for a file: at most 80 plain characters, and no more bytes than leave room for what is added."""
    plain = re.sub(r"[^\w.-]+", "_", name)[:80]
    return plain.encode(errors="replace")[:160].decode(errors="ignore")


class FreeNames:
    """Names fit for files, of which none takes another's place, nor that of the figures of all."""

    def __init__(self, taken: Sequence[str] = ("pairs", "curve", "compare")) -> None:
        self.taken = set(taken)
        self.numbers: dict[str, int] = {}

    def named(self, photo: Photo) -> Photo:
        """Return the photo under a name that is free."""
        return replace(photo, name=self.free(photo.name))

    def free(self, name: str) -> str:
        """Return the name itself, or the first that is free of NAME-2, NAME-3 and so on; then it is taken."""
        base = _fit(name).strip(".") or "photo"
        name, number = base, self.numbers.get(base, 2)
        while {name, f"{name}-path"} & self.taken:
            name, number = f"{base}-{number}", number + 1
        self.numbers[base] = number
        self.taken |= {name, f"{name}-path"}
        return name
