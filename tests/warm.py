"""Processes for tests that do not pay for ``import torch`` each: one that has imported it forks them.

    done = warm.run(["-m", "facegan.cli.main", "show", model], capture_output=True, text=True)

``run`` and ``Popen`` stand for those of ``subprocess``, for what follows ``python`` on the command line.
Children are real processes, which die by signals. What a process does before it has imported torch needs a
fresh one.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@cache
def _server() -> subprocess.Popen[str]:
    """Start the process that forks, when first needed."""
    server = subprocess.Popen(
        [sys.executable, __file__], stdin=-1, stdout=-1, text=True, env={**os.environ, **ONE_THREAD}
    )
    atexit.register(server.communicate)
    return server


def _ask(question: dict[str, Any] | int) -> Any:
    """Return the number of a new child, or what the child of that number has ended with, None if it runs."""
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    print(json.dumps(question), file=server.stdin, flush=True)
    return json.loads(server.stdout.readline())


class Popen:
    """A child; its output goes to this process's, or to a file whose content ``communicate`` returns."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        text: bool = True,
    ) -> None:
        self.returncode: int | None = None
        self._files = [
            None if where is None else tempfile.NamedTemporaryFile("r")  # noqa: SIM115
            for where in (stdout, stderr)
        ]
        names = [file and file.name for file in self._files]
        environment = dict(os.environ if env is None else env)
        start = {"argv": list(map(str, argv)), "environment": environment, "outputs": names}
        self.pid: int = _ask(start | {"cwd": str(cwd or os.getcwd())})

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _ask(self.pid)
        return self.returncode

    def wait(self, timeout: float = 600) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise subprocess.TimeoutExpired("a warm process", timeout)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float = 600) -> tuple[str | None, str | None]:
        self.wait(timeout)
        out, err = (None if file is None else _content(file) for file in self._files)
        return out, err

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _content(file: IO[str]) -> str:
    with file:
        return file.read()


def run(
    argv: Sequence[str],
    *,
    timeout: float = 600,
    capture_output: bool = False,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[str | None]:
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = Popen(argv, **options)
    done = subprocess.CompletedProcess(argv, 0, *process.communicate(timeout))
    done.returncode = process.wait()
    if check:
        done.check_returncode()
    return done


# --- the process that forks ---------------------------------------------------------------------------


def _become(argv: list[str], *, environment: dict[str, str], cwd: str, outputs: list[str | None]) -> NoReturn:
    """Do in this child what ``python ARGV`` does, and end."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # the server's own speaks with the tests
    for number, name in enumerate(outputs, 1):
        if name is not None:
            os.dup2(os.open(name, os.O_WRONLY | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    how, *rest = argv
    sys.path[0] = str(Path(how).resolve().parent) if not how.startswith("-") else ""
    sys.argv = ["-c" if how == "-c" else rest[0] if how == "-m" else how, *rest[how in ("-c", "-m") :]]
    code = 1
    try:
        if how == "-c":
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        elif how == "-m":
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(how, run_name="__main__")
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _serve(lines: IO[str], answer: Callable[[Any], None]) -> None:
    for line in lines:
        question = json.loads(line)
        if isinstance(question, int):
            answer(_poll(question))
            continue
        pid = os.fork()
        if pid == 0:
            _become(**question)
        answer(pid)


if __name__ == "__main__":
    for module in ("cli.train", "metrics.random_features", "metrics.validation", "models", "runs.report"):
        importlib.import_module(f"facegan.{module}")
    # Children compare with each other, and fewer draws do as well for that.
    snapshot = importlib.import_module("facegan.training.snapshot")
    snapshot.BN_BATCHES, snapshot.BN_BATCH = 2, 16
    importlib.import_module("facegan.training.train")
    _serve(sys.stdin, lambda value: print(json.dumps(value), flush=True))
