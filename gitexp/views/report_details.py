"""What the report shows of iterations beside the ledger: diffs, and the logs and curves that this machine has.

All of it is bounded: some iterations (the baseline, the newest KEEPs and the newest of all), and so much of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitexp.git.driver import PLAIN_DIFF
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Status
from gitexp.run.curve import Point, read
from gitexp.text import from_bytes, thinned

DETAILED = 200  # iterations whose diff and log are looked at
CURVES = 60  # … and whose loss is
DIFF = 12_000  # characters of a diff
TAIL, LINE = 30, 300  # lines of a log's end, and characters of each
DOTS = 200  # points of a curve
BIG = "256k"  # files above this have no diff, only "Binary files differ"


@dataclass(frozen=True, slots=True)
class Details:
    """By an iteration's id: its diff, the last lines of its log, its loss curve. Missing ones were not gathered."""

    diffs: Mapping[str, str]
    tails: Mapping[str, Sequence[str]]
    curves: Mapping[str, Sequence[Point]]


def gather(repo: Repository, ledger: Ledger) -> Details:
    """Read the details of the newest iterations from git and from the files on this machine."""
    place = ExperimentFiles.of(repo, ledger.name)
    shown = newest(ledger, DETAILED)
    diffs = _diffs(repo, [iteration.commit for iteration in shown])
    tails = {i.id: [line[:LINE] for line in place.log_tail(i.candidate.label(1), TAIL)] for i in shown}
    curves = {
        i.id: thinned(read(place.curve_file(i.candidate.label(1))) or _sealed(i), DOTS) for i in newest(ledger, CURVES)
    }
    return Details(
        diffs={i.id: _cut(diffs[i.commit]) for i in shown},
        tails={identity: lines for identity, lines in tails.items() if lines},
        curves={identity: curve for identity, curve in curves.items() if len(curve) > 1},
    )


def newest(ledger: Ledger, limit: int) -> list[Iteration]:
    """The baseline, the newest KEEPs and the newest of all: at most ``limit`` iterations, oldest first."""
    kept = [i for i in ledger.iterations if i.status is Status.KEEP][-(limit // 2) :]
    first = [ledger.baseline, *reversed(kept), *reversed(ledger.iterations[-limit:])]
    ids = set(list(dict.fromkeys(iteration.id for iteration in first))[:limit])
    return [iteration for iteration in ledger.iterations if iteration.id in ids]


def _sealed(iteration: Iteration) -> list[Point]:
    """The loss curve that is sealed in its commit: a mean for each tenth of the budget."""
    return [Point(loss, share=(tenth - 0.5) / 10) for tenth, loss in iteration.measurement.curve]


def _diffs(repo: Repository, commits: Sequence[str]) -> dict[str, str]:
    """The diff of each commit. In git's output a line that is nothing but a commit id starts the next diff."""
    args = ("diff-tree", "--stdin", "-p", *PLAIN_DIFF)
    ids = "".join(f"{commit}\n" for commit in commits).encode()
    out = from_bytes(repo.run("-c", f"core.bigFileThreshold={BIG}", *args, stdin=ids))
    diffs: dict[str, list[str]] = {commit: [] for commit in commits}
    current: list[str] = []
    for line in out.split("\n"):
        if line in diffs:
            current = diffs[line]
        else:
            current.append(line)
    return {commit: "\n".join(lines).strip("\n") for commit, lines in diffs.items()}


def _cut(diff: str) -> str:
    return diff if len(diff) <= DIFF else diff[:DIFF] + "\n… (it goes on)"
