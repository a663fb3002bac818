"""Files that gitexp opens: its locks, and who holds them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from gitexp.files import holder_of, part_file, remove_part_files


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


def test_the_part_files_of_the_dead_are_removed(tmp_path: Path) -> None:
    """Those of a process that is writing are not: pick and render write beside a step."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    living = tmp_path / f".gitexp.{os.getppid()}.0.part"
    others = [tmp_path / f".gitexp.{dead.pid}.0.part", part_file(tmp_path / "mine")]
    for file in (living, *others):
        file.touch()
    remove_part_files([tmp_path])
    assert list(tmp_path.iterdir()) == [living]
