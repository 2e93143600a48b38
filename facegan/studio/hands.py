"""A process for short work that touches torch, or data from outside; it may die, and is started again.

The server itself decodes nothing and loads no model. Both sides exchange messages of JSON and bytes: four
lengths of four bytes are enough, and nothing is unpickled.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

from facegan.errors import FaceganError
from facegan.studio.refusals import DISK_FULL, Refused, is_full

TASKS: dict[str, str] = {
    "card": "facegan.studio.tasks.cards",
    "check_archive": "facegan.studio.tasks.photos",
    "classifier_classes": "facegan.studio.tasks.classifiers",
    "classifier_look": "facegan.studio.tasks.classifiers",
    "components": "facegan.studio.tasks.explore",
    "cut_photo": "facegan.studio.tasks.photos",
    "dataset_picture": "facegan.studio.tasks.datasets",
    "dataset_rows": "facegan.studio.tasks.datasets",
    "decode": "facegan.studio.tasks.pictures",
    "edit_crop": "facegan.studio.tasks.edits",
    "edit_directions": "facegan.studio.tasks.edits",
    "edit_faces": "facegan.studio.tasks.edit_faces",
    "edit_image": "facegan.studio.tasks.edits",
    "edit_place": "facegan.studio.tasks.edits",
    "edit_words": "facegan.studio.tasks.edits",
    "engine": "facegan.studio.tasks.explore",
    "faces": "facegan.studio.tasks.explore",
    "faces_in_photo": "facegan.studio.tasks.photos",
    "facts": "facegan.studio.tasks.models",
    "keep": "facegan.studio.tasks.explore",
    "machine": "facegan.studio.tasks.models",
    "mark": "facegan.studio.tasks.pictures",
    "photo_place": "facegan.studio.tasks.datasets",
    "prepare": "facegan.studio.tasks.explore",
    "saved": "facegan.studio.tasks.explore",
    "seed_picture": "facegan.studio.tasks.models",
    "translator_facts": "facegan.studio.tasks.translators",
    "translator_graph": "facegan.studio.tasks.translators",
    "translator_input": "facegan.studio.tasks.translators",
    "translator_picture": "facegan.studio.tasks.translators",
    "vectors": "facegan.studio.tasks.explore",
    "view_photo": "facegan.studio.tasks.photos",
    "words": "facegan.studio.tasks.explore",
}
"""Task -> module with a function of that name, ``(arguments, content) -> (result, content)``."""
MAX_WAITING = 128
_HEAD = struct.Struct("<II")


class Hands:
    """The server's side: calls tasks in the process, one at a time.

    Args:
        name: which process it is, for lists of processes.
        memory: bytes that it may take; 0 for any number.
    """

    def __init__(self, name: str, memory: int = 0) -> None:
        self.name, self.memory = name, memory
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for it."""
        return self._waiting == 0

    async def call(
        self, task: str, arguments: Mapping[str, Any], content: bytes = b"", *, seconds: float = 60
    ) -> tuple[dict[str, Any], bytes]:
        """Return a task's result: JSON and bytes.

        Raises:
            FaceganError: The task's own, in one sentence.
            Refused: Too many wait (503), or the process died or took too long (400).
        """
        if self._waiting >= MAX_WAITING:
            raise Refused(503, "the studio is busy; try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                work = asyncio.ensure_future(self._called(task, arguments, content, seconds=seconds))
                try:
                    return await asyncio.shield(work)
                except asyncio.CancelledError:  # the browser has gone; what was begun ends first
                    work.add_done_callback(lambda done: done.cancelled() or done.exception())
                    await asyncio.wait([work])
                    raise
        finally:
            self._waiting -= 1

    async def _called(
        self, task: str, arguments: Mapping[str, Any], content: bytes, *, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        whole = False
        try:
            head = json.dumps({"task": task, "arguments": arguments}).encode()
            result, back = await asyncio.wait_for(self._exchange(head, content), seconds)
            whole = True
        except (asyncio.TimeoutError, TimeoutError):
            raise Refused(
                400, f"this took longer than {seconds:g} seconds and was stopped; try again"
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Refused(
                400, "this work broke off: a file is damaged, or the memory is full; try again"
            ) from None
        finally:
            if not whole:  # what comes back later would be taken for another's
                await self.close()
        if "error" in result:
            raise FaceganError(result["error"])
        return result, back

    async def _exchange(self, head: bytes, content: bytes) -> tuple[dict[str, Any], bytes]:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(_HEAD.pack(len(head), len(content)) + head)
        process.stdin.write(content)
        await process.stdin.drain()
        sizes = _HEAD.unpack(await process.stdout.readexactly(_HEAD.size))
        result = json.loads(await process.stdout.readexactly(sizes[0]))
        return result, await process.stdout.readexactly(sizes[1])

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "facegan.studio.hands", self.name, str(self.memory)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        return self._process

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


# --- the process's side ------------------------------------------------------------------------------


def serve(memory: int) -> None:
    """Do tasks until the server's side is closed."""
    inward = os.fdopen(os.dup(0), "rb")
    outward = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory:
        _limit_memory(memory)
    while head := inward.read(_HEAD.size):
        sizes = _HEAD.unpack(head)
        question = json.loads(inward.read(sizes[0]))
        result, content = _done(question["task"], question["arguments"], inward.read(sizes[1]))
        _write(outward, result, content)


def _done(task: str, arguments: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        done: tuple[dict[str, Any], bytes] = getattr(importlib.import_module(TASKS[task]), task)(
            arguments, content
        )
        return done
    except FaceganError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": "this takes more memory than the studio allows it"}, b""
    except OSError as error:
        if is_full(error):
            return {"error": DISK_FULL}, b""
        raise


def _write(outward: BinaryIO, result: dict[str, Any], content: bytes) -> None:
    text = json.dumps(result).encode()
    outward.write(_HEAD.pack(len(text), len(content)) + text)
    outward.write(content)
    outward.flush()


def _limit_memory(count: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (count, count))


if __name__ == "__main__":
    serve(int(sys.argv[2]))
