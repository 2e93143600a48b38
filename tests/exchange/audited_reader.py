"""A process that reads every file of a folder as import does, and is watched: argv is the folder.

Prints a line of JSON for each file: its name, what came of it, the events that reading must not cause, its
seconds, and the most memory so far in KiB.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from facegan.errors import FaceganError
from facegan.exchange.base import ImportOptions
from facegan.exchange.importing import read_model

# All that reading a file may do, beside opening that file.
HARMLESS = {"object.__getattr__", "object.__setattr__", "builtins.id", "sys._getframe", "gc.get_objects",
            "sys._current_frames", "cpython._PySys_ClearAuditHooks", "code.__new__"}  # fmt: skip
SECONDS = 20


def main(folder: Path) -> None:
    files = sorted(folder.iterdir(), key=lambda path: (not path.name.startswith("good"), path.name))
    current, events, watching = "", [], False

    def hook(event: str, args: tuple[object, ...]) -> None:
        if not watching or event in HARMLESS:
            return
        if event == "open":
            path, _, flags = args
            reading = not int(flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            if str(path) == current and reading:
                return
        events.append(f"{event} {args!r}"[:200])

    sys.addaudithook(hook)

    def too_long(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGVTALRM, too_long)
    # Codecs of texts, of names in archives, and of old pickles: all that is loaded on the way.
    for codec in ("cp1252", "cp437", "raw_unicode_escape"):
        b"a".decode(codec)
    for path in files:
        current = str(path)
        # Good files come first: they load what is needed, and are watched when they come again, at the end.
        watching = not path.name.startswith("good")
        print(json.dumps(outcome(path, events)))
        events.clear()
    for path in files:
        current = str(path)
        if path.name.startswith("good"):
            watching = True
            print(json.dumps(outcome(path, events)))
            events.clear()


def outcome(path: Path, events: list[str]) -> dict[str, object]:
    began = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)  # of its own work: the machine may be busy
    try:
        read_model(path, "", ImportOptions())
        told = "model"
    except FaceganError as error:
        told = f"error: {error}"
    except BaseException as error:
        told = f"{type(error).__name__}: {error}"
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return {
        "name": path.name, "told": told, "events": list(events), "seconds": time.process_time() - began,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
