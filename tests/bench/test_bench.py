"""The bench: that it measures what it says. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import __main__ as main
from tests.bench import growth, harness, histories, peers, places, processes, table
from tests.bench.rows import Settings, rows
from tests.bench.wheel import environment, programs
from tests.helpers.command_line import Gitexp
from tests.helpers.project import ROOT
from tests.helpers.repositories import git

ROWS = rows(Settings(Path("dvc")))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    environment.cache_clear()
    programs.cache_clear()
    places.close()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = histories.make(tmp_path / "made", 7, files=3)
    monkeypatch.chdir(made)
    return made


def test_a_made_history_is_one_that_gitexp_could_have_sealed(history: Path, gitexp: Gitexp) -> None:
    verdicts = [iteration["status"] for iteration in json.loads(gitexp("log", "--json").stdout)]
    assert verdicts == ["KEEP", *["DISCARD"] * 4, "KEEP", "DISCARD"]
    assert git("status", "--porcelain").strip() == ""
    gitexp("fsck")


def test_steps_in_one_process_are_discards_after_it(history: Path, gitexp: Gitexp) -> None:
    command = [sys.executable, str(ROOT / "tests/bench/steps.py"), str(history), "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)) == 2
    assert "exp008 DISCARD" in gitexp("log").stdout.replace("  ", " ")
    assert git("rev-parse", "HEAD^{tree}") == git("rev-parse", "HEAD~2^{tree}")


@pytest.mark.parametrize(("script", "commits"), [(peers.PROTOCOL, 0), (peers.SEMANTICS, 2)])
def test_the_bash_peers_throw_away_or_revert(history: Path, script: str, commits: int) -> None:
    before = git("rev-parse", "HEAD").strip()
    subprocess.run(["bash", "-euo", "pipefail", "-c", script.format(edit=peers.EDIT), "bash", "1"], check=True)
    assert git("rev-list", "--count", f"{before}..").strip() == str(commits)
    assert git("diff", "--name-only", before) == ""
    if commits:
        assert git("log", "-1", "--format=%(trailers:key=Exp-Score,valueonly)", "HEAD~1").strip() == "3"


def test_the_table_in_the_manual_has_the_rows_and_aims_of_the_bench() -> None:
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.in_manual()]
    assert [(what, against, aim) for what, against, _, aim, _ in told] == [
        (row.what, row.against, "none" if row.aim is None else f"{row.aim:g}") for row in ROWS
    ]


def test_the_manual_is_given_what_was_measured_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "costs.md"
    copy.write_text(table.COSTS.read_text())
    monkeypatch.setattr(table, "COSTS", copy)
    before = table.in_manual()
    result = harness.Result(ROWS[1], 12.3, 4.1, 3.0, 2.5, 1234.5, "")
    table.write_manual(ROWS, [table.line(result)])
    after = table.in_manual()
    assert after[1] == f"{table.key(ROWS[1])} 3.00 (2.50 to 1,234) | none | 12.3 against 4.10 ms |"
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]


def test_a_row_takes_turns_with_its_baseline_and_leaves_out_the_first() -> None:
    turns: list[str] = []

    def side(name: str, values: list[float]) -> float:
        turns.append(name)
        return values.pop(0)

    ours, theirs = [99.0, 2.0, 6.0, 4.0], [99.0, 1.0, 2.0, 4.0]
    row = harness.Row("x", "x", "y", 1.0, lambda: side("a", ours), lambda: side("b", theirs), note=lambda: "said")
    result = harness.measure(row, 3)
    assert turns == ["a", "b"] * 4
    assert (result.measured, result.baseline, result.ratio, result.low, result.high) == (4.0, 2.0, 2.0, 1.0, 3.0)
    assert result.note == "said"


def test_growth_is_measured_at_each_size_in_turns() -> None:
    asked: list[tuple[int, str]] = []

    def side(size: int, name: str) -> float:
        asked.append((size, name))
        return size + len(asked)

    def sides(size: int) -> growth.Sides:
        return {"a": lambda: side(size, "a"), "b": lambda: side(size, "b")}

    first, second = growth.curves("files", sides, [10, 200], 2)
    assert asked == [(size, name) for size in (10, 200) for name in "ababab"]
    assert first == growth.Curve("a", "files", ((10, 14.0), (200, 210.0)))
    assert second.points == ((10, 15.0), (200, 211.0))


MEASURED = [growth.Curve("gitexp step", of, ((10, 2.0), (1000, 30.0))) for of in growth.LABELS]


def test_growth_is_told_by_size() -> None:
    assert growth.markdown(MEASURED).count("| gitexp step | 2.0 | 30.0 |") == 2


@pytest.mark.slow
def test_growth_is_drawn(tmp_path: Path) -> None:
    """matplotlib takes its time to start."""
    assert all(file.stat().st_size for file in growth.draw(MEASURED, tmp_path))


def test_one_row_that_is_not_to_be_had_or_fails_stops_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    def row(name: str, error: Exception | None = None) -> harness.Row:
        def run() -> float:
            if error:
                raise error
            return 2.0

        return harness.Row(name, name, "it", 1.0, run, lambda: 1.0)

    missing, failing = row("dvc", processes.MissingError("no dvc here")), row("bad", processes.FailedError("exit 3"))
    lines = main.measured([missing, failing, row("good")], 2, json_=False)
    told = capsys.readouterr()
    assert lines == [
        "| dvc | it | | 1 | no dvc here |",
        "| good | it | 2.00 (2.00 to 2.00) | 1 | 2.00 against 1.00 ms |",
    ]
    assert told.out.splitlines()[2:] == lines
    assert told.err == "bad: exit 3\n"


def test_the_command_names_its_rows() -> None:
    command = [sys.executable, "-m", "tests.bench"]
    told = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for row in ROWS:
        assert row.name in told.replace(",", " ").split()
    refused = subprocess.run([*command, "nothing"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
