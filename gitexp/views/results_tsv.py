"""results.tsv, written beside the script: the whole text, or its new rows appended where that is safe.

Its columns are in :mod:`gitexp.ledger.row`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitexp.files import open_file, read_file, stat_signature, write_file
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.row import COLUMNS, row_text
from gitexp.model import RESULTS, score_text
from gitexp.text import text_cell, visible


def results_tsv(ledger: Ledger) -> str:
    """The whole table: a row for each iteration, its columns as people's scripts expect them. A CRASH has no score.

    It is tab-separated, without quoting; tabs and newlines in texts are spaces.
    """
    return "\t".join(COLUMNS) + "\n" + rows(ledger, ledger.iterations.row_texts())


def rows(ledger: Ledger, lines: Iterable[str]) -> str:
    """The rows of the iterations whose own ``lines`` (:func:`gitexp.ledger.row.row_text`) are given."""
    metric = text_cell(visible(ledger.contract.metric))
    looks = {remark.of: score_text(remark.score) for remark in reversed(ledger.remarks) if remark.score is not None}
    return "".join(_row(line, metric, looks) for line in lines)


def _row(line: str, metric: str, looks: Mapping[str, str]) -> str:
    """``looks`` are by iteration the score of its first look at the held-out split after its run."""
    identity, score, test, rest = line.split("\t", 3)
    return f"{identity}\t{metric}\t{score}\t{test or looks.get(identity, '')}\t{rest}\n"


def is_computed(file: Path) -> bool:
    """Whether a table has the columns that gitexp gives it; an empty file has none to lose."""
    with open_file(file) as there:
        header = there.readline(1024)
    return not header or header.rstrip(b"\r\n") == "\t".join(COLUMNS).encode()


def forget(place: ExperimentFiles) -> None:
    """Have the whole file written again the next time."""
    _note(place).unlink(missing_ok=True)


def _note(place: ExperimentFiles) -> Path:
    return place.directory / "results.json"


def write(repo: Repository, place: ExperimentFiles, ledger: Ledger) -> None:
    """Bring the file up to date. If it may not be as gitexp left it, all of it is written again."""
    file, note = repo.top / ledger.contract.home / RESULTS, _note(place)
    since = _rows_there(file, note, ledger)
    forget(place)  # first: a gitexp that dies while it appends leaves a part of a row
    if since is None:
        write_file(file, results_tsv(ledger).encode())
    else:
        with open_file(file, "ab") as out:
            out.write(rows(ledger, map(row_text, ledger.iterations[since:])).encode())
    last = ledger.iterations[-1].commit
    facts = {"rows": len(ledger.iterations), "last": last, "looks": _looks(ledger), "file": stat_signature(file)}
    write_file(note, json.dumps(facts).encode())


def _rows_there(file: Path, note: Path, ledger: Ledger) -> int | None:
    """How many of the ledger's rows the file holds; ``None`` if it was changed, or one of them must be."""
    try:
        facts = json.loads(read_file(note))
        same = tuple(facts["file"]) == stat_signature(file) and facts["looks"] == _looks(ledger)
        there = int(facts["rows"])
        return there if same and ledger.iterations[there - 1].commit == facts["last"] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _looks(ledger: Ledger) -> list[str]:
    """The commits of the looks at the held-out split: a new one changes an older row."""
    return [remark.commit for remark in ledger.remarks if remark.score is not None]
