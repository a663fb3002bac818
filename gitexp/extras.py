"""Libraries that only some commands need: imported where they are used, and named when they are not installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gitexp.errors import GitexpError


@contextmanager
def needs_extra(user: str, name: str) -> Iterator[None]:
    """Around the import of a library of gitexp's extra ``name``; ``user``, the beginning of a sentence, needs it.

    Raises GitexpError, with the command that installs the extra, where the library is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise _missing(user, error.name or "a library", name) from None


def extra(module: str, what: str, name: str) -> Any:
    """Import and return a library of gitexp's extra ``name``; ``what``, the beginning of a sentence, needs it.

    Raises as :func:`needs_extra`.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise _missing(what, module, name) from None


def _missing(user: str, library: str, name: str) -> GitexpError:
    return GitexpError(f"{user} needs {library}, which is not installed.", f"pip install 'gitexp[{name}]'")
