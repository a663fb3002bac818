"""A ledger kept on disk: its columns, a file each, and a page that says which history they are of.

It is only ever a copy of what git holds: the page names the commit that was read last, and the length and checksum of
each column. Where one of these does not agree, or the branch does not go on from that commit, all is read again.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gitexp.errors import GitexpError
from gitexp.files import open_file, read_file, remove_folder, write_file
from gitexp.git.repository import Repository
from gitexp.ledger.columns import NAMES, Buffer, Columns
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.lazy import LazyIterations, stored
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import Noise, PooledNoise
from gitexp.model import Notes, Remark

FORMAT = 4  # raised when what is kept, or what is made of a commit, changes
COMMITS = "commits"
OFTEN = 16  # new iterations after which a ledger is kept again: to read them from git takes two milliseconds


def load(repo: Repository, place: ExperimentFiles) -> Ledger | None:
    """The ledger as it was kept; ``None`` when there is none, or its files do not agree: then they are removed."""
    folder = place.directory / "cache"
    if not folder.exists():
        return None
    try:
        page = _page(folder)
        ledger = _ledger(repo, place, page, {name: _column(folder, name, page) for name in page["columns"]})
        return ledger if len(ledger.iterations) == page["count"] and ledger.contract else None
    except (GitexpError, OSError, ValueError, TypeError, LookupError, AttributeError):
        forget(place)
        return None


def agrees(kept: Ledger, read: Ledger) -> bool:
    """Whether a ``kept`` ledger is what was ``read`` from git. True for one of another history: that is not used."""
    old, new = stored(kept.iterations), stored(read.iterations)
    if new.commits[: len(old.commits)] != old.commits:
        return True
    columns = ((kept.columns.column(name), read.columns.column(name)) for name in NAMES)
    same = all(bytes(new[: len(old)]) == bytes(old) for old, new in columns)  # as bytes: NaN is not equal to itself
    return same and (kept.tip != read.tip or _page_of(kept) == _page_of(read))


def forget(place: ExperimentFiles) -> None:
    """Remove what is kept: the next command reads all of the history."""
    with suppress(OSError):
        remove_folder(place.directory / "cache")


def _page(folder: Path) -> dict[str, Any]:
    """The page. Raises :class:`ValueError` when its checksum or its format is another."""
    checksum, _, text = read_file(folder / "page.json").partition(b"\n")
    if int(checksum) != zlib.crc32(text):
        raise ValueError("checksum")
    page: dict[str, Any] = json.loads(text)
    if page["format"] != FORMAT:
        raise ValueError("format")
    return page


def _column(folder: Path, name: str, page: dict[str, Any]) -> bytes:
    size, checksum = page["columns"][name]
    with open_file(folder / name) as file:
        data = file.read(size)  # a step may have appended since; its entries are not of this page
    if len(data) != size or zlib.crc32(data) != checksum:
        raise ValueError(name)
    return data


def _ledger(repo: Repository, place: ExperimentFiles, page: dict[str, Any], data: dict[str, bytes]) -> Ledger:
    commits = data.pop(COMMITS)
    columns = Columns(data)
    iterations = LazyIterations(repo, columns, bytearray(commits), page["width"], {}, kept=page["count"])
    contract = iterations[0].contract
    if contract is None:
        raise ValueError("contract")
    return Ledger(
        place.name,
        page["tip"],
        contract,
        iterations,
        Notes.from_json(page["notes"]),
        page["sealed"],
        tuple(page["foreign_commits"]),
        tuple(page["hidden_trailers"]),
        tuple(Remark(**remark) for remark in page["remarks"]),
        PooledNoise(page["pooled_noise"][0], Noise(*page["pooled_noise"][1:])),
        page["tree"],
    )


def save(place: ExperimentFiles, ledger: Ledger) -> None:
    """Keep a ledger, once it has ``OFTEN`` more iterations than are kept: the newest are read from git anyway.

    Only new entries are written. Where they cannot be, commands are only slower.
    """
    iterations = stored(ledger.iterations)
    if len(iterations) < iterations.kept + OFTEN and iterations.kept:
        return
    with suppress(OSError):
        _save(place.directory / "cache", ledger, iterations)
        iterations.kept = len(iterations)


def _save(folder: Path, ledger: Ledger, iterations: LazyIterations) -> None:
    data: dict[str, Buffer] = {name: ledger.columns.column(name) for name in NAMES}
    data[COMMITS] = iterations.commits[: len(iterations) * iterations.width]
    old = _kept_before(folder, iterations)
    sums = {
        name: _write(folder / name, memoryview(column).cast("B"), *old.get(name, (0, 0)))
        for name, column in data.items()
    }
    facts = {
        "format": FORMAT,
        "count": len(iterations),
        "last": iterations.commit(len(iterations) - 1),
        "width": iterations.width,
        "columns": sums,
    }
    text = json.dumps(facts | _page_of(ledger)).encode()
    write_file(folder / "page.json", b"%d\n%s" % (zlib.crc32(text), text))


def _page_of(ledger: Ledger) -> dict[str, object]:
    """The fields of a ledger that are neither in its iterations nor in the columns."""
    return {
        "tip": ledger.tip,
        "tree": ledger.tree,
        "notes": asdict(ledger.notes),
        "sealed": ledger.sealed,
        "foreign_commits": ledger.foreign_commits,
        "hidden_trailers": ledger.hidden_trailers,
        "remarks": [asdict(remark) for remark in ledger.remarks],
        "pooled_noise": [ledger.pooled_noise.last, *asdict(ledger.pooled_noise.noise).values()],
    }


def _kept_before(folder: Path, iterations: LazyIterations) -> dict[str, tuple[int, int]]:
    """By name, length and checksum of the columns on disk, if these iterations go on from them; else empty.

    They do if one commit is in both at the same place: a commit decides all that came before it.
    """
    try:
        page = _page(folder)
        goes_on = page["count"] <= len(iterations) and iterations.commit(page["count"] - 1) == page["last"]
        return page["columns"] if goes_on else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _write(path: Path, column: memoryview, size: int, checksum: int) -> tuple[int, int]:
    """Write the bytes after the first ``size``, which the file has with this checksum; the new length and checksum."""
    if size and path.is_file() and path.stat().st_size >= size:
        with open_file(path, "r+b") as file:
            file.seek(size)
            file.write(column[size:])
            file.truncate()
        return len(column), zlib.crc32(column[size:], checksum)
    write_file(path, bytes(column))
    return len(column), zlib.crc32(column)
