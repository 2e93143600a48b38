"""prepare, inspect, label and select: photos to datasets, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
