"""Vector arithmetic: ``"92,98,99 - 9,21,79 + 10,30,45"``, averages of faces added and subtracted.

The idea is Radford et al. 2015, section 6.3.2: single vectors are noisy, averages of three are stable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from facegan.errors import InputError
from facegan.generator import Latent
from facegan.latent.points import parse_seeds


@dataclass(frozen=True)
class Term:
    """``factor`` times the average of ``members`` (numbers on the sheet, from 1)."""

    factor: float
    members: tuple[int, ...]
    name: str = ""

    def title(self) -> str:
        sign = "-" if self.factor < 0 else "+"
        size = "" if abs(self.factor) == 1 else f"{abs(self.factor):g} x "
        return f"{sign} {size}{self.name or ', '.join(map(str, self.members))}"


def parse_expression(text: str, groups: Mapping[str, Sequence[int]] | None = None) -> list[Term]:
    """Terms of numbers (``1``, ``9,21,79``, ``3-6``) or of group names, with + and - between them.

    A term may begin with a factor: ``0.5 * 10,30``. + and - must have spaces around them where a range
    such as ``3-6`` could be meant. Names may hold spaces and underscores alike. InputError names the
    part that is not understood.
    """
    names = {_plain(name): (name, tuple(int(n) for n in members)) for name, members in (groups or {}).items()}
    parts = re.split(r"(?:^|\s)([+-])(?:\s+|(?=\d))", " " + text.strip())
    if parts[0].strip():
        parts = ["", "+", *parts]
    else:
        parts = parts[1:] if len(parts) > 1 else []
        parts = ["", *parts]
    terms: list[Term] = []
    for sign, body in zip(parts[1::2], parts[2::2], strict=True):
        terms.append(_term(-1.0 if sign == "-" else 1.0, body.strip(), names, text))
    if not terms:
        raise InputError("the expression is empty; write for example '1,2,3 - 4,5,6 + 7,8,9'")
    return terms


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def _term(sign: float, body: str, names: Mapping[str, tuple[str, tuple[int, ...]]], text: str) -> Term:
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*\*\s*(.*)", body)
    factor, body = (float(match[1]), match[2].strip()) if match else (1.0, body)
    if not body:
        raise InputError(
            f"expression '{text}': a number or name is missing after '{'-' if sign < 0 else '+'}'"
        )
    if _plain(body) in names:
        name, members = names[_plain(body)]
        if not members:
            raise InputError(f"group '{name}' has no members")
        return Term(sign * factor, members, name.replace("_", " "))
    if re.match(r"[^\d\s,]", body):
        known = (
            f"known: {', '.join(name for name, _ in names.values())}" if names else "give them with --groups"
        )
        raise InputError(f"expression '{text}': there is no group '{body}' ({known})")
    return Term(sign * factor, tuple(parse_seeds(body, f"expression '{text}': term")))


def evaluate(
    terms: Sequence[Term], sheet: torch.Tensor, rescale: Latent | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Averages ``T,dim`` of the terms, and their sum with the factors, ``dim``.

    ``sheet`` holds the numbered vectors, ``N,dim``. With ``rescale``, averages and result are brought
    to the typical norm of that prior around its mean; an average of three otherwise has 1/sqrt(3) of it.
    """
    for term in terms:
        for member in term.members:
            if not 1 <= member <= len(sheet):
                raise InputError(f"there is no face {member} on this sheet (it has 1 to {len(sheet)})")
    averages = torch.stack([sheet[[m - 1 for m in term.members]].mean(0) for term in terms])
    if rescale is not None:
        averages = _rescaled(averages, rescale)
    factors = torch.tensor([term.factor for term in terms], dtype=averages.dtype)
    result = factors @ averages
    return averages, _rescaled(result[None], rescale)[0] if rescale is not None else result


def _rescaled(z: torch.Tensor, prior: Latent) -> torch.Tensor:
    radius = prior.dim**0.5 * (prior.std if prior.kind == "normal" else 1.0)
    centre = prior.centre()
    away = z - centre
    return centre + away * (radius / away.norm(dim=-1, keepdim=True).clamp_min(1e-12))


def arithmetic(
    expression: str,
    sheet: torch.Tensor,
    groups: Mapping[str, Sequence[int]] | None = None,
    rescale: Latent | None = None,
) -> torch.Tensor:
    """The result's vector, ``dim``: parse and evaluate in one."""
    return evaluate(parse_expression(expression, groups), sheet, rescale)[1]
