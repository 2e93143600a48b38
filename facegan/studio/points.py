"""Faces as the page of the studio describes them: recipes of JSON, checked.

A point is ``{"seed": 12}``, ``{"sum": [{"sign": 1, "members": [point, ...]}, ...]}``, ``{"between": [point,
point], "at": 0.5}``, ``{"base": point, "style": point, "kind": "layers", "numbers": [0, 1]}``, ``{"words":
"smiling woman"}`` or ``{"vector": RESULT, "number": 0}``. A face is ``{"point": point, "moves": {name:
strength}}``. A look is ``{"face": face, "truncation": 1, "labels": null}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from facegan.data.filters import plain
from facegan.errors import InputError
from facegan.seeds import spell_seeds

MAX_DEPTH = 8
MAX_LEAVES = 200
MAX_FACES = 100
MAX_SEED = 2**53 - 1
"""The largest seed that a browser counts to."""
_KINDS = ("layers", "components")

Point = Mapping[str, Any]
Face = Mapping[str, Any]


def check_look(value: Any) -> dict[str, Any]:
    """Return a look of a request; InputError says what is wrong with it."""
    look = _object(value, "look", ("face", "truncation", "labels"))
    truncation, labels = look.get("truncation", 1), look.get("labels")
    if labels is not None and not (isinstance(labels, list) and len(labels) <= 10_000):
        raise InputError("labels: give a list of numbers, or null")
    return {
        "face": check_face(look.get("face")),
        "truncation": _number(truncation, "truncation", 10),
        "labels": labels and [_number(label, "labels", 100) for label in labels],
    }


def check_face(value: Any) -> dict[str, Any]:
    """Return a face of a request; InputError says what is wrong with it."""
    face = _object(value, "face", ("point", "moves"))
    moves = check_moves(face.get("moves") or {})
    point = check_point(face.get("point"))
    if sum(1 for _ in leaves(point)) > MAX_LEAVES:
        raise InputError(f"face: at most {MAX_LEAVES} faces go into one")
    return {"point": point, "moves": moves}


def check_moves(value: Any) -> dict[str, float]:
    """Return strengths by direction of a request; InputError says what is wrong with them."""
    if not isinstance(value, dict) or len(value) > 1000:
        raise InputError("moves: give strengths by the names of directions")
    return {name: _number(strength, "moves", 100) for name, strength in value.items()}


def check_point(value: Any, depth: int = 0) -> dict[str, Any]:
    """Return a point of a request; InputError says what is wrong with it."""
    if depth > MAX_DEPTH:
        raise InputError(f"face: sums within sums are {MAX_DEPTH} deep at most")
    point = _object(
        value,
        "face",
        ("seed", "sum", "between", "at", "base", "style", "kind", "numbers", "words", "vector", "number"),
    )
    if "seed" in point:
        return {"seed": _whole(point["seed"], "seed", MAX_SEED)}
    if "words" in point:
        words = _text(point["words"], "words", 300)
        if ":" in words:  # ranges of seeds may be of any length
            raise InputError("words: write words alone, such as smiling woman - woman + man")
        return {"words": words}
    if "vector" in point:
        return {
            "vector": _text(point["vector"], "vector", 200),
            "number": _whole(point.get("number"), "number", 10**6),
        }
    if "between" in point:
        ends = _list(point["between"], "between", 2)
        return {
            "between": [check_point(end, depth + 1) for end in ends],
            "at": _number(point.get("at"), "at", 1),
        }
    if "base" in point:
        if point.get("kind") not in _KINDS:
            raise InputError(f"kind must be one of {', '.join(_KINDS)}")
        numbers = _list(point.get("numbers"), "numbers")
        return {
            **{name: check_point(point.get(name), depth + 1) for name in ("base", "style")},
            "kind": point["kind"],
            "numbers": [_whole(number, "numbers", 10**5) for number in numbers],
        }
    return {"sum": [_term(term, depth) for term in _list(point.get("sum"), "sum")]}


def _term(value: Any, depth: int) -> dict[str, Any]:
    term = _object(value, "sum", ("sign", "members"))
    if term.get("sign") not in (1, -1):
        raise InputError("sign must be 1 or -1")
    members = _list(term.get("members"), "members")
    return {"sign": term["sign"], "members": [check_point(member, depth + 1) for member in members]}


def leaves(point: Point) -> Iterator[Point]:
    """Yield the seeds, words and saved vectors that a point is made of."""
    inside = [member for term in point.get("sum", ()) for member in term["members"]]
    inside += point.get("between", ())
    inside += [point[name] for name in ("base", "style") if name in point]
    if not inside:
        yield point
    for member in inside:
        yield from leaves(member)


def is_drawn(point: Point) -> bool:
    """Return whether a point is made of seeds alone, by sums and ways between them: it has a latent z."""
    if "sum" in point:
        return all(is_drawn(member) for term in point["sum"] for member in term["members"])
    return all(map(is_drawn, point["between"])) if "between" in point else "seed" in point


# --- words -------------------------------------------------------------------------------------------


def spelled(point: Point) -> str:
    """Return a point for people, and for the mark of a picture: ``seed:1,2 - seed:3``."""
    if "seed" in point:
        return f"seed:{point['seed']}"
    if "words" in point:
        return f"'{point['words']}'"
    if "vector" in point:
        return f"{point['vector']}.npz:{point['number'] + 1}"
    if "between" in point:
        first, second = map(spelled, point["between"])
        return f"({first} to {second}, {point['at']:.3g})"
    if "base" in point:
        what = f"{point['kind']} {spell_seeds(sorted(point['numbers']))}"
        return f"({spelled(point['base'])} with {what} of {spelled(point['style'])})"
    words = [("-" if term["sign"] < 0 else "+", _average(term["members"])) for term in point["sum"]]
    return " ".join(f"{sign} {text}" for sign, text in words).removeprefix("+ ")


def _average(members: list[Point]) -> str:
    if all("seed" in member for member in members):
        return f"seed:{','.join(str(member['seed']) for member in members)}"
    return ", ".join(map(spelled, members))


def spelled_moves(moves: Mapping[str, float]) -> str:
    """Return ``smiling=+2, old=-1``, as ``facegan edit`` takes edits."""
    return ", ".join(f"{plain(name)}={strength:+.4g}" for name, strength in moves.items() if strength)


# --- checks ------------------------------------------------------------------------------------------


def _object(value: Any, name: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be an object")
    for key in value:
        if key not in known:
            raise InputError(f"{name}: there is no '{str(key)[:40]}'; there are: {', '.join(known)}")
    return value


def _list(value: Any, name: str, count: int = 0) -> list[Any]:
    if not isinstance(value, list) or not value or len(value) > MAX_LEAVES or (count and len(value) != count):
        raise InputError(f"{name} must be a list of {count or f'1 to {MAX_LEAVES}'} things")
    return value


def _whole(value: Any, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InputError(f"{name} must be a whole number from 0 to {most}")
    return value


def _number(value: Any, name: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"{name} must be a number")
    if abs(value) > most:
        raise InputError(f"{name} must be from -{most:g} to {most:g}")
    return float(value)


def _text(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most or not value.isprintable():
        raise InputError(f"{name} must be a text of one line, of at most {most} characters")
    return value
