"""Hooks that stand in for the packaged ones, and what they print."""

from __future__ import annotations

from pathlib import Path


def hook_that(folder: Path, script: str) -> None:
    """Stand in for the hook before ``init``."""
    hook = folder / ".git" / "hooks" / "post-run"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n" + script)
    hook.chmod(0o755)


def printed(folder: Path, iteration: str) -> str:
    """What the first run of an iteration printed."""
    [log] = [log for log in folder.glob(f".git/gitexp/*/logs/{iteration}-*.log") if log.name.count(".") == 1]
    return log.read_text()
