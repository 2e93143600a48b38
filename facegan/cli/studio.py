"""``facegan studio``: everything in one page of the browser."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.options import notify


def main(
    folder: Annotated[str, tyro.conf.Positional] = ".",
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    allow_remote: bool = False,
    browser: bool = True,
    jobs: int = 2,
) -> None:
    """Open a page in which all of facegan can be used: photos, training, exploring, editing, measuring.

    Ctrl-C closes it; jobs that run go on, and show up again when it is opened again. On a machine elsewhere,
    forward the port (ssh -L 8765:localhost:8765 MACHINE) and open the printed address here.

    Args:
        folder: the project: a folder with datasets, runs, models and results. It is made if there is none.
        port: where to listen (0: the first free port from 8765 on).
        host: the address to listen at; others than this machine's own need --allow-remote.
        allow_remote: let other machines connect. The connection is not encrypted: whoever can read the
            network can read the token in the address, and with it use this studio, its photos and its files.
        browser: open the page in a browser, where there is a screen.
        jobs: how many jobs run at the same time; others wait.
    """
    from facegan.studio.serve import run_studio

    def tell(address: str) -> None:
        notify(f"the studio is open: {address}")
        notify("Ctrl-C closes it; jobs go on")
        if allow_remote:
            notify("other machines can connect; nothing is encrypted, so use it only in a network you trust")

    run_studio(
        folder,
        port=port,
        host=host,
        allow_remote=allow_remote,
        browser=browser,
        jobs=jobs,
        on_ready=tell,
    )
