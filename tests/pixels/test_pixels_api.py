"""facegan.attack, dream and stylize do what the commands do, from Python."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from linear import linear
from PIL import Image
from small import small

import facegan
from facegan import pixels
from facegan.errors import FaceganWarning, InputError
from facegan.images import read_image_file
from facegan.pixels import (
    AttackConfig,
    Classifier,
    ClassifierConfig,
    DreamConfig,
    SnapshotConfig,
    StyleConfig,
)
from facegan.pixels.loading import load_configured
from facegan.pixels.loop import StepStats

DREAM = {"layers": ("features.7",), "octaves": 1, "steps": 2, "jitter": 4}
STYLE = {
    "layers": ("features.1",),
    "content_layers": ("features.7",),
    "size": 64,
    "first_size": 64,
    "steps": 3,
}


@pytest.fixture(scope="module")
def net() -> Classifier:
    return small(dtype=torch.float32)


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:48, :64]
    picture = np.stack([x * 3, y * 5, x + y], -1).astype(np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(picture).save("photos/a.png")
    return picture


def test_an_attack_writes_what_the_command_writes(photo: np.ndarray) -> None:
    classifier, _, _ = linear(0.2)
    Path("photos/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    seen: list[str] = []
    with pytest.warns(FaceganWarning, match=r"left out: .*broken\.png"):
        (found,) = facegan.attack(
            "photos",
            1,
            model=classifier,
            epsilon="60/255",
            robust="jpeg",
            out="",
            report="r.json",
            on_result=lambda result: seen.append(result.name),
        )
    assert found.success and found.path == Path("attacked/a.png") and seen == ["a.png"]
    assert np.array_equal(read_image_file(found.path), found.image) and set(found.survived) == {"jpeg"}
    assert found.target_name == "right" and '"after": "right"' in Path("r.json").read_text()
    assert sorted(p.name for p in Path("attacked").iterdir()) == ["a-difference.png", "a-figure.png", "a.png"]


def test_an_attack_on_arrays_writes_only_when_asked(photo: np.ndarray) -> None:
    classifier, _, _ = linear(0.2)
    config = AttackConfig(epsilon=60 / 255)
    (alone,) = facegan.attack(photo, "right", model=classifier, config=config)
    assert alone.path is None and sorted(os.listdir()) == ["photos"]
    (kept,) = facegan.attack(photo, "right", model=classifier, config=config, out="x.png", figure=False)
    assert np.array_equal(kept.image, alone.image) and sorted(os.listdir()) == ["photos", "x.png"]
    (named,) = facegan.attack([photo], model=classifier, out="", figure=False, epsilon=60 / 255)
    assert named.path == Path("photo-attacked.png")


def test_a_dream_with_picture_film_and_curve(net: Classifier, photo: np.ndarray) -> None:
    done = facegan.dream("photos/a.png", model=net, out="", every=1, film="f.gif", curve="c.png", **DREAM)
    assert done.path == Path("a-dream.png") and done.frames == 2 and done.names == ["features.7"]
    assert np.array_equal(read_image_file(done.path), done.image) and Path("c.png").is_file()
    same = facegan.dream(photo, model=net, config=DreamConfig(**DREAM))
    assert np.array_equal(same.image, done.image) and same.path is None
    assert sorted(os.listdir()) == ["a-dream-steps", "a-dream.png", "c.png", "f.gif", "photos"]


def test_noise_and_flights(net: Classifier, photo: np.ndarray) -> None:
    noise = facegan.dream(model=net, layers=["features.7:0", "features.7:1"], steps=2, size=32, out="n.png")
    assert noise.images.shape == (2, 32, 32, 3) and Path("n.png").is_file()
    frames: list[float] = []
    flown = facegan.dream(
        photo,
        model=net,
        zoom=1.1,
        frames=3,
        film="z.gif",
        **DREAM,
        on_step=lambda stats: frames.append(stats.values["frame"]),
    )
    assert flown.frames == 3 and flown.image.shape == photo.shape and frames == [1, 1, 2, 2, 3, 3]
    assert sorted(os.listdir()) == ["n.png", "photos", "z.gif"]


def test_a_style_continues_where_it_was_interrupted(net: Classifier, photo: np.ndarray) -> None:
    style = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    whole = facegan.stylize(photo, style, model=net, config=StyleConfig(**STYLE))

    def press(stats: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    keep, resumed = SnapshotConfig(every=1, film="f.gif"), list[Path]()
    part = facegan.stylize(photo, style, model=net, out="o.png", keep=keep, on_step=press, **STYLE)
    assert part.outcome.exit_code == 130 and part.frames == 1 and Path("o.safetensors").is_file()
    rest = facegan.stylize(photo, style, model=net, out="o.png", keep=keep, on_resume=resumed.append, **STYLE)
    assert resumed == [Path("o.safetensors")] and not resumed[0].exists() and rest.frames == 3
    assert np.array_equal(rest.image, whole.image) and len(rest.curve) == len(whole.curve) == 3


def test_callbacks_draw_the_work_so_far(net: Classifier, photo: np.ndarray) -> None:
    """Looking at each step changes nothing, and the last look is the result."""
    seen: list[list[np.ndarray]] = []

    def look(stats: StepStats) -> None:
        seen.append([np.array(picture) for picture in stats.pictures()])

    other = photo[:, ::-1].copy()
    options = {"model": net, "target": 1, "method": "ddn", "steps": 5}
    plain = facegan.attack([photo, other], **options)
    for a, b in zip(plain, facegan.attack([photo, other], on_step=look, batch=2, **options), strict=True):
        assert np.array_equal(a.image, b.image)
    assert len(seen) == 5 and all(np.array_equal(a, b.image) for a, b in zip(seen[-1], plain, strict=True))
    style = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    for work in (
        lambda **more: facegan.dream(photo, model=net, **DREAM, **more).image,
        lambda **more: facegan.dream(model=net, layers=["features.1"], steps=3, size=32, **more).images[0],
        lambda **more: facegan.stylize(photo, style, model=net, **STYLE, **more).image,
    ):
        seen.clear()
        done = work(on_step=look)
        assert np.array_equal(done, work()) and np.array_equal(seen[-1][0], done)
        assert len({pictures[0].tobytes() for pictures in seen}) == len(seen) > 1


MISTAKES = {
    "setting": (lambda: facegan.attack("photos", stepz=3), "no setting 'stepz'; did you mean 'step'"),
    "value": (lambda: facegan.attack("photos", steps=-1), "^steps must be 0 or more"),
    "classifier's": (lambda: facegan.attack("photos", input_size=-1), "^input_size must be 0 or more"),
    "out": (lambda: facegan.attack("photos", out="x.png", report="r.txt"), "^report='?r.txt"),
    "no photo": (lambda: facegan.attack([]), "which photo"),
    "snapshots": (lambda: facegan.dream("photos/a.png", film="x.avi"), "must end in"),
    "flight": (lambda: facegan.dream("photos/a.png", zoom=1.1), "zoom flies into a photo"),
    "octaves": (lambda: facegan.dream("photos/a.png", octaves=0), "^octaves must be at least 1"),
    "no styles": (lambda: facegan.stylize("photos/a.png", []), "at least one STYLE"),
    "in its place": (lambda: facegan.stylize("photos/a.png", "photos/a.png", out="photos/a.png"), "replace"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_arguments(name: str, photo: np.ndarray) -> None:
    call, words = MISTAKES[name]
    with pytest.raises(InputError, match=words):
        call()
    assert sorted(os.listdir()) == ["photos"]


def test_names_of_0_1_go_on_working(net: Classifier, photo: np.ndarray) -> None:
    assert pixels.Attacked is pixels.AttackResult and pixels.DreamSettings is DreamConfig
    assert pixels.StyleSettings is StyleConfig
    (found,) = pixels.attack(net, [photo], None, epsilon=None, step=None, steps=None)
    assert found.original is photo
    assert load_configured(ClassifierConfig("faces")).name == "faces"
