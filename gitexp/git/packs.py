"""Whether the packs are the files they were: a process that has one open finds in it what is not there any more."""

from __future__ import annotations

import time
from pathlib import Path

from gitexp.files import stat_signature

SETTLED = 0.1  # seconds after which a change of the folder shows in its time, whatever the file system's clock


class Packs:
    def __init__(self, common_dir: Path) -> None:
        self._folder = str(common_dir / "objects" / "pack")
        self._seen: tuple[int, ...] | None = None
        self._generation = 0

    def generation(self) -> int:
        """Another number whenever they changed, or may have, since it was last asked for."""
        now = stat_signature(self._folder)
        if now != self._seen:
            recent = now is not None and time.time_ns() - now[2] < SETTLED * 1e9
            self._seen = None if recent else now
            self._generation += 1
        return self._generation
