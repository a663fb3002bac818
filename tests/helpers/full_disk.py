"""Steps on a disk that has less and less room: run in a mount namespace of its own, with the folder of a small disk."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.helpers import faults
from tests.helpers.repositories import git

ROOMS = (0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96)  # kilobytes


def fill(disk: Path, room: int) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            file.truncate(max(0, file.tell() - 1024 * room))
    return filler


def main(disk: Path, notes: Path) -> None:
    os.environ["RUNS"] = str(notes / "runs")
    base = faults.begin(notes / "base" / "repository")
    sealed = []
    for score, verdict in (("1.5", "KEEP"), ("3.0", "DISCARD")):
        for room in ROOMS:
            folder = disk / "at" / "repository"
            shutil.rmtree(disk / "at", ignore_errors=True)
            shutil.copytree(base, folder, symlinks=True)
            tip = git("rev-parse", "HEAD", cwd=folder).strip()
            candidate = faults.edit(folder, score)
            filler = fill(disk, room)
            struck = faults.gitexp(folder, "step", "-m", "x", notes=notes)
            filler.unlink()
            assert struck.code in (0, 1), struck.output
            assert "Traceback" not in struck.output, struck.output
            assert struck.code == 0 or "o space left" in struck.output or "fail" in struck.output, struck.output
            recovered = faults.gitexp(folder, "recover", notes=notes)
            assert recovered.code == 0, recovered.output
            if "Later: gitexp render" in struck.output:
                assert faults.gitexp(folder, "render", notes=notes).code == 0
            sealed.append(faults.check(folder, tip, candidate, verdict))
    assert True in sealed and False in sealed, sealed  # noqa: PT018  else nothing was tried
    print(f"{len(sealed)} steps, {sum(sealed)} sealed, 0 lost")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
