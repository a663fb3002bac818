"""What gitexp is measured against, for real: the bash protocol, gitexp's semantics in bash, and ``dvc exp run``."""

from __future__ import annotations

import subprocess
import time
import venv
from functools import cache
from pathlib import Path

from .histories import BRANCH, git
from .loops import STEPS
from .places import folder
from .processes import FailedError, MissingError, run
from .wheel import environment

DVC = "dvc==3.67.1"
PARSE = 0.003  # milliseconds that a commit may cost beyond what git takes to print it

# The loop that gitexp grew out of: commit, train, look, and throw away what did not help.
PROTOCOL = """\
for n in $(seq "$1"); do
    {edit}
    git commit --quiet --all --message "try $n"
    sh .git/hooks/post-run > run.log 2>&1
    grep '^val_bpb:' run.log > /dev/null
    git rev-parse --short HEAD > /dev/null
    git reset --quiet --hard HEAD~1
done
"""
# The same with what gitexp keeps: each result in its commit's trailers, and each discard in the history.
SEMANTICS = """\
for n in $(seq "$1"); do
    {edit}
    base=$(git rev-parse HEAD)
    git commit --quiet --all --message "try $n"
    sh .git/hooks/post-run > run.log 2>&1
    score=$(sed -n 's/^val_bpb: //p' run.log)
    git commit --quiet --amend --message "exp$n DISCARD $score: try $n" --trailer "Exp-Id: exp$n" \\
        --trailer "Exp-Base: $base" --trailer "Exp-Status: DISCARD" --trailer "Exp-Score: $score"
    git revert --no-edit HEAD > /dev/null
    printf 'exp%s\\tval_bpb\\t%s\\tDISCARD\\n' "$n" "$score" >> run.tsv
done
"""
EDIT = 'echo "LR = -$RANDOM$n" > train.py'  # in bash itself
AGENT = ("sh", "-c", 'echo "LR = -$$" > train.py')  # a process, as an agent is one

STAGE = """\
stages:
  train:
    cmd: sh train.sh
    params: [lr]
    deps: [train.sh]
    metrics: [{metrics.json: {cache: false}}]
"""


def protocol(where: Path, edit: str = EDIT) -> float:
    """Milliseconds an iteration."""
    return _bash(PROTOCOL.format(edit=edit), where)


def semantics(where: Path) -> float:
    return _bash(SEMANTICS.format(edit=EDIT), where)


def _bash(script: str, where: Path) -> float:
    return run(["bash", "-euo", "pipefail", "-c", script, "protocol", str(STEPS)], where)[0] / STEPS


def printing(repository: Path) -> float:
    """git printing every commit of a history, and three microseconds a commit to read it."""
    pipe = f"git rev-list --first-parent {BRANCH} | git cat-file --batch --buffer > /dev/null"
    commits = int(git(repository, "rev-list", "--count", BRANCH))
    return run(["bash", "-c", pipe], repository)[0] + commits * PARSE


def dvc(where: Path) -> float:
    """``dvc exp run`` of a stage that only prints a score, its parameter changed; ``where`` is dvc's environment."""
    program, project = _install(where), _project(where)
    ran = project / ".git/ran"
    before = ran.read_text() if ran.exists() else ""
    (project / "params.yaml").write_text(f"lr: {time.time_ns()}\n")
    took, _ = run([program, "exp", "run", "--quiet"], project)
    if ran.read_text() == before:
        raise FailedError("dvc exp run did not run its stage.")
    return took


@cache
def _install(where: Path) -> Path:
    """dvc in an environment of its own, made when it is not there, and kept: dvc is no dependency of gitexp."""
    try:
        if not (where / "bin/python").exists():
            venv.create(where, with_pip=True)
        install = [str(where / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", DVC]
        subprocess.run(install, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        words = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        last = (words or "").strip().split("\n")[-1]
        raise MissingError(f"{DVC} could not be installed in {where}: {last}") from None
    return where / "bin/dvc"


@cache
def _project(where: Path) -> Path:
    project, program = folder() / "dvc", _install(where)
    project.mkdir()
    for words in ("init --quiet", "config user.name Bench", "config user.email bench@example.org"):
        git(project, *words.split())
    for words in ("init --quiet", "config core.analytics false", "config core.check_update false"):
        subprocess.run([program, *words.split()], cwd=project, env=environment(), check=True, capture_output=True)
    (project / "dvc.yaml").write_text(STAGE)
    (project / "params.yaml").write_text("lr: 0\n")
    (project / "train.sh").write_text("echo '{\"val_bpb\": 3}' > metrics.json\necho ran >> .git/ran\n")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "start")
    return project
