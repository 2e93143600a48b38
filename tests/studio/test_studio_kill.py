"""Jobs outlive the page and the server; stopping saves; what was killed is told of and done again."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from studio_server import Server, running

from facegan.studio.jobs import BEHIND, GONE

LONG = {"model": "celeba64", "points": "seed:0-4999"}
WHOLE = {"model": "celeba64", "points": "seed:0-999"}  # what is waited for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project"


def pid_of(server: Server, job: str) -> int:
    """Return the number of a job's process once it works."""
    lock = server.folder / ".studio" / "jobs" / job / "lock"
    for _ in range(600):
        if lock.is_file() and (text := lock.read_text()):
            return int(text)
        time.sleep(0.1)
    raise AssertionError("the job has no process")


def killed(server: Server) -> None:
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


def test_a_job_goes_on_without_its_server(folder: Path) -> None:
    """The server dies by kill -9; the next one shows the job's events from the first, and its result."""
    with running(folder, "--jobs", "1") as server:
        job = server.start("generate", **WHOLE)
        waiting = server.start("generate", model="celeba64", points="seed:1")
        pid = pid_of(server, job)
        token = server.token
        killed(server)
    os.kill(pid, 0)  # it lives
    with running(folder) as server:
        assert server.token == token
        assert {server.wait(one)["state"] for one in (job, waiting)} == {"done"}
        events = server.events(job)
        assert [event["n"] for event in events] == list(range(1, len(events) + 1))
        assert server.listed("results", job)["files"][0]["bytes"] > 10_000


def test_a_job_that_is_killed_has_failed_and_can_be_done_again(folder: Path) -> None:
    with running(folder) as server:
        job = server.start("generate", **WHOLE)
        os.kill(pid_of(server, job), signal.SIGKILL)
        found = server.wait(job)
        assert (found["state"], found["error"]) == ("failed", GONE)
        assert server.events(job)[-1]["kind"] == "failed"
        again = server.ask("POST", f"/api/jobs/{job}/again").json()["id"]
        killed_while_down = server.start("generate", **LONG)
        pid = pid_of(server, killed_while_down)
        killed(server)
    os.kill(pid, signal.SIGKILL)
    with running(folder) as server:
        assert server.wait(killed_while_down)["error"] == GONE
        assert server.wait(again)["state"] == "done"


def test_jobs_of_dead_and_living_processes_with_the_same_number(folder: Path) -> None:
    """What tells is the lock, not the number of the process, which another one may have by now."""
    with running(folder) as server:
        job = server.start("generate", **LONG)
        os.kill(pid_of(server, job), signal.SIGKILL)
        server.wait(job)
        place = server.folder / ".studio" / "jobs" / job
        killed(server)
    (place / "events.jsonl").unlink()
    about = json.loads((place / "job.json").read_text())
    (place / "job.json").write_text(json.dumps({**about, "state": "running", "pid": os.getpid()}))
    (place / "lock").write_text(str(os.getpid()))
    with running(folder) as server:
        assert server.wait(job)["error"] == GONE
        assert server.ask("POST", f"/api/jobs/{job}/stop").status == 409  # and this test goes on


def test_what_waits_is_taken_out_and_what_runs_is_stopped(folder: Path) -> None:
    with running(folder, "--jobs", "1") as server:
        first = server.start("generate", **LONG)
        second = server.start("generate", **LONG)
        pid = pid_of(server, first)
        waiting = server.listed("jobs", second)
        assert (waiting["state"], waiting["waits"]) == ("queued", BEHIND)
        assert server.ask("DELETE", f"/api/jobs/{first}").status == 409
        assert server.ask("POST", f"/api/jobs/{first}/again").status == 409
        assert server.ask("POST", f"/api/jobs/{second}/stop").json()["state"] == "stopped"
        time.sleep(2)  # past the start of Python, which a signal ends without a word
        stopping = server.ask("POST", f"/api/jobs/{first}/stop")
        assert (stopping.status, stopping.json()["stops"]) == (200, 1)
        assert server.wait(first)["state"] == "stopped"
        with pytest.raises(ProcessLookupError):  # a moment later, it is gone
            for _ in range(300):
                os.kill(pid, 0)
                time.sleep(0.1)


def test_ctrl_c_closes_at_once_while_a_page_follows_a_job(folder: Path) -> None:
    """Without a word but its own, and the job goes on."""
    with running(folder) as server:
        job = server.start("generate", **WHOLE)
        head = f"GET /api/jobs/{job}/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as page:
            page.sendall(f"{head}Authorization: Bearer {server.token}\r\n\r\n".encode())
            assert b"200" in page.recv(100)
            page.sendall(b"no HTTP")
            server.process.send_signal(signal.SIGINT)
            _, told = server.process.communicate(timeout=60)
        assert server.process.returncode == 130
        first = "Ctrl-C closes it; jobs go on\n"  # which reading the address may have taken along
        assert told.removeprefix(first) == "\nfacegan studio: interrupted\n"
    with running(folder) as server:
        assert server.wait(job)["state"] == "done"


def test_a_project_is_open_in_one_studio_alone(folder: Path) -> None:
    with (
        running(folder) as server,
        pytest.raises(AssertionError, match=rf"open already, at port {server.port}"),
        running(folder),
    ):
        pass


def test_a_process_that_dies_is_started_again(server: Server) -> None:
    psutil = pytest.importorskip("psutil")
    image = "/api/models/celeba64/image"
    before = server.ask("POST", image, {"seed": 5}).content
    hands = [
        process
        for process in psutil.Process(server.process.pid).children()
        if "facegan.studio.hands" in process.cmdline()
    ]
    assert hands
    for process in hands:
        process.kill()
        process.wait()
    answers = [server.ask("POST", image, {"seed": 5}) for _ in range(2)]
    assert answers[-1].content == before
