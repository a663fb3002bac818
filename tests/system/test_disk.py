"""A disk that is really full, and one that is really read-only: in a mount namespace of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import faults
from tests.helpers.project import ROOT

NAMESPACE = ["unshare", "--map-root-user", "--mount"]


def can_mount() -> bool:
    try:
        tried = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
        return tried.returncode == 0
    except FileNotFoundError:
        return False


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_mount(), reason="no mount namespaces here")]


def test_steps_on_a_disk_with_less_and_less_room(tmp_path: Path) -> None:
    disk, notes = tmp_path / "disk", tmp_path / "notes"
    disk.mkdir()
    notes.mkdir()
    program = f"{sys.executable} -m tests.helpers.full_disk {disk} {notes}"
    script = f"mount -t tmpfs -o size=2m none {disk} && exec {program}"
    done = subprocess.run([*NAMESPACE, "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost" in done.stdout


def test_a_git_directory_that_is_read_only(tmp_path: Path, runs: Path) -> None:
    folder = faults.begin(tmp_path / "repository" / "r")
    candidate = faults.edit(folder, "1.5")
    git_dir = folder / ".git"
    step = f"cd {folder} && {sys.executable} -m gitexp step -m x"
    script = f"mount --bind {git_dir} {git_dir} && mount -o remount,ro,bind {git_dir} && {step}"
    done = subprocess.run([*NAMESPACE, "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    assert faults.tree_of_work(folder) == candidate
    assert runs.read_text() == "2.0\n"  # nothing was run but the baseline
