"""A training that will take days says so at once, with quick variants, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.planning.auto import _length
from facegan.recipes.choice import Surroundings
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.training import forecast as estimate

CPU = torch.device("cpu")
DAY = 86400.0


@pytest.mark.parametrize(
    ("few", "more", "expected"),
    [
        (0.1, 0.1, 0.1),  # all of it is overhead
        (0.2, 0.8, 0.2 + 0.1 * 62),  # a tenth for each further picture
        (4.0, None, 4.0 + 2.0 * 62),  # slow: from two pictures alone
    ],
)
def test_updates_grow_with_their_pictures(
    few: float, more: float | None, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {2: few, 8: more}
    monkeypatch.setattr(estimate, "_update_seconds", lambda config, pictures, shape, device: times[pictures])
    config = recipe("faces-dcgan-80")  # 2,496 kimg in batches of 64: 39,000 updates
    assert estimate.whole_seconds(config, (3, 80, 80), CPU) == pytest.approx(39_000 * expected)


def test_a_real_update_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = override(recipe("faces-tiny-32"), {"generator.width": 0.25, "discriminator.width": 0.25})
    found = estimate._update_seconds(config, 2, (3, 32, 32), device=CPU)
    assert 1e-5 < found < 10
    state = torch.random.get_rng_state()
    estimate.whole_seconds(config, (3, 32, 32), CPU)
    assert torch.equal(torch.random.get_rng_state(), state)  # training draws what it would have


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (28, "faces-tiny-32 at 100 kimg will take about 28 days on"),
        (28, "--kimg 0.7 takes about 5 hours"),
        (0.6, "will take about 14 hours on"),
        (0.4, ""),
    ],
)
def test_a_long_run_is_told(
    days: float, said: str, tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "whole_seconds", lambda *_: days * DAY)
    told = estimate.long_run(tiny_dataset, recipe("faces-tiny-32"), "cpu")
    assert said in told and "\n" not in told and bool(told) == bool(said)


@pytest.mark.parametrize(
    ("busy", "alone", "said"),
    [
        (True, 2.5 * 3600, ""),  # two threads that wait for each other spin: their time is no work
        (True, 2 * DAY, "will take about 2 days on"),
        (False, 2.5 * 3600, "will take about 3 days on"),  # what nothing disturbs is believed
    ],
)
def test_other_programs_do_not_make_a_short_run_long(
    busy: bool, alone: float, said: str, tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setattr(estimate.OtherWork, "slows", lambda *_: busy)
    monkeypatch.setattr(
        estimate, "whole_seconds", lambda *_: alone if torch.get_num_threads() == 1 else 3.4 * DAY
    )
    torch.set_num_threads(2)
    try:
        told = estimate.long_run(tiny_dataset, recipe("faces-tiny-32"), "cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert said in told and bool(told) == bool(said)


def test_a_quicker_recipe_is_named_beside_it(tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        estimate, "whole_seconds", lambda c, *_: DAY * (100 if c.recipe == "stylegan2-32" else 0.1)
    )
    told = estimate.long_run(tiny_dataset, recipe("stylegan2-32"), "cpu")
    assert "--recipe faces-tiny-32 about 2 hours" in told and "It begins now" in told


def test_short_runs_are_not_looked_at(tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "whole_seconds", lambda *_: pytest.fail("looked at"))
    assert estimate.long_run(tiny_dataset, override(recipe("faces-tiny-32"), {"kimg": 4.9}), "cpu") == ""


def test_the_command_says_it_and_goes_on(
    tiny_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimate, "_MIN_KIMG", 0.0)
    monkeypatch.setattr(estimate, "whole_seconds", lambda *_: 28 * DAY)
    argv = [
        "train",
        str(tiny_dataset.path),
        "--recipe",
        "faces-tiny-32",
        "--kimg",
        "0.032",
        "--no-tensorboard",
    ]
    small = ["--generator.width", "0.25", "--discriminator.width", "0.25", "--quality-count", "0"]
    begin = [*argv, *small, "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(begin) == 0
    err = capsys.readouterr().err
    assert err.index("will take about 28 days") < err.index("done: ")
    assert (
        main(begin) == 0 and "28 days" not in capsys.readouterr().err
    )  # a run that goes on has its live line
    assert main([*begin[:-1], str(tmp_path / "other"), "--quiet"]) == 0 and not capsys.readouterr().err


@pytest.mark.parametrize(
    ("pictures", "kimg", "why"),
    [
        (3, 12.0, "each of 3 pictures is seen 4,000 times"),
        (74, 296.0 // 10 * 10 + 10, "each of 74 pictures"),
        (75, 300.0, "the recipe's"),
        (5000, 300.0, "the recipe's"),
    ],
)
def test_so_few_pictures_bound_the_length(pictures: int, kimg: float, why: str) -> None:
    class Quick:
        training_seconds = 3600.0

    s = Surroundings(pictures, 64, 64, 3, (), True, "cpu", 2, None)
    changes, said = _length(recipe("faces-fast-64"), Quick(), s)
    assert changes.get("kimg", 300.0) == kimg and said.startswith(why)
    assert ("begin with --init celeba64" in said) == (pictures < 75)


@pytest.mark.parametrize(
    ("seconds", "text"), [(28 * DAY, "28 days"), (40 * 3600, "40 hours"), (5 * 3600, "5 hours"), (90, "90 s")]
)
def test_as_exact_as_a_guess_may_be(seconds: float, text: str) -> None:
    assert estimate.rough(seconds) == text


def test_what_does_not_fit_is_left_to_the_training(
    tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> float:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(estimate, "whole_seconds", full)
    assert estimate.long_run(tiny_dataset, recipe("faces-tiny-32"), "cpu") == ""
