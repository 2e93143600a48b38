"""The face model that comes with the package: whole, small and the same everywhere."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest

import facegan
from facegan.cli import options
from facegan.cli.main import main
from facegan.model_summary import describe_model
from facegan.models import ASSETS, bundled, bundled_translators

NAMES = bundled()


@pytest.fixture(scope="module")
def script(benchmarks):
    return benchmarks("bundled")


@pytest.fixture
def measures(script):
    """What a bundled model's card says."""
    return lambda name: script.numbers((ASSETS / f"{name}.md").read_text())


def test_there_is_a_face_model():
    assert "celeba64" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_says_what_it_is(name, measures):
    f = describe_model(name)
    assert f["bytes"] <= 12 * 2**20 and f["parameters"] <= 6.3e6 and f["macs"] <= 0.3e9
    assert "non-commercial" in f["licence"]
    assert f["provenance"]["dataset"]["content_hash"] == measures(name)["dataset"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_pixels_without_a_network(name, script, measures, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the bundled model asked for the network")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    model, card = facegan.load(name), measures(name)
    assert card["model"] in model.hashes
    assert np.abs(script.thumbnails(model) - np.array(card["pixels"])).max() < 1.0


@pytest.mark.parametrize("name", NAMES)
def test_its_licence_is_told_once(name, tmp_path, capsys, monkeypatch):
    """In a session of the terminal, in one short sentence, by whichever command comes first."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    for count in (1, 0):
        options._new_in_this_session.cache_clear()  # as another process
        assert main(["generate", name, "--count", "4", "--out", str(tmp_path / "a.png")]) == 0
        said = capsys.readouterr()
        assert said.err.count("non-commercial") == count and "non-commercial" not in said.out
        assert len(said.err) < 100


@pytest.mark.parametrize(
    "argv",
    [
        ["generate", "MODEL", "--out", "OUT.png"],
        ["interpolate", "MODEL", "0", "1", "--out", "OUT.png"],
        ["arithmetic", "MODEL", "1 - 2 + 3", "--out", "OUT.png"],
        ["atlas", "MODEL", "--out", "OUT.png"],
        ["film", "MODEL", "--out", "OUT.gif"],
        ["evaluate", "MODEL", "--against", "nothing"],
    ],
    ids=lambda a: a[0],
)
def test_a_truncation_that_would_change_nothing_is_refused(argv, tmp_path, capsys, monkeypatch):
    """It normalises its vectors; in one line, and before anything is written."""
    monkeypatch.setattr(options, "_new_in_this_session", lambda what: False)  # no line about the licence
    words = [w.replace("MODEL", "celeba64").replace("OUT", str(tmp_path / "a")) for w in argv]
    assert not facegan.load("celeba64").truncates
    assert main([*words, "--truncation", "0.7"]) == 2
    said = capsys.readouterr().err
    assert "--truncation 0.7 changes nothing" in said and len(said.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
    if argv[0] == "generate":
        for level in ("0", "1"):
            assert main([*words, "--count", "2", "--truncation", level]) == 0


def test_models_lists_them(capsys):
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    names = [*NAMES, *bundled_translators()]
    assert [row["model"] for row in rows] == names
    assert all(name in text for name in names) and all(Path(row["card"]).is_file() for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_holds_what_it_says(name, script, measures):
    card, told = (ASSETS / f"{name}.md").read_text(), measures(name)
    assert script.differences(told, told) == []
    spoilt = {**told, "generated": {**told["generated"], "fid": told["generated"]["fid"] + 1}}
    assert script.differences(told, spoilt) != []
    for text in (f"{told['generated']['fid']:.1f}", f"{told['one_face']['generated']:.1%}"):
        assert text in card
