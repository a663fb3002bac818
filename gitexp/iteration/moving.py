"""A note that this process moves git's refs or index: if it dies meanwhile, the locks that it left are gitexp's own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.run.leader import Process, to_process

NOTE = "moving"


@contextmanager
def moving(place: ExperimentFiles) -> Iterator[None]:
    """The note stands while the body runs; :mod:`gitexp.iteration.stale_locks` goes by it."""
    place.write_note(NOTE, asdict(Process(os.getpid(), time.time())))
    try:
        yield
    finally:
        forget_mover(place)


def mover(place: ExperimentFiles) -> Process | None:
    """The process that is moving refs or index, or died while it did."""
    return place.read_note(NOTE, to_process)


def forget_mover(place: ExperimentFiles) -> None:
    place.forget_note(NOTE)
