"""Models of the Hugging Face Hub by name: ``hf:owner/name``, downloaded by huggingface_hub into its cache.

Only the one ``.safetensors`` file of a model is downloaded; nothing is executed.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan import bars
from facegan.errors import FaceganWarning, InputError, ModelError, first_line

PREFIX = "hf:"
MODEL_FILE = "model.safetensors"
LOGIN = "run 'hf auth login', or set HF_TOKEN (tokens: https://huggingface.co/settings/tokens)"
_FORM = f"{PREFIX}owner/name, {PREFIX}owner/name@revision or {PREFIX}owner/name/file.safetensors"
_WORD = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_WORD}/{_WORD}", re.ASCII)
_WHOLE = re.compile(rf"({_NAME.pattern})(?:@(refs/pr/\d+|[^/\s]+))?(?:/(.+))?", re.ASCII)
_FOREIGN = (".pkl", ".pt", ".pth", ".tar", ".ckpt", ".h5", ".keras", ".onnx", ".safetensors")
_TIMEOUT_S = 10.0
_FRESH_S = 60.0  # one command asks for its model several times: this long, the Hub is not asked again
_recent: dict[str, tuple[float, Path]] = {}


@dataclass(frozen=True)
class HubName:
    """A model on the Hub: the repository, its revision ("" is the newest), and the file ("" is found)."""

    repo: str
    revision: str = ""
    file: str = ""

    @property
    def name(self) -> str:
        """Return the last part of the repository's name."""
        return self.repo.partition("/")[2]


def is_hub_name(text: str) -> bool:
    """Return whether ``text`` is meant as a name of the Hub, well formed or not."""
    return text.startswith(PREFIX)


def is_repository(text: str) -> bool:
    """Return whether ``text`` has the form ``owner/name`` that the Hub allows."""
    forbidden = "--" in text or ".." in text or text.endswith(".git")
    return bool(_NAME.fullmatch(text)) and len(text) <= 96 and not forbidden


def parse_hub_name(text: str) -> HubName:
    """Return the parts of ``hf:owner/name@revision/file``; InputError if it has another form."""
    rest = text.removeprefix(PREFIX).removeprefix("//")
    if rest.startswith(("datasets/", "spaces/")) and rest.count("/") > 1:
        what = rest.partition("/")[0][:-1]
        raise InputError(f"{text}: this names a {what}; a model is {PREFIX}owner/name")
    rest = rest.removeprefix("models/") if rest.count("/") > 1 else rest
    found = _WHOLE.fullmatch(rest)
    if not found or not is_repository(found[1]):
        raise InputError(f"{text}: not a name of the Hugging Face Hub; write {_FORM}")
    return HubName(found[1], found[2] or "", found[3] or "")


def library() -> Any:
    """Return the module huggingface_hub; InputError if it is not installed."""
    try:
        import huggingface_hub
    except ImportError:
        raise InputError("the Hub needs a package: pip install huggingface_hub") from None
    return huggingface_hub


@contextlib.contextmanager
def progress_as_wanted() -> Iterator[None]:
    """Let huggingface_hub show its bars inside only if progress is to be shown at all."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if bars.wanted() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def hub_model(text: str) -> Path:
    """Return the local file of ``hf:owner/name``, which is downloaded unless the cache has it.

    Without a network (or with ``HF_HUB_OFFLINE=1``) the newest file in the cache is taken, with a note.

    Raises:
        InputError: the name has another form, or the Hub refuses or cannot be reached.
        ModelError: there is no model of facegan in the repository.
    """
    known = _recent.get(text)
    if known and time.monotonic() - known[0] < _FRESH_S and known[1].is_file():
        return known[1]
    name, hub = parse_hub_name(text), library()
    try:
        with progress_as_wanted():
            path = Path(_downloaded(text, name, hub))
    except (InputError, ModelError):
        raise
    except Exception as error:  # of huggingface_hub, its HTTP client and its transfer protocols
        if not is_unreachable(error):
            raise InputError(f"{text}: {explain(error, name.repo)}") from None
        kept = _in_cache(name, hub)
        if kept is None:
            raise InputError(
                f"{text}: {explain(error, name.repo)}, and the cache does not have it; try again later"
            ) from None
        path = kept
        note = f"{text}: {explain(error, name.repo)}; the copy in the cache is used ({kept.parent.name[:7]})"
        warnings.warn(note, FaceganWarning, stacklevel=2)
    _recent[text] = (time.monotonic(), path)
    return path


def forget_hub_models() -> None:
    """Ask the Hub again at the next use of a name."""
    _recent.clear()


def _downloaded(text: str, name: HubName, hub: Any) -> str:
    api, revision = hub.HfApi(), name.revision or None
    info = api.model_info(name.repo, revision=revision, timeout=_TIMEOUT_S)
    file = choose_file(text, name, [sibling.rfilename for sibling in info.siblings or ()])
    if not isinstance(hub.try_to_load_from_cache(name.repo, file, revision=info.sha), str):
        _check_header(text, name, api, file=file)
    path: str = hub.hf_hub_download(name.repo, file, revision=revision)
    return path


def choose_file(text: str, name: HubName, files: Sequence[str]) -> str:
    """Return which of a repository's files is the model.

    It is the one that the name says, else ``model.safetensors``, else the only one at the top.

    Raises:
        ModelError: there is none, or there are several; the message says what to write instead.
    """
    ours = [file for file in files if file.endswith(".safetensors")]
    if name.file:
        if name.file in ours:
            return name.file
        if name.file in files:
            raise ModelError(f"{text}: a model is a .safetensors file; {_import_hint(name, name.file)}")
        there = f"its models: {', '.join(ours[:6])}" if ours else "it holds no .safetensors file"
        raise ModelError(f"{text}: no such file in {name.repo}; {there}")
    top = [file for file in ours if "/" not in file]
    if MODEL_FILE in ours:
        return MODEL_FILE
    if len(top) == 1 or len(ours) == 1:
        return (top or ours)[0]
    at = f"@{name.revision}" if name.revision else ""
    if ours:
        named = ", ".join(f"{PREFIX}{name.repo}{at}/{file}" for file in (top or ours)[:4])
        raise ModelError(f"{text}: it holds {len(top or ours)} .safetensors files; choose one: {named}")
    foreign = next((file for file in files if file.lower().endswith(_FOREIGN)), "")
    if foreign:
        raise ModelError(f"{text}: no facegan model in it; {_import_hint(name, foreign)}")
    raise ModelError(f"{text}: no facegan model in it (files: {', '.join(files[:6]) or 'none'})")


def _import_hint(name: HubName, file: str) -> str:
    revision = f" --revision {shlex.quote(name.revision)}" if name.revision else ""
    # Whoever made the repository chose the name, and the line may be pasted into a shell.
    quoted = shlex.quote(file)
    return (
        f"if it is a generator of another program: hf download {name.repo} {quoted}{revision} --local-dir . "
        f"&& facegan import {quoted}"
    )


def _check_header(text: str, name: HubName, api: Any, *, file: str) -> None:
    """Raise ModelError if a file that would be downloaded is none of ours, by its first bytes."""
    try:
        header = api.parse_safetensors_file_metadata(name.repo, file, revision=name.revision or None)
    except Exception:  # a server without ranges, or a file of another kind: the whole file will tell
        return
    if not any(key.startswith("facegan") for key in header.metadata or {}):
        raise ModelError(f"{text}: {file} is no facegan model; {_import_hint(name, file)}")


def _in_cache(name: HubName, hub: Any) -> Path | None:
    """Return the file in huggingface_hub's cache that was the newest of this revision; None without one."""
    revision = name.revision or "main"
    found = hub.try_to_load_from_cache(name.repo, name.file or MODEL_FILE, revision=revision)
    if isinstance(found, str):
        return Path(found)
    if name.file:
        return None
    with contextlib.suppress(hub.CacheNotFound):
        for repo in hub.scan_cache_dir().repos:
            for kept in repo.revisions if (repo.repo_id, repo.repo_type) == (name.repo, "model") else ():
                files = [file.file_path for file in kept.files if file.file_name.endswith(".safetensors")]
                if (revision in kept.refs or kept.commit_hash == revision) and len(files) == 1:
                    return Path(files[0])
    return None


# --- what went wrong --------------------------------------------------------------------------------------


def status_of(error: BaseException) -> int:
    """Return the HTTP status that an error of huggingface_hub reports; 0 without one."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def is_unreachable(error: BaseException) -> bool:
    """Return whether there was no connection, or the Hub itself had a fault, so that it may work later."""
    if status := status_of(error):
        return status >= 500
    # huggingface_hub 0.x speaks through requests, later versions through httpx and its successors.
    client = type(error).__module__.partition(".")[0]
    of_client = client.startswith(("http", "requests", "urllib3"))
    return of_client or isinstance(error, (ConnectionError, TimeoutError))


_MEANINGS = {  # the class of an error, or its HTTP status -> what it means
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set",
    "GatedRepoError": f"access is gated: accept its terms at https://huggingface.co/{{repo}}, then {LOGIN}",
    "RevisionNotFoundError": "there is no such revision",
    "RepositoryNotFoundError": f"there is no such repository, or it is private ({LOGIN})",
    "401": f"the token is not valid; {LOGIN}",
    "UnicodeEncodeError": f"the token holds letters that tokens never have; {LOGIN}",
    "403": f"the token does not permit this ({{words}}); {LOGIN}",
    "5xx": "the Hub has a fault (it answers {status})",
    "": "the Hub answers {status} ({words})",
}


def explain(error: BaseException, repo: str) -> str:
    """Return in a few words what an error of huggingface_hub means, and the way out if there is one."""
    kind, status = type(error).__name__, status_of(error)
    if kind in _MEANINGS or status:
        number = "5xx" if status >= 500 else str(status)
        text = _MEANINGS[kind if kind in _MEANINGS else number if number in _MEANINGS else ""]
        return text.format(repo=repo, status=status, words=_server_words(error))
    broken = ("RemoteProtocolError", "ChunkedEncodingError")
    if kind in broken or "Consistency check failed" in str(error):
        return "the connection ended early, before everything was transferred"
    if is_unreachable(error):
        return f"the Hub cannot be reached ({first_line(error)})"
    return " ".join(str(error).split())[:300] or kind


def _server_words(error: BaseException) -> str:
    """Return what the server said, or the first line of the error."""
    said = getattr(error, "server_message", None)
    return first_line(ValueError(said)) if said else first_line(ValueError(str(error).strip()))
