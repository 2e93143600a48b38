"""The ``facegan`` command: its table, its help, and one clear line with the right exit code for a mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from facegan import __version__
from facegan.cli.main import COMMANDS, main
from facegan.errors import ImageError, InputError


def call(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``facegan ARGV``."""
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"], ["help"]])
def test_help_lists_every_command(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(argv, capsys)
    assert (code, err) == (0, "")
    for name, (_, text) in COMMANDS.items():
        assert name in out and text in out
    assert all(len(line) <= 100 for line in out.splitlines())


@pytest.mark.parametrize("argv", [["-V"], ["--version"]])
def test_version(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(argv, capsys) == (0, f"facegan {__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call([name, "--help"], capsys)
    assert code == 0, err
    assert f"facegan {name}" in out, "the usage line names the command"
    assert "--help" in out and "Args:" not in out


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_points_to_the_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call([name, "--no-such-option", "1"], capsys)
    assert (code, out) == (2, "")
    assert f"facegan {name} --help" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("trian", "Did you mean 'train'?"), ("Generate", "Did you mean 'generate'?"), ("xyz", "")],
)
def test_unknown_command(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call([typed, "--out", "x"], capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and f"'{typed}'" in err and hint in err
    assert ("Did you mean" in err) == bool(hint)


def failing(error: BaseException) -> Callable[[list[str]], int]:
    def run(argv: list[str]) -> int:
        raise error

    return run


OUTCOMES: dict[str, tuple[Callable[[list[str]], int | None], int, str]] = {
    "nothing": (lambda argv: None, 0, ""),
    "zero": (lambda argv: 0, 0, ""),
    "its own code": (lambda argv: 143, 143, ""),
    "input error": (failing(InputError("photos: no folder")), 2, "facegan demo: photos: no folder\n"),
    "image error": (failing(ImageError("truncated", "a.jpg")), 2, "facegan demo: truncated: a.jpg\n"),
    "Ctrl-C": (failing(KeyboardInterrupt()), 130, "\nfacegan demo: interrupted\n"),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_exit_codes(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run, code, message = OUTCOMES[name]
    module = ModuleType("fake_command")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_command", module)
    monkeypatch.setitem(COMMANDS, "demo", ("fake_command", ""))
    assert call(["demo"], capsys) == (code, "", message)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("fake_command")
    module.run = failing(ZeroDivisionError())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_command", module)
    monkeypatch.setitem(COMMANDS, "demo", ("fake_command", ""))
    with pytest.raises(ZeroDivisionError):
        main(["demo"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    """As in ``facegan recipes | head -1``: the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-u", "-m", "facegan.cli.main", "recipes"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("words", "there", "absent"),
    [
        (["train", "--help"], "of faces-dcgan-64; with --recipe NAME", "of the recipe"),
        (["train", "--help-all"], "of faces-dcgan-64; with --recipe NAME", "of the recipe"),
        (["train", "--recipe", "faces-tiny-32", "--help"], "of the recipe faces-tiny-32.", "faces-dcgan-64"),
        (["train", "--help-all", "--recipe=r3gan-64"], "--generator.group-size INT", "faces-dcgan-64"),
    ],
)
def test_help_says_whose_defaults_it_lists(
    words: list[str], there: str, absent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert there in said and absent not in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["recipes", "--help", "train --help"])
def test_output_that_nobody_takes(command: str, unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    argv = [sys.executable, "-m", "facegan.cli.main", *command.split()]
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (141, "")
    if not os.path.exists("/dev/full"):  # but for Linux
        return
    with open("/dev/full", "w") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    said = "facegan: the output cannot be written (No space left on device)\n"
    assert (done.returncode, done.stderr) == (2, said)


# These do something alone, most of them with the bundled model, dream with noise, studio with the folder.
ALONE = (
    "atlas", "demo", "directions", "dream", "film", "generate", "interpolate", "models", "recipes", "studio",
)  # fmt: skip
WITHOUT_SUBJECT = [
    *((name, []) for name in COMMANDS if name not in ALONE),
    *((name, ["--out", "there/nothing"]) for name in COMMANDS if name not in ALONE),
    *((name, ["--out", "there/nothing"]) for name in ("atlas", "directions", "dream", "film", "interpolate")),
]


@pytest.mark.parametrize(("name", "argv"), WITHOUT_SUBJECT)
def test_a_command_without_its_subject(
    name: str,
    argv: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line says what is missing, after what is told of the model taken; nothing is written."""
    monkeypatch.chdir(tmp_path)
    code, out, err = call([name, *argv], capsys)
    *before, said = err.splitlines()
    assert (code, out) == (2, "") and said.startswith(f"facegan {name}: "), err
    # The licence is told once in a session of the terminal.
    assert all(line.startswith(("model: celeba64 ", "celeba64: ")) for line in before), err
    assert "Expected" not in err and "STR" not in err.partition("--out")[0].partition("--model")[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["train"],
            "DATASET is missing: a folder that 'facegan prepare PHOTOS --out DATASET' makes; usage: facegan",
        ),
        (["inspect", "--out", "x"], "DATASET is missing: a folder that 'facegan prepare"),
        (["evaluate"], "MODEL|FOLDER|DATASET is missing: the bundled celeba64"),
        (
            ["pack"],
            "RUN is missing: a folder that 'facegan train DATASET' makes; usage: facegan pack RUN ...",
        ),
        (["layers"], "CLASSIFIER is missing; usage: facegan layers CLASSIFIER ..."),
    ],
)
def test_what_is_missing_and_where_it_comes_from(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in call(argv, capsys)[2]


LONG = "a" * 260
TOO_LONG = {
    "generate": ["celeba64", "--seed", "1", "--out", f"{LONG}.png"],
    "prepare": [LONG, "--out", "ds"],
    "inspect": [LONG],
    "train": [LONG],
    "evaluate": ["celeba64", "--against", LONG],
    "label": [LONG],
    "show": [LONG],
    "invert": [f"{LONG}.jpg", "--model", "celeba64"],
    "edit": ["celeba64", "seed:1", "smiling=+1", "--out", f"{LONG}.png"],
    "mix": ["celeba64", "seed:1", "seed:2", "--out", f"{LONG}.png"],
    "dream": [f"{LONG}.jpg"],
    "stylize": [f"{LONG}.jpg", f"b{LONG}.jpg"],
    "attack": [f"{LONG}.jpg", "--target", "1"],
    "compare": [LONG, f"b{LONG}"],
    "pack": [LONG],
    "export": ["celeba64", "--out", f"{LONG}.npz"],
    "publish": ["celeba64", "me/faces", "--dry-run", "--out", LONG],
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_names_that_the_disk_does_not_take_are_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([name, *TOO_LONG[name]]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"facegan {name}: ") and "aaa" in lines[-1], lines
    assert len(lines) <= 2 and "Traceback" not in "".join(lines)  # a licence may stand before it
