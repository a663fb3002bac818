"""Libraries that only some commands need: imported where they are used, and named when they are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gitexp.errors import GitexpError


@contextmanager
def needs_extra(user: str, name: str) -> Iterator[None]:
    """Around the import of a library of gitexp's extra ``name``; ``user``, the beginning of a sentence, needs it.

    Raises :class:`GitexpError`, with the command that installs the extra, where the library is not installed.
    """
    try:
        yield
    except ImportError as error:
        library = error.name or "a library"
        raise GitexpError(f"{user} needs {library}, which is not installed.", f"pip install 'gitexp[{name}]'") from None
