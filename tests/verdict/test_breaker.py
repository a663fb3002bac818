"""The circuit breaker, and the diagnosis of crashes: each class of them with the real failure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, set_lr

RAISES = "[][{n}]"


def crash(folder: Path, gitexp: Gitexp, times: int, start: int = 0) -> None:
    for n in range(start, start + times):
        set_lr(folder, RAISES.format(n=n))
        assert "CRASH" in gitexp("step", "-m", f"crash {n}").stdout


def test_three_crashes_in_a_row_on_the_same_error_open_it(experiment: Path, gitexp: Gitexp) -> None:
    crash(experiment, gitexp, 2)
    assert gitexp("breaker").stdout == "The circuit breaker is closed.\n"
    set_lr(experiment, "[][7]")
    third = gitexp("step", "-m", "third")
    assert "The circuit breaker is open: exp001, exp002, exp003 crashed in a row" in third.stderr
    set_lr(experiment, 0.2)
    said = gitexp("step", "-m", "x", code=4).stderr
    assert "error   IndexError in train.py:<module>: list index out of range" in said
    assert "Traceback (most recent call last)" in said
    assert "try: gitexp breaker reset --why" in said
    assert gitexp("breaker", code=4).stderr == said
    assert "breaker       open: gitexp breaker" in gitexp("status").stdout
    assert json.loads(gitexp("status", "--json").stdout)["breaker_open"] is True
    assert "LR = 0.2" in (experiment / "train.py").read_text()
    assert len(ledger_of(experiment).iterations) == 4


def test_a_reset_is_sealed_and_closes_it(experiment: Path, gitexp: Gitexp) -> None:
    crash(experiment, gitexp, 3)
    assert "needs a reason" in gitexp("breaker", "reset", "--why", " ", code=1).stderr
    said = gitexp("breaker", "reset", "--why", "the index was wrong: a typo").stdout
    assert said == "The circuit breaker is closed again, after exp003.\n"
    assert git("log", "-1", "--format=%s").strip() == (
        "Reset the circuit breaker after exp003: the index was wrong: a typo"
    )
    assert git("log", "-1", "--format=%(trailers:key=Exp-Remark,valueonly)").strip() == "breaker exp003"
    assert git("rev-parse", "HEAD^{tree}") == git("rev-parse", "HEAD~1^{tree}")
    assert (
        "exp003: the circuit breaker was reset: the index was wrong: a typo"
        in (experiment / "EXPERIMENT.md").read_text()
    )
    assert "in order" in gitexp("fsck").stdout
    assert "nothing to reset" in gitexp("breaker", "reset", "--why", "again", code=1).stderr
    crash(experiment, gitexp, 2, start=10)
    assert "closed" in gitexp("breaker").stdout
    crash(experiment, gitexp, 1, start=20)
    assert "exp004, exp005, exp006" in gitexp("breaker", code=4).stderr


def test_a_clone_does_not_forget_it(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(experiment, gitexp, 3)
    git("clone", "-q", str(experiment), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    said = gitexp("breaker", code=4).stderr
    assert "IndexError in train.py:<module>" in said
    assert "Traceback" not in said  # its log is on another machine


@pytest.mark.parametrize(
    "values",
    [
        ("[][1]", "[][2]", "undefined"),
        ("[][1]", "[][2]", "0.9", "[][3]"),
    ],
    ids=["another error", "a run that was measured in between"],
)
def test_what_does_not_open_it(experiment: Path, gitexp: Gitexp, values: tuple[str, ...]) -> None:
    for value in values:
        set_lr(experiment, value)
        gitexp("step", "-m", value)
    assert "closed" in gitexp("breaker").stdout


# -- diagnosis: the real failures --------------------------------------------------------------------------------------

NO_GPU = "import mlx.core as mx\nmx.set_default_device(mx.gpu)\nmx.eval(mx.zeros(3) + 1)\n"
FULL = "with open('/dev/full', 'w') as file:\n    file.write('x' * 10**6)\n"
MEMORY = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\nx = bytearray(1 << 33)\n"
DIVERGED = "loss = float('inf') - float('inf')\nassert loss == loss, f'training diverged: the loss is {loss}'\n"
FAILURES = {
    "out of memory": MEMORY,
    "diverged": DIVERGED,
    "shape mismatch": "import numpy as np\nnp.zeros((3, 4)) @ np.zeros((3, 4))\n",
    "missing module": "import no_such_module_anywhere\n",
    "syntax error": "def f(:\n",
    "missing data": "open('data/no-such-file.txt')\n",
    "no score": "print('done')\n",
    "timeout": "import time\ntime.sleep(60)\n",
    "killed by a signal": "import ctypes\nctypes.string_at(0)\n",
    "disk full": FULL,
    "error": "{}['key']\n",
}
MORE = {
    "diverged": "print('val_bpb: nan')\n",
    "shape mismatch": "import mlx.core as mx\nmx.eval(mx.zeros((3, 4)) @ mx.zeros((3, 4)))\n",
    "out of memory": "import os\nos.kill(os.getpid(), 9)\n",  # as the kernel does it
}


def diagnosed(folder: Path, gitexp: Gitexp, code: str) -> dict[str, object]:
    gitexp("init", "--budget", "5", "--timeout", "5" if "sleep" not in code else "1")
    (folder / "train.py").write_text(code)
    outcome = json.loads(gitexp("step", "-m", "x", "--json").stdout)
    assert outcome["status"] == "CRASH"
    found: dict[str, object] = outcome["diagnosis"]
    assert found["cause"]
    assert found["fix"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_the_likely_cause_of_a_crash(folder: Path, gitexp: Gitexp, name: str) -> None:
    assert diagnosed(folder, gitexp, FAILURES[name])["name"] == name


@pytest.mark.parametrize("name", MORE)
def test_the_likely_cause_of_another(folder: Path, gitexp: Gitexp, name: str) -> None:
    assert diagnosed(folder, gitexp, MORE[name])["name"] == name


@pytest.mark.skipif(
    "True"
    in subprocess.run(
        [sys.executable, "-c", "import mlx.core as mx; print(mx.metal.is_available())"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout,
    reason="there is a GPU",
)
def test_the_likely_cause_where_there_is_no_gpu(folder: Path, gitexp: Gitexp) -> None:
    assert diagnosed(folder, gitexp, NO_GPU)["name"] == "no GPU"


def test_the_cause_is_part_of_what_a_step_prints(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / "train.py").write_text(TOY + "import no_such_module_anywhere\n")
    assert "missing module: A module that the script imports is not installed" in gitexp("step", "-m", "x").stdout
