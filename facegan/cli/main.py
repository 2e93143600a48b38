"""The ``facegan`` command: finds the subcommand in the table, imports only that, runs it.

A command is a module with a function ``main``, whose signature and docstring are the flags and their help. It
returns the exit code, or None. A module that parses by itself has ``run(argv)`` instead.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from facegan.errors import FaceganError, FaceganWarning, InputError, printable
from facegan.version import __version__

# name -> (module, one line of help); the order is that of a first session
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("facegan.cli.demo", "run every step in a few minutes, offline, with drawn portraits"),
    "studio": ("facegan.cli.studio", "do everything in one page in the browser"),
    "prepare": ("facegan.cli.prepare", "turn photos into a dataset: find, align, crop, check and pack faces"),
    "inspect": ("facegan.cli.inspect", "show a dataset: sizes, counts, attributes, rejects, a grid"),
    "label": ("facegan.cli.label", "predict attributes of photos: smiling, glasses, hair ..."),
    "select": ("facegan.cli.select", 'choose pictures of a dataset: "smiling and not eyeglasses"'),
    "recipes": ("facegan.cli.recipes", "list the training recipes"),
    "train": ("facegan.cli.train", "train a generator on a dataset"),
    "average": ("facegan.cli.average", "find the best average of a run's weights, after training"),
    "compare": ("facegan.cli.compare", "compare runs on one page: curves, grids, results, settings"),
    "evaluate": ("facegan.cli.evaluate", "measure a model: FID, KID, precision, memorisation ..."),
    "train-attributes": (
        "facegan.cli.train_attributes",
        "train a network that predicts attributes: smiling, glasses ...",
    ),
    "pack": ("facegan.cli.pack", "write a run's networks to one small file for further training"),
    "import": ("facegan.cli.import_model", "import a model of another program"),
    "export": (
        "facegan.cli.export",
        "write a model as a web page, ONNX or PyTorch, or a dataset as a zip",
    ),
    "publish": (
        "facegan.cli.publish",
        "publish a model on the Hugging Face Hub, with a card and a page",
    ),
    "models": ("facegan.cli.models", "list the bundled models and sample pictures"),
    "show": ("facegan.cli.show", "show what a model is and how it was trained"),
    "sign": ("facegan.cli.sign", "sign pictures by the C2PA standard, with your own certificate"),
    "generate": ("facegan.cli.explore:generate", "draw pictures from seeds or saved vectors"),
    "invert": ("facegan.cli.invert", "find the vector whose picture is closest to a photo"),
    "train-encoder": (
        "facegan.cli.train_encoder",
        "train a network that guesses a photo's vector, for a faster invert",
    ),
    "interpolate": ("facegan.cli.explore:interpolate", "draw a path between faces as a figure or a film"),
    "film": ("facegan.cli.explore:film", "make a film between faces that changes in equal steps"),
    "arithmetic": (
        "facegan.cli.explore:arithmetic",
        'calculate: "smiling woman - neutral woman + neutral man"',
    ),
    "atlas": ("facegan.cli.explore:atlas", "draw a map of thousands of faces, arranged by similarity"),
    "translate": ("facegan.cli.translate", "translate photos: drawings to faces, glasses, grey to colour"),
    "attack": ("facegan.cli.attack", "change a photo until a classifier sees something else"),
    "dream": ("facegan.cli.dream", "amplify what a classifier sees in a photo or in noise"),
    "stylize": ("facegan.cli.stylize", "paint a photo in the style of other pictures"),
    "layers": ("facegan.cli.layers", "list the layers of a classifier with their shapes"),
    "directions": ("facegan.cli.directions", "find directions for edits: attributes, PCA, SeFa"),
    "edit": ("facegan.cli.edit", 'edit faces: "smiling=+2, eyeglasses=-1"'),
    "pairs": ("facegan.cli.pairs", 'make pairs of faces for a translator: "eyeglasses=+2"'),
    "mix": ("facegan.cli.explore:mix", "combine one face with the coarse or fine layers of another"),
}


def help_text() -> str:
    """Return the table of commands."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
    return (
        f"facegan {__version__}: from a folder of photos to a face generator\n\n"
        f"usage: facegan COMMAND ...\n\n{rows}\n\n"
        "facegan COMMAND --help lists a command's options."
    )


def run_function(function: Callable[..., Any], argv: list[str], prog: str = "") -> Any:
    """Call ``function`` with options parsed from ``argv`` by its signature and docstring.

    ``prog`` is the command where its module has another name.
    """

    @functools.wraps(function)
    def bind(*args: Any, **kwargs: Any) -> Callable[[], Any]:  # parsing itself calls nothing
        return functools.partial(function, *args, **kwargs)

    named = f"facegan {function.__module__.rpartition('.')[2].replace('_', '-')}"
    return parse_flags(bind, argv, prog or named)()


def parse_flags(target: Any, argv: list[str], prog: str) -> Any:
    """Return what tyro parses; its mistakes are an InputError in one line instead of a box."""
    import tyro

    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return tyro.cli(target, args=argv, prog=prog)
    except SystemExit as stop:
        if not stop.code:
            raise
        mistake = one_line(box.getvalue())
        if " is missing" in mistake and not mistake.startswith("--"):
            mistake += f"; usage: {prog} {mistake.partition(' ')[0]} ..."
        raise InputError(f"{mistake}; see '{prog} --help'") from None


_NO_NUMBER = (
    r"Error parsing (--[\w.-]+): (?:no type matching \{None\}\|(?:INT|FLOAT) could be instantiated from "
    r"\['(.*?)'\]|(?:invalid literal for int\(\) with base 10|could not convert string to float): '(.*)')"
)


# What an argument means that is missing, by the words of its name in the usage line.
WANTED = {
    "DATASET": "a folder that 'facegan prepare PHOTOS --out DATASET' makes",
    "MODEL": "the bundled celeba64 ('facegan models'), a run of 'facegan train', or a model file",
    "RUN": "a folder that 'facegan train DATASET' makes",
    "FOLDER": "a folder of pictures",
    "SUBJECT": "a model, a folder of pictures or a dataset",
}


def _wanted(argument: str) -> str:
    """Return ``DATASET is missing`` and where to take one from."""
    known = [WANTED[word] for word in argument.split("|") if word in WANTED]
    return f"{argument} is missing" + (f": {'; or '.join(known)}" if known else "")


def one_line(box: str) -> str:
    """Return the first paragraph of a framed message, and the nearest option where it suggests some."""
    rows = [row.strip(" │╭╮╰╯") for row in box.splitlines()[1:]]
    rules = [i for i, row in enumerate(rows) if row and not row.strip("─-")]  # dashes where there is no UTF-8
    if rules[:1] == [0]:
        rows, rules = rows[1:], [i - 1 for i in rules[1:]]
    rule = rules[0] if rules else len(rows)
    text = " ".join(row for row in rows[:rule] if row)
    if match := re.match(_NO_NUMBER, text):
        option, kind = match[1], "number" if "FLOAT" in text or "float" in text else "whole number"
        return f"{option} {match[2] or match[3]}: not a {kind}"
    near = next((row.split()[0] for row in rows[rule:] if row.startswith("--") and row.strip("-")), "")
    if text.startswith("Missing from") and len(rows) > 1:
        return _wanted(rows[1])
    if missing := re.match(r"Missing value for argument '(\w+)'", text):
        return _wanted(missing[1].upper())
    return text.rstrip(".") + (f" (did you mean {near}?)" if near and text.startswith("Unrecognized") else "")


def main(argv: list[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        try:
            code = _dispatch(argv)
        finally:
            sys.stdout.flush()  # here, where a failure can still be reported
    except BrokenPipeError:  # the reader of our output has gone (for example ``| head``)
        return _silenced(141)
    except OSError as error:
        if sys.stdout.closed or not _refuses(sys.stdout):
            raise
        print(f"facegan: the output cannot be written ({error.strerror or error})", file=sys.stderr)
        return _silenced(2)
    if "RANK" in os.environ:  # else nothing here needs torch
        from facegan.distributed import launched

        if launched() > 1:
            # Threads that listen to the other processes may abort an orderly exit: surely if one has died.
            sys.stderr.flush()
            os._exit(code)
    return code


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in {"-h", "--help", "help"}:
        print(help_text())
        return 0
    if argv[0] in {"-V", "--version"}:
        print(f"facegan {__version__}")
        return 0
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        print(f"facegan: there is no command '{name}'.{hint} See 'facegan --help'.", file=sys.stderr)
        return 2
    try:
        with _notes():
            run = _command(name)
            from facegan.marks import command_line

            with command_line(argv):  # pictures say by which command they were made
                return int(run(rest) or 0)
    except FaceganError as error:
        print(f"facegan {name}: {printable(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"facegan {name}: {_too_long(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nfacegan {name}: interrupted", file=sys.stderr)
        return 130


def _command(name: str) -> Callable[[list[str]], Any]:
    """Return what runs a command: the function in its row, the module's ``run``, or its ``main``."""
    module_name, _, function = COMMANDS[name][0].partition(":")
    module = importlib.import_module(module_name)
    run: Callable[[list[str]], Any] | None = vars(module).get(function or "run")
    return run or functools.partial(run_function, module.main, prog=f"facegan {name}")


@contextlib.contextmanager
def _notes() -> Iterator[None]:
    """Show the package's own warnings as one line each, without the place in the code."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def plainly(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, FaceganWarning):
                clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # a line of progress that stands there
                print(f"{clear}note: {printable(str(message))}", file=sys.stderr, flush=True)
            else:
                show(message, category, *rest)

        warnings.showwarning = plainly  # type: ignore[assignment]
        yield


def _too_long(error: OSError) -> str:
    """Return the message for a path that is longer than the disk takes, whoever looked at it first."""
    text = os.fsdecode(error.filename or "a name")
    shown = text if len(text) <= 80 else f"{text[:50]}...{text[-20:]}"
    return f"{shown}: the name is too long for the disk, which takes 255 bytes in each part of a path"


def _refuses(stream: TextIO) -> bool:
    """Return whether what the stream still holds, or an empty line, cannot be written to it."""
    try:
        print(file=stream, flush=True)
    except OSError:
        return True
    return False


def _silenced(code: int) -> int:
    """Return ``code``; what is left of the output goes nowhere, so that Python's exit is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


if __name__ == "__main__":
    sys.exit(main())
