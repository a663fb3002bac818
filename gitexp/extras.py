"""Libraries that only some commands need: imported where they are used, and named when they are not there."""

from __future__ import annotations

import importlib
from typing import Any

from gitexp.errors import GitexpError


def extra(module: str, what: str, name: str) -> Any:
    """A library of gitexp's extra ``name``. ``what`` needs it: the beginning of a sentence."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise GitexpError(f"{what} needs {module}, which is not installed.", f"pip install 'gitexp[{name}]'") from None
