"""``log``: the table and its filters, the other forms, all experiments."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gitexp.git.repository import Repository
from gitexp.ledger import history
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git


def without_seconds(text: str) -> str:
    """The table with its seconds column blanked: they are the only thing that differs from run to run."""
    lines = text.splitlines()
    at = lines[0].index("seconds")
    return "\n".join((line[:at] + " " * 7 + line[at + 7 :]).rstrip() for line in lines)


def test_log_is_a_table(one_of_each: Path, gitexp: Gitexp) -> None:
    assert without_seconds(gitexp("log").stdout) == (
        "id      verdict     score      delta  memory           description\n"
        "exp000  KEEP     2.040000               12.5           baseline\n"
        "exp001  KEEP     2.010000  -0.030000    12.5           LR 0.1 -> 0.2\n"
        "exp002  DISCARD  2.360000  +0.350000    12.5           LR 0.9\n"
        "exp003  CRASH                                          a typo"
    )


def test_log_filters(one_of_each: Path, gitexp: Gitexp) -> None:
    assert [line[:6] for line in gitexp("log", "--status", "keep").stdout.splitlines()[1:]] == ["exp000", "exp001"]
    assert [line[:6] for line in gitexp("log", "-n", "1").stdout.splitlines()[1:]] == ["exp003"]
    two = gitexp("log", "--status", "crash", "--status", "discard").stdout.splitlines()[1:]
    assert [line[:6] for line in two] == ["exp002", "exp003"]


def test_log_as_json_and_tsv(one_of_each: Path, gitexp: Gitexp) -> None:
    found = json.loads(gitexp("log", "--json").stdout)
    assert [(i["id"], i["status"], i["score"]) for i in found] == [
        ("exp000", "KEEP", 2.04),
        ("exp001", "KEEP", 2.01),
        ("exp002", "DISCARD", 2.36),
        ("exp003", "CRASH", None),
    ]
    assert found[1]["metrics"] == {"num_steps": 7.0}
    lines = [line.split("\t") for line in gitexp("log", "--tsv").stdout.splitlines()]
    assert lines[0] == ["id", "verdict", "score", "delta", "memory", "seconds", "description"]
    assert {len(line) for line in lines} == {7}


def ids(text: str) -> list[str]:
    return re.findall(r"^exp\d{3}", text, re.MULTILINE)


def test_log_filters_by_text_and_by_what_was_changed(one_of_each: Path, gitexp: Gitexp) -> None:
    everything = ids(gitexp("log").stdout)
    assert ids(gitexp("log", "--changed", "LR").stdout) == ids(gitexp("log", "--changed", "constant LR").stdout) != []
    assert ids(gitexp("log", "--changed", "NOTHING").stdout) == []
    assert ids(gitexp("log", "--grep", "BASELINE").stdout) == everything[:1]


def test_log_draws_the_running_best(one_of_each: Path, gitexp: Gitexp) -> None:
    text = gitexp("log", "--graph").stdout
    assert "●" in text.partition("id      verdict")[0]


def test_log_of_all_experiments_names_the_best_of_each(one_of_each: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main", cwd=one_of_each)
    gitexp("init", "--name", "other", "--budget", "5")
    git("branch", "exp/broken", "main", cwd=one_of_each)
    lines = gitexp("log", "--all").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["experiment", "broken", "other", "train"]
    assert "holds no baseline" in lines[1]
    assert lines[3].split()[1:7] == ["val_bpb", "2.040000", "2.010000", "-0.030000", "2", "1,"]
    assert [entry["experiment"] for entry in json.loads(gitexp("log", "--all", "--json").stdout)] == ["other", "train"]
    clone = one_of_each.parent / "clone"
    git("clone", "-q", str(one_of_each), str(clone))
    assert history.names(Repository.discover(clone)) == ["other", "broken", "train"]  # the first is checked out
