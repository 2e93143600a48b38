"""Short work that the server leaves to its hands; each task is a row of ``hands.TASKS``."""

from __future__ import annotations

from typing import Any

Given = dict[str, Any]
"""What a task is asked, as JSON; content comes beside it, as bytes."""
Result = tuple[dict[str, Any], bytes]
"""What a task answers: JSON and bytes."""
