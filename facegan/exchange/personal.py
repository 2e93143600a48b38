"""Take places of a computer out of texts that are published: a path keeps its last part.

``/home/ann/photos/faces`` becomes ``faces``. Home folders hold names of people, and addresses those of
machines; neither says anything about a model.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from facegan.hub import is_hub_name
from facegan.marks import without_folder

_PLACE = re.compile(
    r"""
    (?<![\w.:/\\~-])                      # not within a word, an address of the web, a fraction
    (?:~[\w.-]*|[A-Za-z]:|\.\.)?          # a home folder, a drive, the folder above
    [/\\]{1,2}
    (?:[^\s/\\'"<>|,;()\[\]]+[/\\]+)*
    [^\s/\\'"<>|,;()\[\]]*
    """,
    re.VERBOSE,
)
_REMOTE = re.compile(r"(?<![\w.-])[\w.-]+@[\w.-]+:(?=\S)")  # ann@machine:folder/file
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")  # https://ann:word@host/file
_FILE = re.compile(r"\bfile:/{2,}(?:localhost/)?")


def without_places(value: Any) -> Any:
    """Return texts, lists and dictionaries of them without paths; other values as they are.

    The text under the key ``command`` is read as a command line.
    """
    if isinstance(value, dict):
        return {
            key: clean_command(inner)
            if key == "command" and isinstance(inner, str)
            else without_places(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_places(inner) for inner in value]
    return clean_text(value) if isinstance(value, str) else value


def clean_text(text: str) -> str:
    """Return a text in which each absolute path, or one from ``~`` or ``..``, is its last part only."""
    text = _REMOTE.sub("/", _LOGIN.sub("", _FILE.sub("/", text)))
    return _PLACE.sub(lambda found: _last_part(found[0]), text)


def _last_part(path: str) -> str:
    """Return the last part of a path; a home folder, whose name is a person's, is HOME."""
    *above, last = [part for part in re.split(r"[/\\]", path) if part] or [path]  # a slash may stand alone
    at_home = last.startswith("~") or (above and above[-1].lower() in ("home", "users"))
    return "HOME" if at_home else last


def clean_command(line: str) -> str:
    """Return a command line whose words name no places; blanks within a path are part of it.

    Words of a command are no prose, so that relative paths lose their folders, too.
    """
    try:
        words = shlex.split(line)
    except ValueError:  # an open quotation mark
        return clean_text(line)
    return shlex.join(map(_clean_word, words))


def _clean_word(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if re.match(r"(~[\w.-]*|[A-Za-z]:|\.\.)?[/\\]", value):
        return option + equals + _last_part(value)
    if "://" in value or is_hub_name(value) or not re.search(r"[/\\]", value):
        return option + equals + clean_text(value)
    return option + equals + without_folder(value)
