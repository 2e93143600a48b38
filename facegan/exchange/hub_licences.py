"""Licences as the Hub names them in the metadata of a card; any other one is ``other`` with a name."""

from __future__ import annotations

import re
from dataclasses import dataclass

# https://huggingface.co/docs/hub/repositories-licenses
IDENTIFIERS = frozenset(
    word
    for line in (
        "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0",
        "bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear",
        "c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0",
        "cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl",
        "ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1",
        "lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa",
        "unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma",
    )
    for word in line.split(" ")
)
_SAME = {"cc0": "cc0-1.0", "apache": "apache-2.0", "apache2": "apache-2.0"}
_OF_DATA = "that of its training pictures"
_LONGEST = 60


@dataclass(frozen=True)
class Licence:
    """``identifier`` is the Hub's, ``name`` that of ``other``, ``text`` what was said ("" if nothing)."""

    identifier: str
    name: str = ""
    text: str = ""

    @property
    def known(self) -> bool:
        """Return whether it is known at all."""
        return self.identifier != "unknown"

    def metadata(self) -> dict[str, str]:
        """Return its entries in a card; the text of one that the Hub has no name for is in LICENSE."""
        if self.identifier != "other":
            return {"license": self.identifier}
        return {"license": "other", "license_name": self.name, "license_link": "LICENSE"}


def licence_of(text: str) -> Licence:
    """Return what a text says about a licence: one of the Hub's, another one, or nothing."""
    text = " ".join(text.split())
    if text.lower() in ("", "unknown", "none", _OF_DATA):
        return Licence("unknown", "", text if text.lower() == _OF_DATA else "")
    short = re.sub(r"\b(the|licen[cs]e|version|v)\b|,", " ", text.lower())
    short = re.sub(r"[\s_-]+", "-", short.strip()).strip("-")
    short = _SAME.get(short, short)
    if short in IDENTIFIERS:
        return Licence(short, "", text)
    words = re.sub(r"[^a-z0-9.]+", "-", text.lower().partition(",")[0]).strip("-.")
    name = words[:_LONGEST].rpartition("-")[0] if len(words) > _LONGEST else words
    return Licence("other", name or "custom", text)
