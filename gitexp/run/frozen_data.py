"""Frozen data that git does not hold: ignored files, and what a tracked link (git-annex) points at.

Such a file is sealed by its SHA-256 and size, and never committed. Before each run its inode, size and times are looked
at; only where these moved it is hashed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import open_file, stat_signature
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract, FrozenData
from gitexp.paths import inside
from gitexp.text import visible

NOTE = "frozen-data"  # by path: the digest, and the signature of the file that had it
CHUNK = 1 << 20  # bytes


def freeze_data(top: Path, paths: Iterable[str]) -> tuple[FrozenData, ...]:
    """The files at ``paths`` as they are now. Raises :class:`OSError`."""
    return tuple(_read(top, path) for path in paths)


def changed_data(top: Path, place: ExperimentFiles, contract: Contract) -> str:
    """The path of the first file of frozen data that differs from the contract's; empty when none does."""
    known = place.read_note(NOTE, dict) or {}
    found = dict(known)
    for data in contract.data:
        signature = list(stat_signature(inside(top, data.path)) or ())
        if signature and known.get(data.path) == [data.sha256, signature]:
            continue
        try:
            if _read(top, data.path) != data:
                return data.path
        except OSError:
            return data.path
        found[data.path] = [data.sha256, signature]
    if found != known:
        place.write_note(NOTE, found)
    return ""


def check_data(top: Path, place: ExperimentFiles, contract: Contract) -> None:
    """Raise where a file of frozen data differs from the contract's, or is not there."""
    if path := changed_data(top, place, contract):
        raise GitexpError(
            f"{visible(path)} is frozen in this experiment, and it is not what the baseline was measured with.",
            "gitexp init --name NAME   # starts a new experiment with the data as they are; or put the file back",
        )


def _read(top: Path, path: str) -> FrozenData:
    digest, size = hashlib.sha256(), 0
    with open_file(inside(top, path), follow=True) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FrozenData(path, digest.hexdigest(), size)
