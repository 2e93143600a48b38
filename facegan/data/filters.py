"""Choosing pictures by attributes: ``"Smiling and not (Eyeglasses or label == 3)"``, ``"race == White"``.

Grammar: ``or`` < ``and`` < ``not`` < comparison; a bare name means "is 1". Names are matched without
regard to case, and spaces and underscores are the same, so that ``wearing hat`` is Wearing_Hat. Names of
other signs, or with the words of the grammar, stand in quotation marks: ``"rock and roll" or "R&B"``.
Classes are compared by their names, and where these are no numbers by their numbers, too.
Of an unknown value (None) nothing is true and nothing is false: what depends on it is unknown, too.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facegan.data.attribute_columns import value_of, yes_no
from facegan.errors import InputError

Row = Mapping[str, Any]
Predicate = Callable[[Row], "bool | None"]

_WORD = r"(?<![\w-])(?:and|or|not)(?![\w-])"
_TOKEN = re.compile(  # an operator, or a name or number up to the next operator or word of the grammar
    rf"\s*(?:(==|!=|<=|>=|<|>|=|\(|\))|\"[^\"]+\"|([\w\-][\w .\-]*?)(?=\s*(?:[=!<>()]|{_WORD}|$)))", re.I
)
_MAX_NESTING = 100  # parentheses and nots, which the parser follows by recursion
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


CLASS_ATTRIBUTE = "label"
"""The attribute that holds the classes of sources which do not name them, such as MNIST's digits."""
CLASS_WORDS = frozenset(("digit", "digits", "number", "class", "label"))
"""Other words for it, and what may stand beside a class's name."""


def plain(name: str) -> str:
    """Return a name without regard to case, in which blanks and hyphens are underscores."""
    return re.sub(r"[\s_\-]+", "_", name.strip()).lower()


def class_label(name: str) -> str:
    """Return a class's name as it stands in labels, where commas part them."""
    return re.sub(r"\s*,\s*", "/", name.strip())


def _tokens(text: str, option: str) -> list[str]:
    found: list[str] = []
    at = 0
    while text[at:].strip():
        word = re.match(rf"\s*{_WORD}", text[at:], re.I)
        match = word or _TOKEN.match(text, at)
        if not match:
            raise InputError(f"{option}: cannot read '{text[at:].strip()}'")
        found.append(match[0].strip())
        at += word.end() if word else match.end() - at
    return found


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _any(values: Sequence[bool | None]) -> bool | None:
    """Return True if one is, unknown if one may be (Kleene's logic)."""
    return True if True in values else None if None in values else False


class _Parser:
    def __init__(
        self,
        text: str,
        names: Sequence[str],
        option: str,
        *,
        class_names: Mapping[str, Sequence[str]],
        whole: bool,
    ) -> None:
        self.classes, self.whole = class_names, whole
        self.text, self.option, self.rest = text, option, _tokens(text, option)
        self.names = {plain(name): name for name in names}

    def peek(self) -> str:
        return self.rest[0].lower() if self.rest else ""

    def fail(self, why: str) -> InputError:
        return InputError(f"{self.option} '{self.text}': {why}")

    def either(self) -> Predicate:
        return self.chain("or", self.both, _any)

    def both(self) -> Predicate:
        return self.chain("and", self.single, lambda values: _not(_any([_not(value) for value in values])))

    def chain(self, word: str, term: Callable[[], Predicate], join: Callable[..., bool | None]) -> Predicate:
        terms = [term()]
        while self.peek() == word:
            self.rest.pop(0)
            terms.append(term())
        return lambda row: join([term(row) for term in terms])

    def single(self) -> Predicate:
        token = self.peek()
        if token == "not":
            self.rest.pop(0)
            inner = self.single()
            return lambda row: _not(inner(row))
        if token == "(":
            self.rest.pop(0)
            inner = self.either()
            if self.peek() != ")":
                raise self.fail("a closing parenthesis is missing")
            self.rest.pop(0)
            return inner
        if not token or token in ("and", "or", ")") or token in _COMPARE:
            where = f"before '{token}'" if token else "at the end"
            raise self.fail(f"an attribute is missing {where}")
        return self.comparison()

    def hint(self, key: str) -> str:
        """Return the names that begin like ``key`` or, if there are none, those that look like it."""
        begun = [name for known, name in self.names.items() if known.startswith(key)]
        if len(begun) > 1:
            return f"it begins {', '.join(begun[:-1])} and {begun[-1]}"
        near = difflib.get_close_matches(key, self.names, n=3, cutoff=0.6)
        near = near or difflib.get_close_matches(key, self.names, n=1, cutoff=0.5)
        found = begun or [self.names[n] for n in near]
        if found:
            return f"did you mean {' or '.join(repr(n) for n in found)}?"
        known = ", ".join(list(self.names.values())[:12])
        return f"known: {known}" if known else "there are no attributes"

    def comparison(self) -> Predicate:
        name = self.rest.pop(0).strip('"')
        if plain(name) not in self.names:
            raise self.fail(f"there is no attribute '{name}'; {self.hint(plain(name))}")
        key = self.names[plain(name)]
        if self.peek() not in _COMPARE:
            return self.compared(key, "==", "1")
        sign = self.rest.pop(0)
        if not self.rest or self.peek() in ("and", "or", "not", "(", ")") or self.peek() in _COMPARE:
            raise self.fail(f"a value must follow the comparison of '{name}'")
        return self.compared(key, sign, self.rest.pop(0).strip('"').strip())

    def compared(self, key: str, sign: str, text: str) -> Predicate:
        """Return the test ``key sign text``: by number, or by the name of a text or a class."""
        number = value_of(text)
        wanted = None if isinstance(number, str) else number
        equality = sign in ("==", "=", "!=")
        if wanted is None and not equality:
            raise self.fail(f"'{text}' is no number; names are compared by == and != alone")
        if self.whole and wanted is None:
            self.check_class(key, text)

        def test(row: Row) -> bool | None:
            names = self.classes.get(key, ())
            value, name = _meaning(row.get(key), names)
            if value is None and not name:
                return None
            by_name = equality and (wanted is None or any(plain(n) == plain(text) for n in names))
            if by_name and name:
                return (plain(name) == plain(text)) == (sign != "!=")
            against = yes_no(number) if wanted is None else wanted
            if value is None or against is None:
                return sign == "!="
            return _COMPARE[sign](value, against)

        return test

    def check_class(self, key: str, text: str) -> None:
        """Raise InputError unless ``text`` is a class of the attribute, or yes or no of a nameless one."""
        names = self.classes.get(key, ())
        if not names and yes_no(value_of(text)) is None:
            raise self.fail(
                f"a whole number must follow the comparison of '{key}', whose values have no names"
            )
        if names and not any(plain(name) == plain(text) for name in names):
            near = difflib.get_close_matches(text, names, n=2, cutoff=0.5) or list(names[:8])
            raise self.fail(f"'{key}' has no class '{text}'; there are: {', '.join(near)}")


def _meaning(raw: Any, names: Sequence[str]) -> tuple[int | float | None, str]:
    """Return a value as number and as name; (None, '') if it is unknown.

    The number of a class is that of its name where all names are numbers; that of a text is 1 or 0 where it
    says yes or no.
    """
    value = value_of(raw)
    if value is None:
        return None, ""
    if isinstance(value, str):
        return yes_no(value), value
    if isinstance(value, int) and 0 <= value < len(names):
        counted = value_of(names[value]) if all(isinstance(value_of(n), int) for n in names) else value
        return counted, names[value]  # type: ignore[return-value]
    return value, ""


def parse_where(
    text: str,
    names: Sequence[str],
    option: str = "--where",
    *,
    class_names: Mapping[str, Sequence[str]] | None = None,
    whole: bool = False,
) -> Predicate:
    """Return a function of a row of attributes: true, false, or None where that is unknown.

    Rows have values as their source has them, also text, or, with ``whole``, whole numbers alone;
    ``class_names`` are the names of the classes 0, 1, ... of attributes that have them. InputError in one
    line, beginning with ``option``, names what is not understood.
    """
    if text.count("(") + len(re.findall(r"\bnot\b", text, re.I)) > _MAX_NESTING:
        raise InputError(f"{option} '{text[:40]}...': nested too deeply")
    parser = _Parser(text, names, option, class_names={} if class_names is None else class_names, whole=whole)
    predicate = parser.either()
    if parser.rest:
        raise parser.fail(f"'{parser.rest[0]}' is not expected here")
    return predicate
