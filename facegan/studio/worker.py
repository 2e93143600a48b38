"""``python -m facegan.studio.worker JOB_FOLDER``: does the work of one job, in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from facegan.bars import set_progress
from facegan.errors import FaceganError, FaceganWarning, first_line
from facegan.interrupts import Interrupted
from facegan.marks import command_line
from facegan.runs.record import read_json
from facegan.studio.actions import get_action
from facegan.studio.call import Call
from facegan.studio.project import Project
from facegan.studio.refusals import is_full
from facegan.studio.report import JobReport
from facegan.studio.wording import names_of, plain_words
from facegan.tensor_files import canonical_json

DISK_FULL = "the disk is full; make room, then do it again"


def main(folder: Path) -> int:
    """Run the job in ``folder`` to its last event; return 0 if it is done."""
    (folder / "lock").write_text(str(os.getpid()))
    about = read_json(folder / "job.json")
    project = Project(folder.parents[2])
    report = JobReport(folder, project, folder.name)
    _notes_become_messages(report)
    set_progress(False)
    call = Call.from_dict(about["call"])
    try:
        action = get_action(about["action"])
        restored = {"action": about["action"], "settings": about.get("settings", {})}
        with command_line(call.argv(folder.name), canonical_json(restored)):
            result = dict(action.run(call, report))
        if not action.quick and not result.get("draft"):
            report.save_result(_summary(about, call, result=result, job=folder.name))
        report.event("done", result={**result, "id": folder.name, "files": report.files})
        return 0
    except (KeyboardInterrupt, Interrupted):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if report.files:
            report.save_result(_summary(about, call, result={"stopped": True}, job=folder.name))
        report.event("stopped")
        return 130
    except FaceganError as error:
        report.event("failed", error=plain_words(error, names_of(call, project)))
        return 2
    except MemoryError:
        report.event("failed", error="there is not enough memory for this; choose a smaller batch or size")
        return 1
    except OSError as error:
        traceback.print_exc()
        place = f": {project.relative(str(error.filename))}" if error.filename else ""
        report.event("failed", error=DISK_FULL if is_full(error) else f"{error.strerror or error}{place}")
        return 1
    except Exception as error:
        traceback.print_exc()  # to the job's log.txt
        bug, log = f"{type(error).__name__}: {first_line(error)}", project.relative(folder / "log.txt")
        report.event("failed", error=f"facegan made a mistake ({bug}); {log} says more")
        return 1


def _summary(about: dict[str, Any], call: Call, *, result: dict[str, Any], job: str) -> dict[str, Any]:
    kept: dict[str, Any] = {name: about[name] for name in ("action", "title", "settings") if name in about}
    words = {"command": call.command(job), "python": call.python(job)}
    return {**kept, **words, "result": result}


def _notes_become_messages(report: JobReport) -> None:
    """Tell the package's own warnings as messages; others go to the log."""
    show = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, FaceganWarning):
            report.message(f"note: {message}")
        else:
            show(message, category, *rest)

    warnings.showwarning = tell  # type: ignore[assignment]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
