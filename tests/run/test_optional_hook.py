"""pre-run and post-step: optional, and never at the cost of an iteration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitexp.resources import data_dir
from gitexp.run import hooks
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import git, set_lr


def put(folder: Path, name: str, script: str) -> Path:
    hook = folder / ".git" / "hooks" / name
    hook.write_text("#!/bin/sh\n" + script)
    hook.chmod(0o755)
    return hook


def test_the_gate_refuses_before_any_run_and_says_why(experiment: Path, gitexp: Gitexp) -> None:
    put(experiment, "pre-run", 'echo "E501 too long"; echo "$EXPERIMENT_ID $METRIC $GITEXP_SCRIPT" >&2; exit 3\n')
    set_lr(experiment, 0.2)
    refused = gitexp("step", "-m", "x", code=1)
    assert (
        "The pre-run hook refused this edit (exit 3):\n    E501 too long\n    exp001 val_bpb train.py" in refused.stderr
    )
    assert "exp001.pre-run.log" in refused.stderr
    assert (experiment / "train.py").read_text().startswith("LR = 0.2")
    assert len(ledger_of(experiment).iterations) == 1
    assert not list((experiment / ".git/gitexp/train/logs").glob("exp001-*.log"))


def test_what_the_gate_formats_is_what_runs_and_is_sealed(experiment: Path, gitexp: Gitexp) -> None:
    put(experiment, "pre-run", "sed -i.bak 's/LR =  *0/LR = 0/' train.py && rm train.py.bak\n")
    (experiment / "train.py").write_text((experiment / "train.py").read_text().replace("LR = 0.1", "LR =    0.2"))
    gitexp("step", "-m", "x")
    assert git("show", "HEAD:train.py", cwd=experiment).startswith("LR = 0.2\n")


def test_a_gate_that_hangs_is_ended(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--budget", "0.1", "--timeout", "0.4")
    put(folder, "pre-run", "sleep 60\n")
    set_lr(folder, 0.2)
    assert "The pre-run hook hung; nothing was run." in gitexp("step", "-m", "x", code=1).stderr


@pytest.mark.parametrize("name", ["pre-run", "post-step"])
def test_a_hook_without_its_run_bit_is_named(name: str, experiment: Path, gitexp: Gitexp) -> None:
    put(experiment, name, "true\n").chmod(0o644)
    set_lr(experiment, 0.2)
    said = gitexp("step", "-m", "x", code=1 if name == "pre-run" else 0).stderr
    assert f"The {name} hook" in said
    assert "no run bit" in said
    assert len(ledger_of(experiment).iterations) == (1 if name == "pre-run" else 2)


def test_the_verdict_is_one_json_object(experiment: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    put(experiment, "post-step", f"cat > {tmp_path}/verdict; pwd > {tmp_path}/where\n")
    set_lr(experiment, 0.2)
    said = json.loads(gitexp("step", "-m", "x", "--json").stdout)
    verdict = json.loads((tmp_path / "verdict").read_text())
    assert verdict == said
    assert (verdict["id"], verdict["status"], verdict["experiment"]) == ("exp001", "KEEP", "train")
    assert (tmp_path / "where").read_text().strip() == str(experiment)


@pytest.mark.parametrize(
    ("script", "said"), [("exit 7\n", "failed (exit 7)"), ("sleep 60\n", "hung for 0 s"), ("kill -9 $$\n", "exit -9")]
)
def test_whatever_the_post_step_hook_does_the_iteration_stands(
    script: str, said: str, experiment: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "NOTIFY_TIMEOUT", 0.2)
    put(experiment, "post-step", script)
    set_lr(experiment, 0.2)
    done = gitexp("step", "-m", "x")
    assert said in done.stderr
    assert "exp001 is sealed all the same" in done.stderr
    assert ledger_of(experiment).incumbent.id == "exp001"


def test_a_hook_that_cannot_be_started_is_named(experiment: Path, gitexp: Gitexp) -> None:
    for name in ("pre-run", "post-step"):
        put(experiment, name, "").write_text("#!/no/such/interpreter\n")
    set_lr(experiment, 0.2)
    assert "The pre-run hook" in gitexp("step", "-m", "x", code=1).stderr
    (experiment / ".git/hooks/pre-run").unlink()
    assert "The post-step hook cannot be run" in gitexp("step", "-m", "x").stderr


def test_the_packaged_samples_are_installed_and_work(experiment: Path, gitexp: Gitexp) -> None:
    for name in ("pre-run", "post-step"):
        assert str(experiment / ".git/hooks" / name) in gitexp("hook", "--install", name).stdout
        assert (experiment / ".git/hooks" / name).read_text() == (data_dir("hooks") / name).read_text()
    assert "There is a hook already" in gitexp("hook", "--install", "pre-run", code=1).stderr
    set_lr(experiment, "0.2 +")
    assert "SyntaxError" in gitexp("step", "-m", "x", code=1).stderr
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    assert json.loads((experiment / ".git/gitexp/train/journal.jsonl").read_text())["id"] == "exp001"
