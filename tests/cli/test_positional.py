"""MODEL first, or left out, or --model; faces by one notation; what is said where the order is wrong."""

from pathlib import Path

import numpy as np
import pytest

from facegan.cli import edit as edit_command
from facegan.cli.main import main
from facegan.cli.positional import DEFAULT, is_model, model_first, options_last
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import arithmetic, evaluate, parse_expression
from facegan.latent.expressions import place_seeds
from facegan.vectors import is_point


@pytest.fixture
def model(vivid_model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    vivid_model.save(tmp_path / "m.safetensors")
    return "m.safetensors"


@pytest.mark.parametrize(
    ("words", "flag", "expected"),
    [
        (["MODEL", "seed:7"], "", ("MODEL", ["seed:7"])),
        (["seed:7"], "MODEL", ("MODEL", ["seed:7"])),
        (["seed:7"], "", (DEFAULT, ["seed:7"])),
        ([], "", (DEFAULT, [])),
        (["celeba64", "7"], "", ("celeba64", ["7"])),
        (["nowhere", "7"], "", ("nowhere", ["7"])),  # loading it says that there is none
    ],
)
def test_the_model_comes_first(
    words: list[str],
    flag: str,
    expected: tuple[str, list[str]],
    model: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, flag = [w.replace("MODEL", model) for w in words], flag.replace("MODEL", model)
    found = model_first(words, flag, command="generate", usage="MODEL seed:7", is_other=is_point)
    assert found == (expected[0].replace("MODEL", model), expected[1])
    assert ("model: celeba64" in capsys.readouterr().err) == (
        expected[0] == DEFAULT and "celeba64" not in words
    )


@pytest.mark.parametrize(
    ("words", "flag", "message"),
    [
        (["me.jpg", "MODEL"], "", "MODEL: the model comes first: facegan edit MODEL seed:7"),
        (["MODEL", "celeba64"], "", "celeba64: a second model, after MODEL"),
        (["MODEL"], "celeba64", "another one with --model celeba64"),
    ],
)
def test_another_order_is_explained(words: list[str], flag: str, message: str, model: str) -> None:
    with pytest.raises(InputError) as caught:
        model_first([w.replace("MODEL", model) for w in words], flag, command="edit", usage="MODEL seed:7")
    assert message.replace("MODEL", model, 1) in str(caught.value)


def test_what_means_a_model(model: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "run" / "models").mkdir(parents=True)
    (tmp_path / "run" / "models" / "000001.000kimg.safetensors").touch()
    texts = {
        model: True,
        "celeba64": True,
        "run": True,
        "run@1kimg": True,
        "run@best": True,
        "no.safetensors": True,
        "celeba64+d.safetensors": True,
        "photos": False,
        "me.jpg": False,
        "seed:7": False,
        "a@b.jpg": False,
    }
    assert {text: is_model(text) for text in texts} == texts


def test_options_may_stand_anywhere() -> None:
    argv = ["seed:7", "--model", "m", "smiling=+2", "--no-align", "--steps=3", "-"]
    words = ["seed:7", "smiling=+2", "-", "--model", "m", "--no-align", "--steps=3"]
    assert options_last(edit_command.main, argv) == words


SAME = {  # the new notation, and the old one beside it
    "generate": (["generate", "MODEL", "seed:3-5"], ["generate", "MODEL", "--seed", "3-5"]),
    "one": (["generate", "seed:3", "--model", "MODEL"], ["generate", "MODEL", "--seed", "3", "--count", "1"]),
    "counted": (["generate", "MODEL", "seed:3", "--count", "2"], ["generate", "MODEL", "--seed", "3,4"]),
    "interpolate": (["interpolate", "MODEL", "seed:3,5"], ["interpolate", "--model", "MODEL", "3", "5"]),
    "rows": (
        ["interpolate", "MODEL", "seed:3", "seed:5", "--rows", "2"],
        ["interpolate", "MODEL", "3,5,6,7", "--rows", "2"],
    ),
    "arithmetic": (
        ["arithmetic", "MODEL", "seed:0,2 - seed:4 + 0.5 * seed:6-7"],
        ["arithmetic", "MODEL", "1,3 - 5 + 0.5 * 7,8"],
    ),
    "mix": (["mix", "MODEL", "seed:0-1", "seed:5"], ["mix", "MODEL", "0-1", "5"]),
}


@pytest.mark.parametrize("name", SAME)
def test_one_notation_and_the_old_one(name: str, model: str) -> None:
    """The same pictures; arithmetic's captions name what was typed, so that its result is compared."""
    from facegan.images import read_image_file

    pictures = []
    for i, words in enumerate(SAME[name]):
        argv = [model if word == "MODEL" else word for word in words]
        assert main([*argv, "--out", f"{i}.png"]) == 0
        pictures.append(read_image_file(f"{i}-result.png" if name == "arithmetic" else f"{i}.png"))
    assert np.array_equal(*pictures)


def test_seeds_are_terms(vivid_model: Generator) -> None:
    terms = parse_expression("seed:9 - 2 * seed:3-4,8 + 1")
    assert [t.title() for t in terms] == ["+ seed:9", "- 2 x seed:3,4,8", "+ 1"]
    found, seeds = place_seeds(terms, 2)
    assert [t.members for t in found] == [(3,), (4, 5, 6), (1,)] and seeds == [9, 3, 4, 8]
    z = vivid_model.latent.sample([0, 1, *seeds])
    _, total = evaluate(found, z)
    assert np.allclose(total, z[2] - 2 * z[3:6].mean(0) + z[0], atol=1e-6)
    with pytest.raises(InputError, match="seeds need the model"):
        arithmetic("seed:3 - 1", z)


def test_results_of_other_photos_are_never_replaced_in_part(model: str) -> None:
    quick = ["--steps", "1", "--restarts", "1", "--paths", "none", "--preset", "plain", "--model", model]
    assert main(["invert", "seed:1", *quick]) == 0 and main(["invert", "seed:2", *quick]) == 0
    assert Path("inverted/seed1.png").exists() and Path("inverted-2/seed2.png").exists()
    Path("inverted/seed1-delta.safetensors").touch()  # of an earlier search: it fits another vector
    assert main(["invert", "seed:1", *quick]) == 0
    assert not Path("inverted/seed1-delta.safetensors").exists() and not Path("inverted-3").exists()


def test_a_used_folder_that_is_named_is_refused(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--steps", "1", "--restarts", "1", "--paths", "none", "--preset", "plain", "--out", "here"]
    assert main(["invert", model, "seed:1-3", *quick]) == 0
    assert main(["invert", model, "seed:2", *quick]) == 2
    assert "--out here: it holds the results of seed1 and 1 more" in capsys.readouterr().err


def test_weights_that_are_not_in_the_package(tmp_path: Path) -> None:
    from facegan.errors import ConfigError
    from facegan.training.initialization import metadata_of

    with pytest.raises(ConfigError, match=r"not with the installed package: --init celeba64 begins with"):
        metadata_of(str(tmp_path / "weights" / "celeba64-networks.safetensors"))
