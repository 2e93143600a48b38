"""``facegan train``: dataset to run folder. Its flags are in ``train_flags.py``."""

from __future__ import annotations

from facegan.bars import silence
from facegan.cli import train_modes
from facegan.cli.options import notify
from facegan.cli.train_flags import help_text
from facegan.cli.train_session import Session
from facegan.errors import ConfigError, DatasetError, FaceganError, RunError
from facegan.families import get_family


def plan(session: Session) -> bool:
    """Choose settings with --auto, and print what --dry-run shows; return whether to train."""
    if session.why and not session.flags.auto:
        other = "--recipe NAME takes another: 'facegan recipes'; --auto chooses the other settings, too"
        session.say(f"recipe {session.config.recipe}: {session.why} ({other})")
    if session.flags.auto:
        session.config = train_modes.automatic(session)
    if session.flags.dry_run and session.flags.sweep:
        train_modes.dry_sweep(session)
    elif session.flags.dry_run and session.first and not session.flags.auto:
        from facegan.planning.dry_run import dry_run
        from facegan.planning.dry_run_text import page

        session.say(f"{session.config.recipe} on {session.data.path}: a few real updates ...")
        print(page(dry_run(session.data, session.config, session.flags.device, to=session.to)))
    return not session.flags.dry_run


def train_session(session: Session) -> int:
    """Train one run or several; return the exit code."""
    from facegan.runs.checkpoints import list_checkpoints

    if not (session.flags.repeats > 1 or session.flags.sweep):
        session.once(session.config, session.out)
        then = get_family(session.config.family).next_command.format(session.out)
        session.say(f"done: {session.out / 'report.html'}; next: facegan {then}")
        return 0
    if session.resume:  # those that had not begun yet do begin
        if not any(list_checkpoints(path) for path in session.out.glob("*/checkpoints")):
            raise RunError(f"{session.out}: --resume, but there is no checkpoint in a run below it")
        session.resume = False
    return train_modes.repeat(session) if session.flags.repeats > 1 else train_modes.run_sweep(session)


@silence()  # it has a line of its own
def run(argv: list[str]) -> int:
    """Run the command and return its exit code."""
    from facegan.interrupts import Interrupted

    if {"-h", "--help", "--help-all"} & set(argv):
        print(help_text(argv, everything="--help-all" in argv))
        return 0
    session = Session(*train_modes.with_recipe(argv))
    if not plan(session):
        return 0
    try:
        return train_session(session)
    except FaceganError as error:
        if session.first or not (error.reported or isinstance(error, (ConfigError, DatasetError))):
            raise
        return 2  # the first process says it for all
    except Interrupted as stop:
        if session.first:
            notify(f"\nfacegan train: saved; the same command goes on from here ({session.out})")
        return 128 + stop.signum
