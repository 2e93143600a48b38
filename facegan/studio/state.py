"""What the studio's server holds."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from facegan.errors import InputError
from facegan.studio.hands import Hands
from facegan.studio.jobs import Jobs
from facegan.studio.project import Project
from facegan.studio.uploads import Uploads


@dataclass
class Studio:
    """A project, and what works for it."""

    project: Project
    jobs: Jobs
    uploads: Uploads
    token: str
    """What a browser shows to be let in."""
    hands: Hands = field(default_factory=lambda: Hands("drawing"))
    """The process that draws pictures of models."""
    reader: Hands = field(default_factory=lambda: Hands("reading", memory=4 * 2**30))
    """The process that decodes what comes from outside, with little memory of its own."""
    exporter: Hands = field(default_factory=lambda: Hands("exporting"))
    """The process that writes graphs for the page's engine, while the first one goes on drawing."""
    device: str = ""
    """Where models are drawn; "" until it is known."""

    def expire_uploads(self, now: float) -> list[str]:
        """Delete uploads that nobody uses any more; return their ids.

        They are used as long as a job or photos name them, or a result, since it shows what it was made of.
        """
        private, results = self.project.private, self.project.results_folder
        needed_by = [
            *private.glob("jobs/*/job.json"),
            *private.glob("photos/*/set.json"),
            *results.glob("*.json"),
        ]
        return self.uploads.expire(needed_by, now)


def open_studio(folder: str | Path, at_once: int = 2) -> Studio:
    """Return the studio of a project's folder, which is made if there is none."""
    project = Project(folder)
    project.prepare()
    uploads = Uploads(project.private)
    uploads.survey()
    return Studio(project, Jobs(project, at_once), uploads, read_token(project.private))


def read_token(private: Path) -> str:
    """Return the project's token, which is made once and readable for its owner alone."""
    file = private / "token"
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW)) as handle:
            token = handle.read().strip()
        if len(token) >= 32:
            return token
        file.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error}); delete it") from None
    token = secrets.token_urlsafe(32)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(token)
    return token
