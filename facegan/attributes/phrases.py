"""Read phrases such as "smiling woman" or "old man without glasses" as attributes.

    phrase = word { word }
    word   = ["no" | "not" | "without"] attribute | synonym | filler

An attribute is a name that the network knows ("wavy hair", "bangs") or the one word of it that no other
name has ("wavy", "hat").
"""

from __future__ import annotations

from collections.abc import Sequence

from facegan.data.filters import plain
from facegan.errors import InputError, offered

# word -> (names of attributes, the first that the network has counts; yes or no)
SYNONYMS: dict[str, tuple[tuple[str, ...], bool]] = {
    "man": (("Male",), True),
    "men": (("Male",), True),
    "male": (("Male",), True),
    "woman": (("Male",), False),
    "women": (("Male",), False),
    "female": (("Male",), False),
    "smiling": (("Smiling",), True),
    "smile": (("Smiling",), True),
    "happy": (("Smiling",), True),
    "neutral": (("Smiling",), False),
    "serious": (("Smiling",), False),
    "unsmiling": (("Smiling",), False),
    "young": (("Young",), True),
    "old": (("Young",), False),
    "elderly": (("Young",), False),
    "glasses": (("Eyeglasses", "Glasses"), True),
    "eyeglasses": (("Eyeglasses", "Glasses"), True),
    "spectacles": (("Eyeglasses", "Glasses"), True),
    "beard": (("No_Beard",), False),
    "bearded": (("No_Beard",), False),
    "shaven": (("No_Beard",), True),
    "beardless": (("No_Beard",), True),
    "blond": (("Blond_Hair",), True),
    "blonde": (("Blond_Hair",), True),
    "brunette": (("Brown_Hair",), True),
    "grey": (("Gray_Hair",), True),
    "grey hair": (("Gray_Hair",), True),
    "fringe": (("Bangs",), True),
    "moustache": (("Mustache",), True),
    "make up": (("Heavy_Makeup",), True),
    "open mouth": (("Mouth_Slightly_Open",), True),
    "closed mouth": (("Mouth_Slightly_Open",), False),
    "stubble": (("5_o_Clock_Shadow",), True),
}
NEGATIONS = ("no", "not", "without", "non")
FILLERS = {
    "a",
    "an",
    "and",
    "anyone",
    "face",
    "faces",
    "haired",
    "in",
    "people",
    "person",
    "the",
    "wearing",
    "with",
}


def meaning(phrase: str, names: Sequence[str]) -> dict[str, bool]:
    """Return ``{"Smiling": True, "Male": False}`` for "smiling woman" and a network that knows ``names``.

    InputError for a word that is unknown or could be several attributes, and for a contradiction.
    """
    words = plain(phrase).split("_")
    wanted: dict[str, bool] = {}
    negate, at = False, 0
    while at < len(words):
        size, found = _longest(words[at:], names)
        if found is None and words[at] in NEGATIONS and at + 1 < len(words):
            negate, at = True, at + 1
            continue
        if found is None and words[at] not in FILLERS:
            found = _one_of(words[at], phrase, names)
        if found is not None:
            name, yes = found[0], found[1] != negate
            if wanted.setdefault(name, yes) != yes:
                raise InputError(f"'{phrase}' asks for {spoken(name)} and for the opposite")
            negate = False
        at += size
    return wanted


def _longest(words: Sequence[str], names: Sequence[str]) -> tuple[int, tuple[str, bool] | None]:
    """Return how many of ``words`` form the longest name or synonym at the start, and its meaning."""
    own = {plain(name): name for name in names}
    for size in range(min(4, len(words)), 0, -1):
        text = "_".join(words[:size])
        if text in own:
            return size, (own[text], True)
        candidates, yes = SYNONYMS.get(text.replace("_", " "), ((), True))
        for name in candidates:
            if plain(name) in own:
                return size, (own[plain(name)], yes)
    return 1, None


def _one_of(word: str, phrase: str, names: Sequence[str]) -> tuple[str, bool]:
    """Return the only name that contains ``word``."""
    having = [name for name in names if word in plain(name).split("_")]
    if len(having) == 1:
        return having[0], True
    if having:
        raise InputError(
            f"'{phrase}': '{word}' is ambiguous; say {' or '.join(spoken(name) for name in having)}"
        )
    raise InputError(f"'{phrase}': the word '{word}' is unknown; {offered(vocabulary(names), word)}")


def spoken(name: str) -> str:
    """Return an attribute's name for a sentence, in quotes."""
    return f"'{plain(name).replace('_', ' ')}'"


def vocabulary(names: Sequence[str]) -> list[str]:
    """Every synonym that this network understands, then its own names."""
    own = {plain(name) for name in names}
    words = [word for word, (found, _) in SYNONYMS.items() if own & {plain(name) for name in found}]
    return list(dict.fromkeys([*words, *(name.replace("_", " ") for name in sorted(own))]))
