"""The command line in this process: its type, and what a refusal must look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from tests.helpers.repositories import state_of

Gitexp = Callable[..., Result]


def refused(gitexp: Gitexp, folder: Path, *args: str) -> str:
    """Run ``args``, expect a refusal that changes nothing; what it says."""
    before = state_of(folder)
    result = gitexp(*args, code=1)
    assert state_of(folder) == before
    assert result.stdout == ""
    assert result.stderr.count("\n  try: ") == 1, result.stderr
    return result.stderr


def check_refusal(result: Result, sentence: str, hint: str) -> None:
    assert result.stdout == ""
    assert result.stderr == f"gitexp: {sentence}\n  try: {hint}\n"
