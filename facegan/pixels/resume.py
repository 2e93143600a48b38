"""Unfinished work on disk: named tensors, the number of steps done, and what they belong to."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from facegan.errors import InputError
from facegan.files import write_bytes

FORMAT = "facegan unfinished picture 1"


def save_state(path: str | Path, tensors: dict[str, Tensor], steps: int, *, mark: str) -> None:
    """Write the file whole or not at all; ``mark`` is a fingerprint of settings and inputs."""
    from safetensors.torch import save

    head = {"facegan": json.dumps({"format": FORMAT, "steps": steps, "mark": mark}, sort_keys=True)}
    content = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata=head)
    write_bytes(path, content)


def load_state(path: str | Path, mark: str) -> tuple[dict[str, Tensor], int] | None:
    """Return (tensors, steps done), or None if there is no file; InputError if it is of other work."""
    from safetensors import safe_open

    path = Path(path)
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            head = json.loads((file.metadata() or {}).get("facegan", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors has errors of its own
        raise InputError(
            f"{path}: cannot be read as unfinished work ({error}); remove it to begin anew"
        ) from None
    if not head:
        raise InputError(f"{path}: is no unfinished work, but would be in its place; choose another --out")
    if head.get("format") != FORMAT or head.get("mark") != mark:
        raise InputError(
            f"{path}: is unfinished work with other settings or pictures; use those, remove it, or choose "
            "another --out"
        )
    return tensors, int(head["steps"])
