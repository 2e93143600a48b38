"""Messages of the package in the words of the page: without flags, and without the server's own paths."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from facegan.errors import FaceganError, InputError
from facegan.studio.call import Call, Ref
from facegan.studio.project import Project
from facegan.studio.uploads import Uploads

_WORDS = {
    r"; (?:--no-align|align=False) takes the picture as it is": (
        "; choose another photo, or take the picture as it is"
    ),
    r"; (?:--no-align|align=False) takes pictures without faces": (
        "; choose other photos, or take pictures as they are"
    ),
    r"; give another picture, with (?:--no-align|align=False) if it shows no face": (
        "; choose another picture"
    ),
    r"; 'facegan directions' lists all, with pca1, sefa1 \.\.\.": "; there is a slider for each direction",
    r" \(facegan prepare --split [^)]* holds some out\)": (
        "; in Photos, 'Split and duplicates' holds some out when a dataset is saved"
    ),
    r"'facegan label[^']*'": "'Predict attributes' in Photos",
    r" \('?facegan prepare [^)]*--size [^)]*\)": " ('Crop' in Photos sets the size)",
}
"""What messages say of flags and commands, as patterns -> what the page calls them."""


def plain_words(said: BaseException | str, names: Mapping[str, str]) -> str:
    """Return an error or a note in one line for the page; ``names`` has what people call the paths in it."""
    text = " ".join(str(said).splitlines())
    for path, name in names.items():
        text = text.replace(path, name)
    for pattern, words in _WORDS.items():
        text = re.sub(pattern, words, text)
    return text


@contextlib.contextmanager
def in_plain_words(names: Mapping[str, str]) -> Iterator[None]:
    """Raise errors of the package in the words of :func:`plain_words`."""
    try:
        yield
    except FaceganError as error:
        raise InputError(plain_words(error, names)) from None


def names_of(call: Call, project: Project) -> dict[str, str]:
    """Return what people call the uploads of a call, by the paths at which they lie."""
    found: dict[str, str] = {}
    for value in call.arguments.values():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, Ref) and one.kind == "uploads":
                with contextlib.suppress(FaceganError):
                    path = Uploads(project.private).find(one.id).path
                    found |= {str(path): one.name, project.relative(path): one.name, path.name: one.name}
                    found[path.stem] = one.name
    return found
