"""What finished batches of an inversion leave on the disk, so that the same call goes on with the rest."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from facegan.files import write_bytes
from facegan.inversion.config import InvertConfig
from facegan.inversion.results import Inversion
from facegan.inversion.targets import Photo
from facegan.vectors import Vectors


class BatchCache:
    """Finished batches in ``OUT/.parts``, until all are done.

    Found again are those of the same settings, model, encoder and photos. Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None, config: InvertConfig, model_hash: str, *, encoder: str) -> None:
        self.folder, self.config = folder and folder / ".parts", config
        self.key = json.dumps([asdict(config), model_hash, encoder], sort_keys=True)

    def file(self, photos: Sequence[Photo]) -> Path:
        assert self.folder is not None
        content = self.key + json.dumps([[p.name, p.digest] for p in photos])
        return self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"

    def save(self, photos: Sequence[Photo], done: Inversion) -> None:
        if self.folder is None:
            return
        arrays: dict[str, np.ndarray] = {
            "names": np.array(done.names),
            "vectors": done.vectors.z.numpy(),
            "space": np.array(done.vectors.space),
            "model_hash": np.array(done.vectors.model_hash),
            "photos": done.photos,
            "pictures": done.pictures,
            "curves": done.curves,
            "snapshots": done.snapshots.numpy(),
            "steps": np.array(done.snapshot_steps),
            **{f"error/{k}": v for k, v in done.errors.items()},
            **{f"noise/{k}": v.numpy() for k, v in done.noise.items()},
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.file(photos), buffer.getvalue())

    def load(self, photos: Sequence[Photo]) -> Inversion | None:
        if self.folder is None:
            return None
        try:
            with np.load(self.file(photos), allow_pickle=False) as a:
                names = tuple(str(n) for n in a["names"])
                vectors = Vectors(
                    torch.from_numpy(a["vectors"]), names, str(a["model_hash"]), str(a["space"])
                )
                under = lambda kind: {k[6:]: a[k] for k in a.files if k.startswith(kind)}  # noqa: E731
                return Inversion(
                    names,
                    vectors,
                    a["photos"],
                    a["pictures"],
                    under("error/"),
                    a["curves"],
                    torch.from_numpy(a["snapshots"]),
                    [int(s) for s in a["steps"]],
                    self.config,
                    {k: torch.from_numpy(v) for k, v in under("noise/").items()},
                )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def remove(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
