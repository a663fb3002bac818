"""The loop: what ends it, what it hands the proposer, what becomes of proposals that are not tried."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gitexp.text import duration
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_loop, wait_for
from tests.helpers.proposers import BETTER, WORSE, proposes
from tests.helpers.repositories import TOY, Once, git, make_toy, set_lr

IMPROVES = "LR = 0.1{0}"  # each a little better than the one before


@pytest.fixture
def single(once: Once, gitexp: Gitexp) -> Path:
    def begin(place: Path) -> None:
        make_toy(place)
        gitexp("init", "--budget", "5", "--rule", "single", "--goal", "lowest val_bpb")

    return once("single", begin)


def test_it_takes_the_steps_it_is_asked_for_a_line_each(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    done = gitexp("loop", "--steps", "3", *proposes(proposer, BETTER))
    lines = done.stdout.splitlines()
    assert lines[0] == "exp001 KEEP 2.036100 (-0.003900 against exp000): LR up"
    assert [line.split()[0] for line in lines[:3]] == ["exp001", "exp002", "exp003"]
    assert lines[4].startswith("The loop ended because 3 steps were asked for, after ")
    assert "It tried 3: 3 KEEP, 0 DISCARD, 0 CRASH. val_bpb went from 2.040000 to 2.028900" in lines[4]


def test_patience_is_counted_in_the_history(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    set_lr(single, 5)
    gitexp("step", "-m", "by hand")
    done = gitexp("loop", "--patience", "3", *proposes(proposer, WORSE))
    assert "because the last 3 steps brought no KEEP" in done.stdout
    assert len(ledger_of(single).iterations) == 1 + 3
    again = gitexp("loop", "--patience", "3", *proposes(proposer, WORSE))
    assert "the last 3 steps brought no KEEP" in again.stdout
    assert len(ledger_of(single).iterations) == 1 + 3


@pytest.mark.parametrize(
    ("direction", "value", "steps"), [("--minimize", "2.034", 2), ("--minimize", "2.04", 0), ("--maximize", "2.03", 0)]
)
def test_until_a_score_is_good_enough(
    direction: str, value: str, steps: int, folder: Path, proposer: Path, gitexp: Gitexp
) -> None:
    gitexp("init", "--budget", "5", "--rule", "single", direction)
    done = gitexp("loop", "--until", value, *proposes(proposer, BETTER))
    assert f"val_bpb has reached {float(value):.6f}" in done.stdout
    assert len(ledger_of(folder).iterations) == 1 + steps


def test_hours_are_looked_at_before_a_step(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    done = gitexp("loop", "--hours", "0.0002", *proposes(proposer, "time.sleep(0.8)\n" + BETTER))
    assert "0.0002 hours were asked for" in done.stdout
    assert len(ledger_of(single).iterations) == 2


def test_a_file_stop_ends_it_and_keeps_it_from_beginning(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    touch = "if number == 2: pathlib.Path('STOP').touch()\n"
    done = gitexp("loop", *proposes(proposer, touch + BETTER))
    assert "because the file STOP is there" in done.stdout
    assert len(ledger_of(single).iterations) == 3
    refused = gitexp("loop", *proposes(proposer, BETTER), code=1)
    assert f"rm {single / 'STOP'}" in refused.stderr


def test_three_crashes_on_the_same_error_end_it(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    body = "pathlib.Path('train.py').write_text(f'import nothing_at_all  # {number}\\n' + text)\n"
    done = gitexp("loop", *proposes(proposer, body), code=4)
    assert [line.split()[1] for line in done.stdout.splitlines()[:3]] == ["CRASH:", "CRASH:", "CRASH:"]
    assert "because the circuit breaker is open" in done.stdout
    assert "missing module" in done.stderr
    assert len(ledger_of(single).iterations) == 1 + 3
    gitexp("loop", *proposes(proposer, body), code=4)
    assert len(ledger_of(single).iterations) == 1 + 3


# -- what the proposer says, and is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "description"),
    [
        ("print('thinking'); print('LR up a bit'); print()", "LR up a bit"),
        (
            "pathlib.Path(os.environ['GITEXP_MESSAGE']).write_text('from the file\\n\\nbody'); print('x')",
            "from the file",
        ),
        ("pass", "LR 0.1 -> 0.2"),
    ],
)
def test_the_description_is_the_proposers_or_the_diffs(
    said: str, description: str, single: Path, proposer: Path, gitexp: Gitexp
) -> None:
    gitexp("loop", "--steps", "1", *proposes(proposer, f"write(0.2); {said}"))
    last = ledger_of(single).iterations[-1]
    assert last.description == description
    assert last.candidate.body == ("body" if "body" in said else "")


def test_the_brief_is_its_standard_input_and_a_file(
    single: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    keep = f"""\
        brief = sys.stdin.read()
        assert brief == open(os.environ["GITEXP_BRIEF"]).read()
        pathlib.Path({str(tmp_path / "brief")!r}).write_text(brief)
    """
    gitexp("loop", "--steps", "2", *proposes(proposer, textwrap.dedent(keep) + BETTER))
    brief = (tmp_path / "brief").read_text()
    assert "exp001 KEEP" in brief
    assert "lowest val_bpb" in brief


def test_a_refused_edit_is_told_kept_and_taken_back(
    folder: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    body = f"""\
        brief = sys.stdin.read()
        if "not tried" in brief:
            pathlib.Path({str(tmp_path / "told")!r}).write_text(brief)
            write(0.2)
        else:
            write(0.25)
            pathlib.Path("README").write_text("mine")
    """
    (folder / "README").write_text("x")
    git("add", "README", cwd=folder)
    git("commit", "-qm", "readme", cwd=folder)
    gitexp("init", "--rule", "single", "--in-place")
    done = gitexp("loop", "--steps", "1", *proposes(proposer, body))
    assert "exp001 was not tried: README differs from HEAD" in done.stderr
    assert "> README differs from HEAD" in (tmp_path / "told").read_text()
    assert ledger_of(folder).iterations[-1].description == "LR 0.1 -> 0.2"
    assert (folder / "README").read_text() == "x"
    ref = done.stderr.partition("kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:README", cwd=folder) == "mine"
    assert git("show", f"{ref}:train.py", cwd=folder).startswith("LR = 0.25\n")
    assert git("status", "--porcelain", cwd=folder) == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [("sys.exit('no credit left')", "failed (exit 1): no credit left"), ("pass", "Nothing changed in train.py")],
)
def test_a_proposer_that_brings_nothing_three_times_ends_it(
    body: str, why: str, single: Path, proposer: Path, gitexp: Gitexp
) -> None:
    done = gitexp("loop", *proposes(proposer, body), code=1)
    assert "because 3 rounds in a row brought nothing to run" in done.stdout
    assert done.stderr.count(why) == 3 + 1
    assert len(ledger_of(single).iterations) == 1


def test_what_the_proposer_staged_is_unstaged(in_place: Path, proposer: Path, gitexp: Gitexp) -> None:
    body = """\
        import subprocess
        told = "not tried" in sys.stdin.read()
        write(0.3 if told else 0.2)
        told or subprocess.run(["git", "add", "."])
    """
    done = gitexp("loop", "--steps", "1", *proposes(proposer, body))
    assert "staged changes" in done.stderr
    assert ledger_of(in_place).iterations[-1].description == "LR 0.1 -> 0.3"


def test_a_proposer_that_commits_ends_it(in_place: Path, proposer: Path, gitexp: Gitexp) -> None:
    body = "import subprocess\nwrite(0.2)\nsubprocess.run(['git', 'commit', '-qam', 'mine'])\n"
    done = gitexp("loop", *proposes(proposer, body), code=1)
    assert "commits are made by gitexp" in done.stderr
    assert "git reset --soft" in done.stderr
    assert len(ledger_of(in_place).foreign_commits) == 1


def test_an_edit_of_a_person_is_not_touched(in_place: Path, proposer: Path, gitexp: Gitexp) -> None:
    set_lr(in_place, 0.7)
    refused = gitexp("loop", *proposes(proposer, BETTER), code=1)
    assert "train.py is edited already" in refused.stderr
    assert (in_place / "train.py").read_text().startswith("LR = 0.7")


def test_json_lines(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    done = gitexp("loop", "--steps", "2", "--json", *proposes(proposer, BETTER))
    first, second, end = map(json.loads, done.stdout.splitlines())
    assert (first["id"], first["status"], first["experiment"]) == ("exp001", "KEEP", "train")
    assert second["id"] == "exp002"
    assert end["ended"] == "2 steps were asked for"


def test_usage(single: Path, gitexp: Gitexp) -> None:
    assert "Missing argument 'COMMAND...'" in gitexp("loop", code=2).stderr
    assert "cannot be run" in gitexp("loop", "--", "no-such-program", code=1).stderr


@pytest.mark.parametrize(("seconds", "said"), [(7.6, "8 s"), (300, "5 min"), (3840, "64 min"), (7260, "2 h 1 min")])
def test_durations_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


# -- interrupted, and killed -------------------------------------------------------------------------------------------


SLOW_HOOK = 'touch "$RUNS"\nwhile [ -e "$RUNS.wait" ]; do sleep 0.02; done\n"$GITEXP_OWN_PYTHON" train.py\n'


@pytest.fixture
def in_place(once: Once, gitexp: Gitexp) -> Path:
    def begin(place: Path) -> None:
        make_toy(place)
        gitexp("init", "--budget", "5", "--rule", "single", "--goal", "lowest val_bpb", "--in-place")

    return once("single-in-place", begin)


@pytest.fixture
def slow(folder: Path, gitexp: Gitexp, runs: Path) -> Path:
    """An experiment whose runs wait as long as there is a file ``RUNS.wait``."""
    hook_that(folder, SLOW_HOOK)
    gitexp("init", "--budget", "5", "--rule", "single")
    runs.unlink()
    Path(f"{runs}.wait").touch()
    return folder


@pytest.fixture
def slow_in_place(folder: Path, gitexp: Gitexp, runs: Path) -> Path:
    hook_that(folder, SLOW_HOOK)
    gitexp("init", "--budget", "5", "--rule", "single", "--in-place")
    runs.unlink()
    Path(f"{runs}.wait").touch()
    return folder


def test_the_first_interrupt_lets_the_step_end(slow: Path, proposer: Path, runs: Path) -> None:
    process = start_loop(slow, *proposes(proposer, BETTER))
    wait_for(runs)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "ends after this step" in process.stderr.readline()
    Path(f"{runs}.wait").unlink()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "because you asked it to end" in out
    assert len(ledger_of(slow).iterations) == 2


def test_the_second_interrupt_hands_the_edit_back(
    slow_in_place: Path, proposer: Path, runs: Path, gitexp: Gitexp
) -> None:
    process = start_loop(slow_in_place, *proposes(proposer, BETTER))
    wait_for(runs)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert len(ledger_of(slow_in_place).iterations) == 1
    assert (slow_in_place / "train.py").read_text().startswith("LR = 0.11\n")
    assert "is edited already" in gitexp("loop", *proposes(proposer, BETTER), code=1).stderr  # a person was there


def test_killed_in_a_run_it_runs_that_edit_again(slow: Path, proposer: Path, runs: Path, gitexp: Gitexp) -> None:
    process = start_loop(slow, *proposes(proposer, BETTER))
    wait_for(runs)
    process.kill()
    process.communicate()
    Path(f"{runs}.wait").unlink()
    done = gitexp("loop", "--steps", "2", *proposes(proposer, "assert number > 1\n" + BETTER))
    assert "the loop died during this run, which is run again" in done.stderr
    assert [i.description for i in ledger_of(slow).iterations[1:]] == ["LR up", "LR up"]


def test_killed_while_the_proposer_works_its_half_edit_is_set_aside(
    in_place: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    half = f"write(0.5); pathlib.Path({str(tmp_path / 'here')!r}).touch(); time.sleep(60)\n"
    process = start_loop(in_place, *proposes(proposer, half))
    wait_for(tmp_path / "here")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = gitexp("loop", "--steps", "1", *proposes(proposer, BETTER))
    assert "the unfinished edit is kept as refs/gitexp/saved/loop-" in done.stderr
    ref = done.stderr.partition("kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py", cwd=in_place) == TOY.replace("0.1", "0.5", 1)
    assert [i.description for i in ledger_of(in_place).iterations[1:]] == ["LR up"]


def test_what_a_person_recovered_is_the_persons(
    slow_in_place: Path, proposer: Path, runs: Path, gitexp: Gitexp
) -> None:
    process = start_loop(slow_in_place, *proposes(proposer, BETTER))
    wait_for(runs)
    process.kill()
    process.communicate()
    Path(f"{runs}.wait").unlink()
    gitexp("recover")
    assert "train.py is edited already" in gitexp("loop", *proposes(proposer, BETTER), code=1).stderr
    assert (slow_in_place / "train.py").read_text().startswith("LR = 0.11\n")


def test_it_waits_for_a_step_of_somebody_else(slow: Path, proposer: Path, runs: Path, gitexp: Gitexp) -> None:
    set_lr(slow, 0.2)
    step = subprocess.Popen([sys.executable, "-m", "gitexp", "step", "-m", "by hand"], cwd=slow)
    wait_for(runs)
    loop = start_loop(slow, "--steps", "1", *proposes(proposer, WORSE))
    assert loop.stderr
    assert "The loop waits for gitexp step" in loop.stderr.readline()
    Path(f"{runs}.wait").unlink()
    loop.communicate(timeout=30)
    assert (step.wait(), loop.returncode) == (0, 0)
    assert [i.description for i in ledger_of(slow).iterations[1:]] == ["by hand", "LR far up"]


def test_two_loops_do_not_run_beside_each_other(slow: Path, proposer: Path, runs: Path, gitexp: Gitexp) -> None:
    process = start_loop(slow, "--steps", "1", *proposes(proposer, BETTER))
    wait_for(runs)
    assert (
        "The loop of exp/train is in use by gitexp loop" in gitexp("loop", *proposes(proposer, BETTER), code=1).stderr
    )
    Path(f"{runs}.wait").unlink()
    process.communicate(timeout=30)
    assert process.returncode == 0
