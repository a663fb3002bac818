"""What was touched in a folder tree: every path that a run made, changed or removed, as the kernel tells it (inotify).

Where there is no inotify, or not enough of it, nobody knows, and the whole tree has to be looked at.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):  # a dependency on Linux only
    from inotify_simple import INotify, flags


class Touched:
    """The paths that are touched in one of the folders below ``top`` that it is told to cover."""

    def __init__(self, top: Path) -> None:
        """Raises ``OSError`` where nothing can be watched."""
        if sys.platform != "linux":
            raise OSError("there is no inotify here")
        self._top = top
        self._inotify = INotify()
        self._folders: dict[int, str] = {}  # by inotify's number

    def close(self) -> None:
        self._inotify.close()

    @property
    def folders(self) -> set[str]:
        """Those that are watched; one that was removed is not, once :meth:`paths` has said so."""
        return set(self._folders.values())

    def cover(self, folders: Iterable[str]) -> None:
        """Watch these folders too (the top is the empty one). Raises ``OSError`` where one cannot be watched."""
        written = flags.MODIFY | flags.ATTRIB | flags.CLOSE_WRITE | flags.MOVED_FROM | flags.MOVED_TO
        mask = written | flags.CREATE | flags.DELETE | flags.DELETE_SELF | flags.MOVE_SELF
        for folder in sorted(set(folders) - self.folders):
            number = self._inotify.add_watch(self._top / folder, mask | flags.ONLYDIR | flags.DONT_FOLLOW)
            self._folders[number] = folder

    def paths(self) -> set[str] | None:
        """What was touched since the last call; ``None`` where a watched folder itself was, or events were lost."""
        found: set[str] | None = set()
        watched = set(self._folders.values())
        for event in self._inotify.read(timeout=0):
            folder = self._folders.get(event.wd)
            if folder is None or event.mask & (flags.DELETE_SELF | flags.MOVE_SELF | flags.Q_OVERFLOW):
                found = None
            elif event.name:
                path = f"{folder}/{event.name}" if folder else event.name
                found = None if found is None or path in watched else found | {path}
            elif event.mask & flags.ATTRIB:  # of a watched folder
                found = None
            if event.mask & flags.IGNORED:
                self._folders.pop(event.wd, None)
        return found


def folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder on the way to one of ``paths``; the top is the empty one."""
    folders = {""}
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return folders
