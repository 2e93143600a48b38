"""Messages of the package in the words of the page: without flags, and without the server's own paths."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from facegan.errors import FaceganError, InputError
from facegan.studio.call import Call, Ref
from facegan.studio.project import Project
from facegan.studio.uploads import Uploads

_WORDS = {
    "; --no-align takes the picture as it is": "; choose another photo, or take the picture as it is",
    "; --no-align takes pictures without faces": "; choose other photos, or take pictures as they are",
    "; give another picture, with --no-align if it shows no face": "; choose another picture",
}
"""What messages say of flags -> what the page calls them."""


def plain_words(error: BaseException, names: Mapping[str, str]) -> str:
    """Return the line of an error for the page; ``names`` has what people call the paths in it."""
    text = " ".join(str(error).splitlines())
    for path, name in names.items():
        text = text.replace(path, name)
    for flag, words in _WORDS.items():
        text = text.replace(flag, words).replace(flag.replace("--no-align", "align=False"), words)
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
