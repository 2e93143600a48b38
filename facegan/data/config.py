"""What ``prepare`` makes of what, and how it tells its progress."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from facegan.data.attribute_tables import attribute_files
from facegan.data.crops import Crop
from facegan.data.sources import fingerprint


@dataclass(frozen=True)
class Progress:
    """How far preparing is: pictures read of ``total`` (None if unknown), crops kept, rejects."""

    done: int
    total: int | None
    kept: int
    rejected: int
    seconds: float
    stage: str = "read"


@dataclass(frozen=True)
class PrepareConfig:
    """What is made from what; equal configurations on equal sources make equal datasets."""

    sources: tuple[str, ...]
    crop: Crop = field(default_factory=Crop)
    include: str = ""
    where: str = ""
    limit: int = 0
    attributes: str = ""
    split: str = ""
    drop_near_duplicates: bool = False
    max_pixels: int = 80_000_000
    value_range: str = ""
    image_column: str = ""
    follow_links: bool = False

    def plan(self) -> dict[str, Any]:
        """Return the configuration with fingerprints of all files that it names."""
        plan = asdict(self)
        plan["sources"] = list(self.sources)
        files = [*self.sources, *attribute_files(self.attributes), self.split]
        plan["fingerprints"] = [fingerprint(f, self.follow_links) if f else "" for f in files]
        return json.loads(json.dumps(plan))
