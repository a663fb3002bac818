"""Files that gitexp opens: its locks, and who holds them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from gitexp.files import holder_of


@pytest.mark.parametrize("lives", [True, False])
def test_the_holder_of_a_lock_is_a_living_process(tmp_path: Path, lives: bool) -> None:
    """What a killed gitexp forked off a moment before may hold its lock a little longer."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    text = f"gitexp step (process {os.getpid() if lives else dead.pid}, since 12:34:56)"
    lock = tmp_path / "lock"
    lock.write_text(text)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder_of(lock) == (text if lives else "")
