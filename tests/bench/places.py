"""The temporary folder that the bench works in."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="gitexp-bench-")


def folder() -> Path:
    return Path(_temporary().name)


def close() -> None:
    """Remove it, if there is one."""
    if _temporary.cache_info().currsize:
        _temporary().cleanup()
        _temporary.cache_clear()
