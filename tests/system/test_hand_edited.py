"""Every command has a sentence for a branch that somebody edited by hand: none ends with a traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gitexp.cli.watch import page
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.status import look
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import set_lr
from tests.helpers.tampering import CRASH, DISCARD, KEEP, Branch, Entry

pytestmark = pytest.mark.slow  # twenty commands for each

LAST = "exp006"  # the incumbent
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("log",),
    ("log", "--json"),
    ("log", "--tsv"),
    ("log", "--graph"),
    ("log", "--all"),
    ("log", "--all", "--json"),
    *((command, identity) for command in ("show", "why", "diff") for identity in ("exp000", KEEP, DISCARD, LAST)),
    ("diff", "exp000", LAST),
    ("best",),
    ("best", "--json"),
    ("brief",),
    ("plot",),
    ("plot", "-o", "best.svg"),
    ("report", "-o", "report.html"),
    ("render",),
    ("render", "--full"),
    ("breaker",),
    ("logs", "push", "origin"),
    ("fsck",),
    ("fsck", "main..exp/train"),
    ("pick", "--onto", "results"),
    ("pr",),
    ("fsck", "review/train"),
    ("verify", KEEP),
    ("step", "-m", "the next"),
)


def put(head: str, key: str, value: str) -> Callable[[Branch], None]:
    return lambda branch: branch[head].put(key, value)


def drop(head: str, pattern: str) -> Callable[[Branch], None]:
    def edit(branch: Branch) -> None:
        branch[head].message = re.sub(rf"(?m)^(?:{pattern}):.*\n", "", branch[head].message)

    return edit


def sample(head: str, old: str, new: str) -> Callable[[Branch], None]:
    def edit(branch: Branch) -> None:
        entry = branch[head]
        entry.put("Exp-Sample", re.sub(old, new, entry.value("Exp-Sample")))

    return edit


def remark(text: str) -> Callable[[Branch], None]:
    def edit(branch: Branch) -> None:
        last = branch.entries[-1]
        branch.entries.append(Entry(f"x\n\nExp-Remark: {text}\nExp-Base: {'0' * 40}\n", last.tree))

    return edit


def renumber(branch: Branch) -> None:
    branch.renumber(LAST, 999_999_990 - 6)


def crash_baseline(branch: Branch) -> None:
    branch["exp000"].put("Exp-Status", "CRASH")
    branch["exp000"].drop("Exp-Score")


def all_at_once(branch: Branch) -> None:
    for entry in branch.entries:
        entry.message = re.sub(r"score=\S+", "score=-1e+308", entry.message)
        entry.message = re.sub(r"(Exp-Score|Exp-Delta|Exp-Memory-MB): .*", r"\1: 1e+308", entry.message)


EDITS = {
    "no sample": drop(LAST, "Exp-Sample"),
    "no sample of the baseline": drop("exp000", "Exp-Sample"),
    "no sample of a discard": drop(DISCARD, "Exp-Sample"),
    "another's sample": sample(LAST, "^exp006", "exp001"),
    "the baseline's sample is another's": sample("exp000", "^exp000", "exp001"),
    "a crashed sample": sample(LAST, "score=.*", "score="),
    "a tiny KEEP": put(KEEP, "Exp-Score", "1e-320"),
    "a tiny baseline": put("exp000", "Exp-Score", "5e-324"),
    "a huge KEEP": put(KEEP, "Exp-Score", "1e308"),
    "a huge negative KEEP": put(LAST, "Exp-Score", "-1.7e308"),
    "a huge sample": sample(LAST, "score=.*", "score=1.7e308"),
    "a huge negative sample": sample("exp000", "score=.*", "score=-1.7e308"),
    "everything is huge": all_at_once,
    "long ago": sample(LAST, r"seconds=\S+", "seconds=-1e308"),
    "for ever": sample(LAST, r"seconds=\S+", "seconds=1e308"),
    "a huge seed": sample(LAST, r"seed=\d+", "seed=" + "9" * 400),
    "a negative seed": sample(LAST, r"seed=\d+", "seed=-7"),
    "a huge delta": put(DISCARD, "Exp-Delta", "-1e308"),
    "a huge metric": lambda branch: branch[LAST].change("Exp-Patch", "Exp-Metric: loss=1e308\nExp-Patch"),
    "no score": drop(LAST, "Exp-Score"),
    "no score of the baseline": drop("exp000", "Exp-Score"),
    "the baseline is a DISCARD": put("exp000", "Exp-Status", "DISCARD"),
    "the baseline is a CRASH": crash_baseline,
    "no error": drop(CRASH, "Exp-Error|Exp-Reason"),
    "no budget": put("exp000", "Exp-Budget", "0"),
    "a negative budget": put("exp000", "Exp-Budget", "-1e300"),
    "no timeout": put("exp000", "Exp-Timeout", "-3"),
    "nothing to edit": drop("exp000", "Exp-Edit"),
    "no metric": put("exp000", "Exp-Optimize", "minimize"),
    "an unknown rule": put("exp000", "Exp-Rule", "oracle"),
    "an unreadable guard": put("exp000", "Exp-Guard", "memory_mb<=many"),
    "many retries": put("exp000", "Exp-Retries", "-" + "9" * 400),
    "an unknown mode": put("exp000", "Exp-One-Variable", "never"),
    "no tree": put(LAST, "Exp-Tree", "HEAD"),
    "no run": put(LAST, "Exp-Run", "../../x\x1b[31m"),
    "huge ids": renumber,
    "ids in disorder": lambda branch: branch.renumber(LAST, -5),
    "a huge simplification": lambda branch: branch[LAST].change("Exp-Patch", f"Exp-Simpler: {'9' * 400}\nExp-Patch"),
    "an odd curve": lambda branch: branch[LAST].change("Exp-Patch", "Exp-Curve: -7=1e308 999=-1e308\nExp-Patch"),
    "a reset from the future": remark("breaker exp999999999"),
    "a look at nothing": remark("test exp404\nExp-Test: 1e308"),
    "a remark of no kind": remark("praise exp003"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_no_command_ends_with_a_traceback(branch: Branch, gitexp: Gitexp, edit: Callable[[Branch], None]) -> None:
    edit(branch)
    branch.write()
    for command in COMMANDS:
        if command[0] == "step":
            set_lr(Path(), "0.26")
        result = gitexp(*command, code=None)  # it raises what is not a sentence
        assert result.exit_code in (0, 1, 4), (command, result.output)
    repo = Repository.discover(Path())
    try:
        now = look(repo, "train")
    except GitexpError:
        return
    assert page(now, 80, 40)
