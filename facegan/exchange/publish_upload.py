"""Upload folders to the Hub, each as one commit of a repository, so that it is never half there.

Files that a repository has already are not sent again; a command that failed in the middle goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facegan.errors import InputError
from facegan.hub import LOGIN, explain, library, progress_as_wanted

OURS = {
    "model": (
        "README.md", "LICENSE", "config.json", "model.safetensors", "model.onnx", "samples.png",
        "directions.safetensors",
    ),
    "space": ("README.md", "LICENSE", "index.html"),
}  # fmt: skip
"""Kind of repository -> the files that it may get; old ones of these names are removed."""
_STARTS_WITH = {".gitattributes", "README.md", "index.html", "style.css"}  # what a new repository may hold
_MB = 1e6


@dataclass
class Upload:
    """The upload of one model: ``done`` is what was done so far, for the message if the rest fails."""

    repo: str
    private: bool
    say: Callable[[str], None]
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hub = library()
        if not self.hub.get_token():
            raise InputError(f"{self.repo}: no token for the Hugging Face Hub: {LOGIN}; --dry-run needs none")
        self.api = self.hub.HfApi()
        self.old: dict[str, set[str]] = {}
        with self._explained():
            self.api.whoami()

    def check(self, kind: str) -> None:
        """Look at the repository before anything is made.

        Raises:
            InputError: it holds something else, or is public although a private one is wanted.
        """
        try:
            with self._explained():
                info = self.api.repo_info(self.repo, repo_type=kind)
        except _MissingError:
            return
        files = {sibling.rfilename for sibling in info.siblings or ()}
        tags = (info.card_data.to_dict() if info.card_data else {}).get("tags") or []
        others = sorted(files - _STARTS_WITH - ({"LICENSE"} if kind == "model" else set()))
        if kind == "space" and not others and "facegan" not in tags:
            with self._explained():  # a new one has a page, too, but nobody has changed it
                changed = len(self.api.list_repo_commits(self.repo, repo_type=kind)) > 1
            others = sorted(files & {"index.html"}) if changed else []
        if others and "facegan" not in tags:
            raise InputError(
                f"{self.repo}: this {kind} is there already and holds something else "
                f"({', '.join(others[:4])}); choose another name"
            )
        if self.private and not info.private:
            raise InputError(
                f"{self.repo}: this {kind} is there already and public; make it private in its settings, or "
                "leave out --private"
            )
        self.old[kind] = files

    def send(self, kind: str, folder: Path, message: str) -> str:
        """Upload the files of a folder as one commit; return the repository's address."""
        add, delete = self.hub.CommitOperationAdd, self.hub.CommitOperationDelete
        files = {path.name: path for path in sorted(folder.iterdir())}
        stale = (set(OURS[kind]) & self.old.get(kind, set())) - set(files)
        size = sum(path.stat().st_size for path in files.values())
        self.say(f"{kind} {self.repo}: uploading {len(files)} files, {size / _MB:.1f} MB")
        sdk = {"space_sdk": "static"} if kind == "space" else {}
        with self._explained(), progress_as_wanted():
            private = True if self.private else None
            address = self.api.create_repo(self.repo, repo_type=kind, private=private, exist_ok=True, **sdk)
            if kind not in self.old:
                self.done.append(f"the {kind}'s repository was created")
            operations = [add(path_in_repo=name, path_or_fileobj=str(path)) for name, path in files.items()]
            operations += [delete(path_in_repo=name) for name in sorted(stale)]
            self.api.create_commit(self.repo, operations, commit_message=message, repo_type=kind)
        self.done.append(f"the {kind} was uploaded ({address})")
        return str(address)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of huggingface_hub into one line that says what was done before."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # of huggingface_hub, its HTTP client and its transfer protocols
            if type(error).__name__ == "RepositoryNotFoundError" and not self.done:
                raise _MissingError(f"{self.repo}: {explain(error, self.repo)}") from None
            done = f"; done before: {', '.join(self.done)}" if self.done else "; nothing was uploaded"
            raise InputError(
                f"{self.repo}: {explain(error, self.repo)}{done}; the same command goes on from there"
            ) from None


class _MissingError(InputError):
    """Signal that there is no such repository."""
