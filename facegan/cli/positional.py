"""What stands before the options: ``[MODEL] FACES ...``, the same in every command that takes a model.

MODEL comes first and may be left out, or be given as ``--model``; then it is the bundled ``DEFAULT``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path

from facegan.arguments import field_types
from facegan.cli.options import notify, tell_licence
from facegan.errors import InputError, ModelError

DEFAULT = "celeba64"


def is_model(text: str) -> bool:
    """Return whether ``text`` means a model: a run folder, a checkpoint of one, a file, a bundled name."""
    from facegan.hub import is_hub_name
    from facegan.models import resolve

    if not text.strip():
        return False
    if is_hub_name(text):
        return True
    if text.partition("+")[0].lower().endswith(".safetensors") or _of_a_run(text):
        return True
    try:
        return resolve(text).suffix == ".safetensors"
    except ModelError:
        return False


def _of_a_run(text: str) -> bool:
    """Return whether it is ``RUN@...`` of a folder that is there."""
    folder, at, _ = text.rpartition("@")
    return bool(at) and Path(folder).expanduser().is_dir()


def model_first(
    words: Sequence[str],
    model: str,
    *,
    command: str,
    usage: str,
    is_other: Callable[[str], bool] | None = None,
    default: str = DEFAULT,
) -> tuple[str, list[str]]:
    """Return the model, and the words that follow it.

    Args:
        words: what stands before the options.
        model: what ``--model`` says; "" where it is not given.
        command: the command's name, for messages.
        usage: how to write it, such as ``MODEL PHOTO ...``.
        is_other: whether a word is surely no model, such as seeds; then the first word that is not is taken
            for the model, so that the message on a misspelt name speaks of models. None: the first word is a
            model only if there is one of that name.
        default: the model if none is named; "" if there is none to take.

    Raises:
        InputError: two models are named, the model does not come first, or it is missing.
    """
    rest = list(words)
    first = bool(rest) and (not is_other(rest[0]) if is_other else is_model(rest[0]))
    if first and model:
        raise InputError(
            f"{rest[0]}: a model is named before the options and another one with --model {model}; give one"
        )
    if first:
        model = rest.pop(0)
    late = next((word for word in rest if not (is_other and is_other(word)) and is_model(word)), "")
    if late and not model:
        raise InputError(f"{late}: the model comes first: facegan {command} {usage}")
    if late:
        raise InputError(f"{late}: a second model, after {model}; write facegan {command} {usage}")
    if not model and not default:
        lacking = f"{rest[0]}: this is no model" if rest else "MODEL is missing"
        raise InputError(f"{lacking}; the model comes first: facegan {command} {usage}")
    if not model:
        notify(f"model: {default} (name another one first, or with --model)")
    tell_licence(model or default)
    return model or default, rest


def options_last(function: Callable[..., object], argv: Sequence[str]) -> list[str]:
    """Return ``argv`` with the words that are no options first, in their order.

    Several words in one place cannot be parsed with options between them. Each option takes one word, but for
    switches (``bool``), also those of settings that are flags.
    """
    kinds = inspect.get_annotations(function, eval_str=True)
    for kind in list(kinds.values()):
        if is_dataclass(settings := getattr(kind, "__origin__", None)):
            kinds |= field_types(settings)  # type: ignore[arg-type]
    switches = {"help"} | {name for name, kind in kinds.items() if kind in ("bool", bool)}
    words: list[str] = []
    rest: list[str] = []
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            words.append(word)
            continue
        rest.append(word)
        name = word[2:].replace("-", "_")
        alone = "=" in word or bool({name, name.removeprefix("no_")} & switches)
        if queue and not alone:
            rest.append(queue.pop(0))
    return [*words, *rest]


def only_model(words: Sequence[str], model: str, *, command: str) -> str:
    """Return the model of a command that takes nothing else before its options; see :func:`model_first`."""
    if len(words) > 1:
        raise InputError(f"facegan {command} takes one model, not {len(words)} ({', '.join(words)})")
    return model_first(words, model, command=command, usage="MODEL", is_other=lambda _: False)[0]
