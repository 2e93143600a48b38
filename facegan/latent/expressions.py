"""Vector arithmetic: ``"92,98,99 - 9,21,79 + 10,30,45"``, averages of faces added and subtracted.

The idea is Radford et al. 2015, section 6.3.2: single vectors are noisy, averages of three are stable.

    expression = ["-"] term { ("+" | "-") term }
    term       = [factor "*"] group
    group      = number { "," number } | "seed:" range { "," range } | name | "quoted name"
    range      = number [ "-" number ], without spaces
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan import arguments
from facegan.errors import InputError
from facegan.prior import Latent
from facegan.seeds import parse_seeds

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Term:
    """``factor`` times the average of ``members`` (numbers on the sheet, from 1) or of ``seeds``."""

    factor: float
    members: tuple[int, ...]
    name: str = ""
    seeds: tuple[int, ...] = ()

    def title(self) -> str:
        """Return the term for a figure: ``- 9, 21, 79``, ``+ seed:7,12``, ``+ 0.5 x smiling woman``."""
        sign = "-" if self.factor < 0 else "+"
        size = "" if abs(self.factor) == 1 else f"{abs(self.factor):g} x "
        seeds = f"seed:{','.join(map(str, self.seeds))}" if self.seeds else ""
        return f"{sign} {size}{self.name or seeds or ', '.join(map(str, self.members))}"


_TOKEN = re.compile(
    r"""\s*(?:
    seeds?\s*:\s*(?P<seeds>\d+(?:-\d+)?(?:\s*,\s*\d+(?:-\d+)?)*)(?![\w.]) |
    (?P<number>\d+(?:\.\d+)?|\.\d+)(?![^\W_]) |
    (?P<operator>[-+*,]) |
    "(?P<double>[^"]*)" | '(?P<single>[^']*)' |
    (?P<name>[^\W\d][\w.]*(?:\s+\w[\w.]*)*)
    )\s*""",
    re.VERBOSE,
)


def parse_expression(text: str, groups: Mapping[str, Sequence[int]] | None = None) -> list[Term]:
    """Return terms of numbers (``1``, ``9,21,79``) or of group names, with + and - between them.

    A term may begin with a factor: ``0.5 * 10,30``. Names may have spaces (or _ in their place) and
    either case; put quotes around one that holds + - * or a comma. InputError shows the spot that is
    not understood.
    """
    return _Parser(arguments.text(text, "the expression", "'1 - 2 + 3'"), groups or {}).expression()


def names_in(text: str) -> list[str]:
    """Return the names of groups that an expression uses, in order, each once."""
    found = [m["name"] or m["double"] or m["single"] for m in _TOKEN.finditer(re.sub(r"\s", " ", text))]
    return list({_plain(name): name for name in found if name}.values())


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip().lower()


class _Parser:
    def __init__(self, text: str, groups: Mapping[str, Sequence[int]]) -> None:
        self.text, self.at = re.sub(r"\s", " ", text), 0
        self.groups = {_plain(name): (name, tuple(members)) for name, members in groups.items()}

    def fail(self, problem: str, at: int | None = None) -> InputError:
        at = self.at if at is None else at
        rest = self.text[at:]
        at += len(rest) - len(rest.lstrip())
        where = f"at character {at + 1}, '{self.text[at:][:20]}'" if rest.strip() else "at its end"
        return InputError(f"expression '{self.text}': {problem} {where}")

    def token(self, *kinds: str) -> re.Match[str] | None:
        """Take the next token if it is an operator of ``kinds``, or of one of these groups."""
        match = _TOKEN.match(self.text, self.at)
        if match and (match.lastgroup in kinds or match["operator"] in kinds):
            self.at = match.end()
            return match
        return None

    def expression(self) -> list[Term]:
        if not self.text.strip():
            raise InputError("the expression is empty; write for example '1,2,3 - 4,5,6 + 7,8,9'")
        sign = self.token("+", "-")
        terms = [self.term(-1.0 if sign and sign["operator"] == "-" else 1.0)]
        while self.text[self.at :].strip():
            sign = self.token("+", "-")
            if not sign:
                raise self.fail("expected + or -")
            terms.append(self.term(-1.0 if sign["operator"] == "-" else 1.0))
        return terms

    def term(self, sign: float) -> Term:
        begin = self.at
        number = self.token("number")
        if number and self.token("*"):
            sign *= float(number["number"])
        else:
            self.at = begin
        if seeds := self.token("seeds"):
            return Term(sign, (), seeds=tuple(parse_seeds(seeds["seeds"], "expression")))
        named = self.token("name", "double", "single")
        return self.group(sign, named) if named else Term(sign, self.members())

    def members(self) -> tuple[int, ...]:
        found: list[int] = []
        while not found or self.token(","):
            begin = self.at
            number = self.token("number")
            if not number:
                raise self.fail("expected a number or the name of a group")
            if not number["number"].isdecimal() or len(number["number"]) > 9:
                raise self.fail("expected a whole number", begin)
            found.append(int(number["number"]))
        return tuple(found)

    def group(self, factor: float, match: re.Match[str]) -> Term:
        written = str(match[match.lastgroup or 0])
        if _plain(written) not in self.groups:
            known = ", ".join(name for name, _ in self.groups.values())
            hint = f"known: {known}" if known else "give groups with --groups"
            raise self.fail(f"there is no group '{written}' ({hint})", match.start())
        name, members = self.groups[_plain(written)]
        if not members:
            raise InputError(f"group '{name}' has no members")
        return Term(factor, members, name.replace("_", " "))


def place_seeds(terms: Sequence[Term], count: int) -> tuple[list[Term], list[int]]:
    """Return terms whose seeds are members of a sheet of ``count`` faces, and the seeds to add to it."""
    seeds: list[int] = []
    found = []
    for term in terms:
        first = count + len(seeds) + 1
        own = tuple(range(first, first + len(term.seeds)))
        found.append(replace(term, members=own) if term.seeds else term)
        seeds += term.seeds
    return found, seeds


Rescale = Latent | Callable[[Any], Any]
"""A prior, to whose typical norm vectors are brought, or a function of arrays that brings them elsewhere."""


def evaluate_expression(
    terms: Sequence[Term], sheet: Any, rescale: Rescale | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what :func:`evaluate_arrays` does, as tensors; a function ``rescale`` takes tensors as well."""
    import torch

    def in_arrays(z: np.ndarray) -> Any:
        return rescale(torch.from_numpy(z)).numpy()  # type: ignore[misc, operator]

    asked = rescale if rescale is None or isinstance(rescale, Latent) else in_arrays
    averages, result = evaluate_arrays(terms, sheet, asked)
    return torch.from_numpy(averages), torch.from_numpy(result)


def evaluate_arrays(
    terms: Sequence[Term], sheet: Any, rescale: Rescale | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return averages ``T,dim`` of the terms, and their sum with the factors, ``dim``.

    ``sheet`` holds the numbered vectors, ``N,dim`` (or w, ``N,num_ws,w_dim``). Without ``rescale`` this is
    plain arithmetic: an average of n has 1/sqrt(n) of a single vector's typical norm, a sum of three averages
    of three has all of it. With ``rescale``, averages and result are brought to that prior's typical norm,
    std x sqrt(dim), around its mean; a vector at the mean stays there.
    """
    sheet = arguments.array(sheet, "the sheet", "it holds vectors, N,D or N,layers,D")
    if sheet.ndim not in (2, 3):
        raise InputError(f"the sheet holds vectors, N,D or N,layers,D, not shape {tuple(sheet.shape)}")
    for term in terms:
        if term.seeds and not term.members:
            raise InputError(
                f"{term.title()}: a sheet has numbers, from 1; seeds need the model that draws them"
            )
        for member in term.members:
            if not 1 <= member <= len(sheet):
                raise InputError(f"there is no face {member} on this sheet (it has 1 to {len(sheet)})")
    averages = np.stack([sheet[[m - 1 for m in term.members]].mean(0) for term in terms])
    if rescale is not None:
        averages = _rescaled(averages, rescale)
    factors = np.array([term.factor for term in terms], averages.dtype)
    result = np.tensordot(factors, averages, 1)
    return averages, result if rescale is None else _rescaled(result[None], rescale)[0]


def _rescaled(z: np.ndarray, prior: Rescale) -> np.ndarray:
    if not isinstance(prior, Latent):
        found: np.ndarray = prior(z)
        return found
    radius = prior.dim**0.5 * (1.0 if prior.kind == "sphere" else prior.std)
    centre = np.float32(0.0 if prior.kind == "sphere" else prior.mean)
    away = z - centre
    length = np.linalg.norm(away, axis=-1, keepdims=True).clip(1e-12)
    moved: np.ndarray = centre + away * (radius / length)
    return moved


def arithmetic(
    expression: str,
    sheet: Any,
    groups: Mapping[str, Sequence[int]] | None = None,
    *,
    rescale: Rescale | None = None,
) -> torch.Tensor:
    """Return the vector ``dim`` of an expression."""
    return evaluate_expression(parse_expression(expression, groups), sheet, rescale)[1]
