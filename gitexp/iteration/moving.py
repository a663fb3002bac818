"""A note that this process moves git's refs or index: if it or its git dies, the locks left are gitexp's own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from gitexp.git.driver import GitCommandError
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.run.leader import Process, to_process

NOTE = "moving"


@contextmanager
def moving(place: ExperimentFiles) -> Iterator[None]:
    """The note stands while the body runs; :mod:`gitexp.iteration.stale_locks` goes by it.

    It also stays after git failed in the body: git may have been killed, and then its locks are there still.
    """
    is_first = mover(place) is None  # else an earlier failure's locks are to be cleared too
    if is_first:
        place.write_note(NOTE, asdict(Process(os.getpid(), time.time())))
    has_failed = False
    try:
        yield
    except GitCommandError:
        has_failed = True
        raise
    finally:
        if is_first and not has_failed:
            forget_mover(place)


def mover(place: ExperimentFiles) -> Process | None:
    """The process that is moving refs or index, or died while it did."""
    return place.read_note(NOTE, to_process)


def forget_mover(place: ExperimentFiles) -> None:
    place.forget_note(NOTE)
