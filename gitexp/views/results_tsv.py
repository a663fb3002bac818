"""results.tsv at the top of the work tree: it grows by its new rows, as long as it is what was written last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitexp.files import open_file, read_file, stat_signature, write_file
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.row import COLUMNS, told
from gitexp.model import RESULTS, score_text
from gitexp.text import one_line


def results_tsv(ledger: Ledger) -> str:
    """One row an iteration, the columns in the order people's scripts read them; no quoting; a CRASH has no score."""
    return "\t".join(COLUMNS) + "\n" + rows(ledger, ledger.iterations.told())


def rows(ledger: Ledger, said: Iterable[str]) -> str:
    """The rows of iterations by what is told of each."""
    metric = one_line(ledger.contract.metric)
    looks = {remark.of: score_text(remark.score) for remark in reversed(ledger.remarks) if remark.score is not None}
    return "".join(_row(each, metric, looks) for each in said)


def _row(said: str, metric: str, looks: Mapping[str, str]) -> str:
    """``looks`` are the first looks at the held-out split that were taken after the run."""
    identity, score, test, rest = said.split("\t", 3)
    return f"{identity}\t{metric}\t{score}\t{test or looks.get(identity, '')}\t{rest}\n"


def is_computed(file: Path) -> bool:
    """Whether a table has the columns that gitexp gives it; an empty file has none to lose."""
    with open_file(file) as there:
        header = there.readline(1024)
    return not header or header.rstrip(b"\r\n") == "\t".join(COLUMNS).encode()


def forget(place: ExperimentFiles) -> None:
    """All of it is written again the next time."""
    _note(place).unlink(missing_ok=True)


def _note(place: ExperimentFiles) -> Path:
    return place.directory / "results.json"


def write(repo: Repository, place: ExperimentFiles, ledger: Ledger) -> None:
    """Make it say what the ledger does; in any doubt about what is there all of it is written again."""
    file, note = repo.top / RESULTS, _note(place)
    since = _rows_there(file, note, ledger)
    forget(place)  # a process that dies while it writes leaves a part of a row
    if since is None:
        write_file(file, results_tsv(ledger).encode())
    else:
        with open_file(file, "ab") as out:
            out.write(rows(ledger, map(told, ledger.iterations[since:])).encode())
    last = ledger.iterations[-1].commit
    facts = {"rows": len(ledger.iterations), "last": last, "looks": _looks(ledger), "file": stat_signature(file)}
    write_file(note, json.dumps(facts).encode())


def _rows_there(file: Path, note: Path, ledger: Ledger) -> int | None:
    """How many rows of this ledger the file holds, if it is as it was written, and older rows have not changed."""
    try:
        facts = json.loads(read_file(note))
        same = tuple(facts["file"]) == stat_signature(file) and facts["looks"] == _looks(ledger)
        there = int(facts["rows"])
        return there if same and ledger.iterations[there - 1].commit == facts["last"] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _looks(ledger: Ledger) -> list[str]:
    """The looks at the held-out split, which older rows tell of."""
    return [remark.commit for remark in ledger.remarks if remark.score is not None]
