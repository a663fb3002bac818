"""git's lock of the index, held while the work tree, the index and a branch change together.

A person's git, which switches branches, stashes or commits, takes it first: so it meets all of the change or none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gitexp.errors import GitexpError
from gitexp.files import open_file, part_file, read_file, write_file
from gitexp.git.objects import Entry, stage
from gitexp.git.repository import Repository
from gitexp.shell import command
from gitexp.text import visible

PATIENCE = 10.0  # seconds that another git is given to finish
INDEX_LIMIT = 1 << 30  # bytes of an index


@contextmanager
def index_locked(repo: Repository) -> Iterator[None]:
    """Keep every other git from the index inside the block. Raises GitexpError where one keeps it for long."""
    lock = repo.git_dir / "index.lock"
    until = time.monotonic() + PATIENCE
    while True:
        try:
            open_file(lock, "xb").close()
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise GitexpError(
                    f"{visible(str(lock))} is in the way: another git is at work here, or died.",
                    f"{command('rm', lock)}   # when no git runs here",
                ) from None
        time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def stage_locked(repo: Repository, changes: Mapping[str, Entry | None]) -> None:
    """As :func:`gitexp.git.objects.stage`, where the caller holds the lock of the index."""
    index = repo.git_dir / "index"
    copy = part_file(index)
    try:
        if index.exists():
            write_file(copy, read_file(index, INDEX_LIMIT))
        stage(repo, changes, copy)
        os.replace(copy, index)
    finally:
        copy.unlink(missing_ok=True)
        copy.with_name(f"{copy.name}.lock").unlink(missing_ok=True)  # of a git that was killed
