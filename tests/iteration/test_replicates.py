"""Replicates: what is promising is run again, and so is its incumbent, with other seeds; all of it is sealed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gitexp.model import Status, Verdict
from gitexp.verdict.rules import decide_again
from tests.helpers import faults
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.kill_points import ALL, FAULTS, at_each_point, recover
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, set_lr

# Scores by script and seed: 2.0 is the baseline, 1.9 is better by a little more than the noise, 3.0 is much worse.
NOISY = """\
import os
SCORE = 2.0
TABLE = {"2.0 0": 2.0, "2.0 1": 2.04, "2.0 2": 2.02, "1.9 0": 1.98, "1.9 1": 1.95, "1.9 2": 1.95, "3.0 0": 3.0}
with open(os.environ["RUNS"], "a") as runs:
    runs.write(f"{SCORE} {os.environ['RANDOM_SEED']} {os.environ['EXPERIMENT_ID']}\\n")
print("val_bpb:", TABLE[f"{SCORE} {os.environ['RANDOM_SEED']}"])
"""


def set_score(folder: Path, score: float) -> None:
    (folder / "train.py").write_text(NOISY.replace("SCORE = 2.0", f"SCORE = {score}"))


@pytest.fixture
def noisy(folder: Path, gitexp: Gitexp, runs: Path) -> Path:
    set_score(folder, 2.0)
    gitexp("init", "--budget", "5")
    return folder


def ran(runs: Path) -> list[str]:
    lines = runs.read_text().splitlines()
    runs.write_text("")
    return lines


def test_the_baseline_is_run_twice_and_its_score_is_the_mean(noisy: Path, runs: Path) -> None:
    assert ran(runs) == ["2.0 0 exp000", "2.0 1 exp000"]
    baseline = ledger_of(noisy).baseline
    scores = [sample.score for sample in baseline.measurement.samples]
    assert [sample.seed for sample in baseline.measurement.samples] == [0, 1]
    assert baseline.score == pytest.approx(sum(s for s in scores if s) / 2)


def test_what_is_clearly_worse_is_dropped_after_one_run(noisy: Path, gitexp: Gitexp, runs: Path) -> None:
    ran(runs)
    set_score(noisy, 3.0)
    assert "exp001 DISCARD 3.0" in gitexp("step", "-m", "x").stdout
    assert ran(runs) == ["3.0 0 exp001"]


def test_what_is_promising_is_run_again_and_so_is_the_incumbent(noisy: Path, gitexp: Gitexp, runs: Path) -> None:
    ran(runs)
    set_score(noisy, 1.9)
    result = gitexp("step", "-m", "x")
    assert "exp001: promising, and exp000 may have been lucky: run 3 of 3, seed 2" in result.stderr
    assert "exp001: promising: run 2 of 3, seed 1" in result.stderr
    lines = ran(runs)
    assert "2.0 2 exp000" in lines
    assert "1.9 1 exp001" in lines
    assert "exp001 KEEP 1.9" in result.stdout, result.output
    sealed = ledger_of(noisy).incumbent
    assert len(sealed.measurement.samples) == len(lines)
    assert {sample.iteration for sample in sealed.measurement.samples} == {"exp000", "exp001"}
    assert git("status", "--porcelain") == ""
    assert (noisy / "train.py").read_text() == NOISY.replace("SCORE = 2.0", "SCORE = 1.9")
    assert "in order" in gitexp("fsck").stdout
    logs = sorted(log.name for log in (noisy / ".git/gitexp/train/logs").glob("exp001*"))
    assert len(logs) == len(lines)
    said = gitexp("why", "exp001").stdout
    assert "rule       confirm replicates=3 strict=1.2 drop=0.6, to minimize val_bpb" in said
    assert "exp000 seed 2: 2.0" in said
    assert "met        exp000 2.0" in said
    assert "because    better than exp000 by" in said


def test_a_crash_in_a_later_run_is_a_crash(folder: Path, gitexp: Gitexp, runs: Path) -> None:
    set_score(folder, 2.0)
    gitexp("init", "--budget", "5")
    crash = 'assert not (SCORE == 1.9 and os.environ["RANDOM_SEED"] == "1"), "unlucky"\n'
    (folder / "train.py").write_text(NOISY.replace("SCORE = 2.0", "SCORE = 1.9") + crash)
    result = gitexp("step", "-m", "x").stdout
    assert "exp001 CRASH" in result
    assert "AssertionError: unlucky" in result


def test_an_edit_made_while_the_incumbent_runs_is_left_alone(folder: Path, gitexp: Gitexp, runs: Path) -> None:
    hook_that(
        folder,
        f'[ "$EXPERIMENT_ID$RANDOM_SEED" = exp0002 ] && echo mine > train.py && echo val_bpb: 2 && exit 0\n'
        f'{sys.executable} "$GITEXP_SCRIPT"\n',
    )
    set_score(folder, 2.0)
    gitexp("init", "--in-place", "--budget", "5")
    set_score(folder, 1.9)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "train.py was changed during the run: no verdict" in said
    assert (folder / "train.py").read_text() == "mine\n"
    saved = git("for-each-ref", "--format=%(refname)", "refs/gitexp/saved").strip()
    assert "SCORE = 1.9" in git("show", f"{saved}:train.py")


def test_finished_runs_of_a_killed_step_are_taken_over(noisy: Path, gitexp: Gitexp, runs: Path) -> None:
    slow = "import time\nif os.environ['RANDOM_SEED'] == '1': time.sleep(60)\n"
    (noisy / "train.py").write_text(NOISY.replace("SCORE = 2.0", "SCORE = 1.9") + slow)
    ran(runs)
    process = subprocess.Popen([sys.executable, "-m", "gitexp", "step", "-m", "x"])
    while "1.9 1 exp001" not in runs.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    edit = (noisy / "train.py").read_text()
    gitexp("recover")
    assert (noisy / "train.py").read_text() == edit
    before = ran(runs)
    process = subprocess.Popen([sys.executable, "-m", "gitexp", "step", "-m", "x"], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert f"{len(before) - 1} finished run(s) of the interrupted step are taken over" in (
        process.stderr.readline() + process.stderr.readline()
    )
    while "1.9 1 exp001" not in runs.read_text():
        time.sleep(0.01)
    process.terminate()
    process.communicate()
    assert ran(runs) == ["1.9 1 exp001"]  # only what was not finished is run again


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_of_several_runs_struck_at_every_point(
    tmp_path: Path, runs: Path, stride: int, fault: faults.Fault
) -> None:
    base = faults.make(tmp_path / "base" / "repository")
    # Scores by seed and script, from a table, so that the hook needs no Python.
    hook = base / ".git" / "hooks" / "post-run"
    hook.write_text(
        '#!/bin/sh\nscore=$(sed -n \'s/^SCORE = //p\' train.py)\necho "$score" >> "$RUNS"\n'
        'case "$score $RANDOM_SEED" in "2.0 0") s=2.00;; "2.0 1") s=2.04;; "2.0 2") s=2.02;;\n'
        '"1.5 0") s=1.96;; "1.5 1") s=1.94;; *) s=1.95;; esac\necho "val_bpb: $s"\n'
    )
    init = ("init", "--edit", "train.py", "--edit", "model", "--budget", "5")
    assert faults.gitexp(base, *init).code == 0
    old_tip, candidate = git("rev-parse", "HEAD", cwd=base).strip(), ""

    def strike(folder: Path, at: int) -> faults.Ended:
        nonlocal candidate
        candidate = faults.edit(folder, "1.5")
        return faults.gitexp(folder, "step", "-m", "x", at=at, fault=fault)

    def check(folder: Path, struck: faults.Ended) -> None:
        measured = (folder / ".git/gitexp/train/result.json").exists()
        recover(folder, struck)
        evidence = folder / ".git/gitexp/train/evidence.json"
        if not faults.check(folder, old_tip, candidate, "KEEP"):
            assert not measured
            runs.write_text("")
            note = (
                json.loads(evidence.read_text())["evidence"] if evidence.exists() else {"measurement": {"samples": []}}
            )
            known = len(note["measurement"]["samples"])
            again = faults.gitexp(folder, "step", "-m", "x")
            assert again.code == 0, again.output
            samples = git("log", "-1", "--format=%(trailers:key=Exp-Sample)", cwd=folder).strip().splitlines()
            assert len(runs.read_text().split()) == len(samples) - known
        assert not evidence.exists()

    assert at_each_point(base, ALL if fault is faults.die else stride, strike, check) > 150


# -- guards, simplifications, the held-out split -----------------------------------------------------------------------


def test_a_guard_that_breaks_is_a_discard_whatever_the_score(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--guard", "memory_mb<=20", "--guard", "num_steps >= 5")
    assert ledger_of(folder).contract.guards == ("memory_mb<=20", "num_steps>=5")
    (folder / "train.py").write_text(TOY.replace("0.1", "0.2", 1).replace("12.5", "25"))
    assert "breaks the guard memory_mb<=20: memory_mb is 25" in (said := gitexp("step", "-m", "big").stdout)
    assert "exp001 DISCARD 2.010000" in said
    (folder / "train.py").write_text(TOY.replace("0.1", "0.2", 1).replace("num_steps", "count"))
    assert "the guard num_steps>=5 cannot be checked: num_steps was not reported" in gitexp("step", "-m", "y").stdout
    set_lr(folder, 0.2)
    assert "exp003 KEEP" in gitexp("step", "-m", "z").stdout
    assert "in order" in gitexp("fsck").stdout


@pytest.mark.parametrize("text", ["memory", "memory_mb=8", "memory_mb<=much", "<=8"])
def test_a_guard_that_is_none(folder: Path, gitexp: Gitexp, text: str) -> None:
    assert "is not a guard" in gitexp("init", "--guard", text, code=1).stderr


def test_shorter_code_at_no_loss_is_a_keep_where_that_is_the_point(folder: Path, gitexp: Gitexp) -> None:
    (folder / "train.py").write_text(TOY + "unused = 1\nalso = 2\n")
    gitexp("init")
    (folder / "train.py").write_text(TOY)
    assert "exp001 DISCARD" in gitexp("step", "-m", "shorter").stdout
    (folder / "train.py").write_text(TOY)
    said = gitexp("step", "-m", "shorter", "--simplify", "--again").stdout
    assert "exp002 KEEP" in said
    assert "2 lines simpler at no loss" in said
    assert "simpler    lines of code: 2 fewer" in gitexp("why", "2").stdout
    assert "in order" in gitexp("fsck").stdout
    (folder / "train.py").write_text(TOY + "more = 3\n")
    assert "this one leaves 1 more" in gitexp("step", "-m", "longer", "--simplify", code=1).stderr
    (folder / "train.py").write_text(TOY.replace("0.1", "0.9", 1).replace('print("---")\n', ""))
    assert "DISCARD" in gitexp("step", "-m", "worse", "--simplify").stdout


TESTED = (
    'echo val_bpb: $(sed -n "s/^LR = //p" train.py); [ -z "$GITEXP_TEST" ] || echo "test_bpb: 3.$(wc -l < "$RUNS")"\n'
)


def test_the_held_out_split_is_scored_once_and_a_second_look_is_on_record(
    folder: Path, gitexp: Gitexp, runs: Path
) -> None:
    hook_that(folder, 'echo x >> "$RUNS"\n' + TESTED)
    gitexp("init", "--in-place", "--rule", "single")
    set_lr(folder, 0.05)
    gitexp("step", "-m", "x")
    assert gitexp("test").stdout == "exp001: 3.300000 on the held-out split.\n"
    assert git("log", "-1", "--format=%s%n%(trailers:key=Exp-Test,valueonly)").split("\n")[:2] == [
        "Test exp001: 3.300000",
        "3.3",
    ]
    rows = (folder / "results.tsv").read_text().splitlines()
    assert rows[2].split("\t")[3] == "3.300000"
    assert "exp001: 3.400000 on the held-out split. This was look 2" in gitexp("test").stdout
    assert (folder / "results.tsv").read_text().splitlines()[2].split("\t")[3] == "3.300000"
    assert "exp001: 3.400000 on the held-out split, look 2" in (folder / "EXPERIMENT.md").read_text()
    assert "exp000: 3.500000 on the held-out split." in gitexp("test", "exp000").stdout
    assert "LR = 0.05" in (folder / "train.py").read_text()
    set_lr(folder, 0.9)
    assert "is edited: the test runs what is sealed" in gitexp("test", code=1).stderr
    gitexp("step", "-m", "worse")
    assert "exp002 is a DISCARD: only what is kept is tested" in gitexp("test", "2", code=1).stderr
    assert "in order" in gitexp("fsck").stdout


def test_a_run_without_a_test_score(experiment: Path, gitexp: Gitexp) -> None:
    assert "The run reported no test score" in gitexp("test", code=1).stderr


@pytest.mark.parametrize("line", ["device: another machine", "data: other text"])
def test_another_device_or_other_data_is_refused(folder: Path, gitexp: Gitexp, line: str) -> None:
    gitexp("init")
    (folder / "train.py").write_text(TOY.replace("0.1", "0.2", 1) + f"print({line!r})\n")
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "their scores cannot be compared" in said
    assert "gitexp init --name NAME" in said
    assert "LR = 0.2" in (folder / "train.py").read_text()
    assert len(ledger_of(folder).iterations) == 1


def test_a_baseline_that_breaks_its_own_guard_is_refused(folder: Path, gitexp: Gitexp) -> None:
    said = gitexp("init", "--guard", "nosuch<=1", code=1).stderr
    assert "nothing could ever be kept: the guard nosuch<=1 cannot be checked: nosuch was not reported" in said
    assert git("for-each-ref", "refs/heads/exp", "refs/gitexp") == ""


def test_comments_and_blank_lines_are_no_simplification(folder: Path, gitexp: Gitexp) -> None:
    (folder / "train.py").write_text(TOY + "\n\n# a comment\n")
    gitexp("init")
    (folder / "train.py").write_text(TOY)
    assert "leaves fewer lines of code" in gitexp("step", "-m", "x", "--simplify", code=1).stderr


def test_a_command_is_not_run_on_top_of_an_edit_that_was_refused(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--in-place")
    edit = ("--", "perl", "-pi", "-e")
    gitexp("step", "-m", "x", *edit, "s/^LR = .*/LR = 0.9/", "train.py")
    assert "already tried" in gitexp("step", "-m", "y", *edit, "s/^LR = .*/LR = 0.9/", "train.py", code=1).stderr
    said = gitexp("step", "-m", "z", *edit, 's/"---"/"--"/', "train.py", code=1).stderr
    assert "train.py is edited already, by an earlier step perhaps" in said
    assert '"---"' in (folder / "train.py").read_text()


def test_the_delta_is_what_the_verdict_weighed(noisy: Path, gitexp: Gitexp, runs: Path) -> None:
    """Seed by seed, and not the difference of means over other seeds."""
    set_score(noisy, 1.9)
    said = gitexp("step", "-m", "x").stdout
    lead = said.split("better than exp000 by ")[1].split(" ")[0]
    assert f"(-{lead} against exp000)" in said
    assert ledger_of(noisy).iterations[1].delta == pytest.approx(-float(lead), abs=1e-6)
    assert "known before" in gitexp("why", "1").stdout


def json_of(gitexp: Gitexp, *args: str) -> Any:
    return json.loads(gitexp(*args, "--json").stdout)


def test_a_delta_is_the_sealed_one_wherever_it_stands(noisy: Path, gitexp: Gitexp, runs: Path) -> None:
    set_score(noisy, 1.9)
    delta = json_of(gitexp, "step", "-m", "x")["delta"]
    sealed = ledger_of(noisy).incumbent
    assert sealed.delta == pytest.approx(delta)
    assert json_of(gitexp, "status")["incumbent"]["delta"] == sealed.delta
    assert json_of(gitexp, "best")["delta"] == sealed.delta
    assert json_of(gitexp, "log")[-1]["delta"] == sealed.delta
    assert json_of(gitexp, "log", "--all")[0]["best"]["delta"] == sealed.delta


def test_what_breaks_a_guard_was_not_weighed_and_has_no_delta(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--guard", "memory_mb<=20")
    (folder / "train.py").write_text(TOY.replace("LR = 0.1", "LR = 0.2").replace("12.5", "25"))
    step = json_of(gitexp, "step", "-m", "big")
    assert (step["status"], step["delta"], step["lead"]) == ("DISCARD", None, None)
    assert json_of(gitexp, "log")[-1]["delta"] is None
    assert "breaks the guard" in (folder / "EXPERIMENT.md").read_text()


def test_a_step_tells_the_numbers_that_were_weighed(noisy: Path, gitexp: Gitexp, runs: Path) -> None:
    set_score(noisy, 1.9)
    step = json_of(gitexp, "step", "-m", "x")
    assert step["lead"] == pytest.approx(-step["delta"])
    assert step["lead"] > step["noise"] > 0
    assert f"noise {step['noise']:.6f}, evidence {step['evidence']:.2f})" in step["reason"]
    ledger = ledger_of(noisy)
    verdict = decide_again(ledger, ledger.iterations[1])
    assert (verdict.status, verdict.reason) == (Status.KEEP, step["reason"])
    assert (verdict.lead, verdict.noise, verdict.evidence) == (step["lead"], step["noise"], step["evidence"])
    assert decide_again(ledger, ledger.baseline) == Verdict(Status.KEEP, "the baseline")
    weighed = f"lead +{step['lead']:.6f}, noise {step['noise']:.6f}, evidence {step['evidence']:.2f}"
    assert f"  weighed    {weighed}\n" in gitexp("why", "1").stdout
    assert "weighed" not in gitexp("why", "0").stdout
