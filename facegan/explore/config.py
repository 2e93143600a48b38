"""Settings of the exploring functions and, with them, the flags of their commands. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from facegan import arguments
from facegan.errors import InputError
from facegan.settings import check_values, setting

MAX_COUNT = arguments.MAX_SEEDS
MAX_IN_GRID = 10_000
MAX_ON_SHEET = 100_000
PATHS = ("slerp", "lerp", "hypersphere")
FEATURES = ("faces", "pixels", "inception")
_Config = TypeVar("_Config")


@dataclass(frozen=True)
class GenerateConfig:
    """Settings of :func:`facegan.generate`."""

    count: int = setting(0, minimum=0, maximum=MAX_COUNT)
    """number of pictures from the seed on; 0 is 25 if no points are given."""
    seed: str = "0"
    """the first of --count seeds (7); or all, as a range (0-99) or a list (1,5,9-12)."""
    truncation: float = 1.0
    """below 1 moves towards the average face: less varied, more typical."""
    constant: str = ""
    """pictures of vectors that are constant instead, such as 0,0.5,1."""
    vectors: str = ""
    """pictures of saved vectors: FILE.npz, or some of it, FILE.npz:1,4-6; the same as a point."""
    out: str = "faces.png"
    """a .png (one grid), a folder (single PNG files), or an .npz (uint8 N,H,W,C)."""
    latents: str = ""
    """save the vectors, before truncation, as .npz; in w, which holds labels, with --labels random."""
    columns: int = setting(0, minimum=0, maximum=MAX_IN_GRID)
    """columns of the grid; 0 makes it about square."""
    scale: int = setting(0, minimum=0, maximum=64)
    """repeat each pixel so often, in PNG: 1 is the model's own pixels; 0 enlarges a grid smoothly to about
    1,024 px and leaves single files as they are."""
    numbered: bool = False
    """number the grid's pictures from 1, to choose members for arithmetic."""
    mark: bool = True
    """write into each picture that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""
    every_class: bool = False
    """of a conditional model: a sheet with one row for each class, or for each combination of labels among
    the training pictures, and the same latents in each row."""


@dataclass(frozen=True)
class InterpolateConfig:
    """Settings of :func:`facegan.interpolate`."""

    path: str = setting("slerp", choices=PATHS)
    """slerp, lerp (straight), or hypersphere (straight, kept at the first point's norm)."""
    steps: int = setting(10, minimum=2)
    """pictures from each point to the next, both ends counted."""
    rows: int = setting(1, minimum=1)
    """so many pairs of points, one a row: two points are followed by the seeds after them."""
    loop: bool = False
    """go back to the first point; for films that repeat."""
    truncation: float = 1.0
    """below 1 moves towards the average face."""
    out: str = "interpolation.png"
    """the file: .png, .mp4, .gif or .webp."""
    fps: float = 24.0
    """frames per second of a film."""
    scale: int = setting(0, minimum=0, maximum=64)
    """repeat each pixel so often; 0 enlarges smoothly, to figures of about 1,024 px and films of 512."""
    columns: int = setting(0, minimum=0)
    """columns of the figure; 0 is one row per path (10 columns for over 24 pictures)."""
    captions: bool = True
    """name the points below their pictures in a figure."""
    mark: bool = True
    """write into each picture that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""


@dataclass(frozen=True)
class FilmConfig:
    """Settings of :func:`facegan.film`."""

    seconds: float = setting(0.0, minimum=0)
    """length of the film; 0 is two seconds from each point to the next."""
    fps: float = 24.0
    """frames a second."""
    loop: bool = True
    """end where the film begins, so that it can be repeated; --no-loop ends at the last point."""
    path: str = setting("slerp", choices=PATHS)
    """slerp, lerp (straight), or hypersphere (straight, kept at the first point's norm)."""
    features: str = setting("faces", choices=FEATURES)
    """what measures the steps: faces (the bundled network), pixels or inception."""
    truncation: float = 1.0
    """below 1 moves towards the average face."""
    out: str = "film.mp4"
    """the film: .mp4, .gif or .webp."""
    evenness: str = ""
    """a figure (.png) of the steps beside those of plain lerp through the same points, also as a second
    network sees them that had no part in it."""
    latents: str = ""
    """save the vectors of all frames, before truncation, as .npz."""
    scale: int = setting(0, minimum=0, maximum=64)
    """repeat each pixel so often; 0 enlarges smoothly, to frames of at least 512 px."""
    mark: bool = True
    """write into each picture that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""


@dataclass(frozen=True)
class AtlasConfig:
    """Settings of :func:`facegan.atlas`."""

    count: int = setting(0, minimum=0)
    """how many faces, where --seed is one number: 0 is 2500; some more if that fills the last row."""
    seed: str = "0"
    """the first seed (7), a range (0-4095) or a list (1,5,9-12); seed:7 is the same."""
    features: str = setting("faces", choices=FEATURES)
    """what compares faces: faces (the bundled network), pixels or inception."""
    columns: int = setting(0, minimum=0)
    """faces in a row; 0 makes the picture about square."""
    tile: int = setting(0, minimum=0)
    """width of a face in px; 0 is as it is, or less where that is more than 64 megapixels."""
    truncation: float = 1.0
    """below 1 moves towards the average face."""
    out: str = "atlas.png"
    """the picture, .png, .jpg or .webp; the page has the same name with .html."""
    layout: str = ""
    """write for other programs where each face lies: a .json with the seeds row by row."""
    mark: bool = True
    """write into each picture that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""


@dataclass(frozen=True)
class MixConfig:
    """Settings of :func:`facegan.mix`."""

    layers: str = ""
    """which layers come from B: 0-3; '' is the first half."""
    components: str = ""
    """which components come from B instead: 0-9."""
    out: str = "mix.png"
    """the figure, a .png."""
    scale: int = setting(0, minimum=0, maximum=64)
    """repeat each pixel so often; 0 enlarges smoothly, to a figure of about 1,024 px."""
    mark: bool = True
    """write into each picture that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""


@dataclass(frozen=True)
class ArithmeticConfig:
    """Settings of :func:`facegan.arithmetic`."""

    groups: str = ""
    """a YAML file with named groups (smiling woman: [92, 98, 99]) and maybe 'expression'."""
    vectors: str = ""
    """the sheet as saved by 'facegan generate --latents'; otherwise it is that of the seeds."""
    seed: int = setting(0, minimum=0)
    """number 1 of the sheet is this seed, number 2 the next."""
    norm: str = setting("", choices=("keep", "prior"))
    """keep the averages as they are, or bring them to the prior's typical norm, which shows averages of faces
    that are as bright and sharp as single ones. '' is keep, and prior for words."""
    members: int = 10
    """of words: how many faces to average."""
    samples: int = setting(4000, minimum=1, maximum=MAX_ON_SHEET)
    """of words: how many faces to look through, at most."""
    confidence: float = setting(0.8, minimum=0.5, maximum=1)
    """of words: how sure the network must be of each attribute, from 0.5 to 1."""
    network: str = "faces"
    """of words: a bundled attribute network or a file of 'facegan train-attributes'."""
    truncation: float = 1.0
    """below 1 moves towards the average face."""
    out: str = "arithmetic.png"
    """the labelled figure, a .png."""
    result: str = ""
    """where to save the result's vector; '' is beside the figure, as .npz."""
    sheet: str = ""
    """write the numbered sheet (100 faces, or as many as are needed) to this .png, too."""
    scale: int = setting(0, minimum=0, maximum=64)
    """repeat each pixel so often; 0 enlarges smoothly, to a figure of about 1,024 px."""
    mark: bool = True
    """write into each picture that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""


def configure(cls: type[_Config], settings: Mapping[str, Any]) -> _Config:
    """Return the settings ``cls`` of values by name; a number for a text is spelled.

    Raises:
        InputError: A name is unknown, or a value cannot be.
    """
    hints = arguments.field_types(cls)  # type: ignore[arg-type]
    spelled = {
        n: str(v) if hints.get(n) is str and arguments.is_number(v) else v for n, v in settings.items()
    }
    config = cls(**arguments.settings(cls, spelled))
    check_values(config, error=InputError)
    return config
