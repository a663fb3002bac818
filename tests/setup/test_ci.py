"""``gitexp init --ci``: the workflow is written once, says nothing that Actions would not take, and does its work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gitexp.setup import ci
from gitexp.version import VERSION
from tests.helpers import project
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.repositories import git
from tests.helpers.review_branches import pick, summarize
from tests.helpers.tampering import KEEPS, Branch, commit, falsify_keep

FILE = Path(".github/workflows/gitexp.yml")
OWN = project.ROOT / ".github" / "workflows" / "ci.yml"


def workflow(file: Path) -> dict[str, object]:
    loaded = yaml.safe_load(file.read_text())
    assert isinstance(loaded, dict)
    return {"on" if key is True else key: value for key, value in loaded.items()}  # YAML 1.1 reads on: as true


def check_workflow(file: Path) -> list[str]:
    """What https://json.schemastore.org/github-workflow.json asks of the keys used here, and what review would.

    Returns the actions that it uses, with what stands beside them: which version a commit id is.
    """
    loaded, text = workflow(file), file.read_text()
    assert loaded.keys() == {"name", "on", "permissions", "jobs"}
    assert loaded["permissions"] == {"contents": "read"}
    (job,) = loaded["jobs"].values()  # type: ignore[attr-defined]
    assert job.keys() - {"strategy"} == {"runs-on", "timeout-minutes", "steps"}
    for step in job["steps"]:
        assert len(step.keys() & {"uses", "run"}) == 1
        assert step.keys() <= {"uses", "with", "run", "env"}
        if "uses" in step:
            assert re.fullmatch(r"actions/(checkout|setup-python)@[0-9a-f]{40}", step["uses"])
        else:
            assert "${{" not in step["run"]
    checkout = next(step["with"] for step in job["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["persist-credentials"] is False
    assert "secrets" not in text
    used = re.findall(r"uses: (.*)", text)
    assert all(re.search(r" # v\d+\.\d+\.\d+$", action) for action in used)
    return sorted(used)


def test_alone_it_only_writes_the_file(experiment: Path, gitexp: Gitexp) -> None:
    tip = git("rev-parse", "exp/train")
    for _ in range(2):
        assert f"{FILE}. Commit it on" in gitexp("init", "--ci").stdout
        assert git("rev-parse", "exp/train") == tip
        assert git("status", "--porcelain") == "?? .github/\n"
    git("switch", "-q", "main")
    FILE.unlink()
    gitexp("init", "--ci")
    assert FILE.exists()


def test_with_an_experiment_to_begin_it_does_both(folder: Path, gitexp: Gitexp) -> None:
    said = gitexp("init", "--ci").stdout
    assert "exp000 val_bpb 2.040000" in said
    assert FILE.exists()
    FILE.unlink()
    assert "exp000 val_bpb 2.040000" in gitexp("init", "--name", "other", "--ci").stdout
    assert FILE.exists()


def test_what_somebody_wrote_is_not_overwritten(folder: Path, gitexp: Gitexp) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text("mine\n")
    assert f"{FILE} exists, and is not what this gitexp" in refused(gitexp, folder, "init", "--ci")
    said = refused(gitexp, folder, "init", "--ci", "--name", "other")
    subprocess.run(said.split("try: ")[1].partition(" && ")[0], shell=True, check=True)
    gitexp("init", "--ci")
    assert Path(f"{FILE}.old").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("0.1.0", "gitexp~=0.1.0"), ("1.2.3.dev4+g1", "gitexp~=1.2.3.dev4"), ("0+checkout", "gitexp")],
)
def test_it_installs_this_release(version: str, wanted: str) -> None:
    assert ci.requirement(version) == wanted


def test_it_is_a_workflow_that_can_do_no_harm(experiment: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--ci")
    check_workflow(FILE)
    loaded = workflow(FILE)
    assert loaded["on"] == {"pull_request": None}
    (job,) = loaded["jobs"].values()  # type: ignore[attr-defined]
    assert "strategy" not in job
    checkout = next(step["with"] for step in job["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["fetch-depth"] == 0
    assert "@GITEXP@" not in FILE.read_text()


def test_gitexp_s_own_workflow_can_do_no_harm_and_runs_all_checks_on_both_systems() -> None:
    loaded = workflow(OWN)
    assert check_workflow(OWN) == check_workflow(project.TEMPLATES / "ci" / "gitexp.yml")
    assert loaded["on"] == {"push": {"branches": ["main"]}, "pull_request": None}
    (job,) = loaded["jobs"].values()  # type: ignore[attr-defined]
    systems, pythons = job["strategy"]["matrix"]["system"], job["strategy"]["matrix"]["python"]
    assert [system.partition("-")[0] for system in systems] == ["ubuntu", "macos"]
    assert int(systems[1].partition("-")[2]) >= 14  # Apple silicon
    assert f"python_requires = >={pythons[0]}\n" in (project.ROOT / "setup.cfg").read_text()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(project.ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not on PATH")
def test_actionlint_has_nothing_to_say(experiment: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--ci")
    done = subprocess.run(["actionlint", str(FILE), str(OWN)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def as_actions_would(origin: Path, head: str, work: Path) -> subprocess.CompletedProcess[str]:
    """Run the workflow's scripts, each by the shell and in the environment that Actions gives it, on a pull request."""
    work.mkdir()
    values = {
        "github.base_ref": "main",
        "github.event.pull_request.head.sha": git("rev-parse", head, cwd=origin).strip(),
    }

    def valued(text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text)

    (job,) = yaml.safe_load((origin / FILE).read_text())["jobs"].values()
    # pip has no index here, and needs none: this gitexp is the release that is asked for.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    runner = {**os.environ, "PATH": path, "PIP_NO_INDEX": "1", "GITHUB_BASE_REF": "main"}
    done = None
    for step in job["steps"]:
        if "checkout" in step.get("uses", ""):
            git("clone", "-q", "--no-local", str(origin), str(work))
            git("checkout", "-q", "--detach", valued(step["with"]["ref"]), cwd=work)
        if "run" in step:
            shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
            env = runner | {name: valued(value) for name, value in step.get("env", {}).items()}
            done = subprocess.run(shell, cwd=work, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                break
    assert done
    return done


@pytest.mark.slow
@pytest.mark.skipif(VERSION.startswith("0+"), reason="this checkout was never installed")
def test_its_scripts_pass_what_is_in_order_and_nothing_else(branch: Branch, gitexp: Gitexp, tmp_path: Path) -> None:
    git("switch", "-q", "main")
    gitexp("init", "--ci")
    commit(FILE, FILE.read_text(), "Check pull requests")
    pick("exp000", *KEEPS)
    summarize(gitexp)
    git("switch", "-q", "main")
    origin = tmp_path / "repository"
    for head in ("review/train", "exp/train", "main"):
        done = as_actions_would(origin, head, tmp_path / head.replace("/", "-"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "origin/main..HEAD is in order: " in done.stdout
    falsify_keep(branch)
    branch.write()
    done = as_actions_would(origin, "exp/train", tmp_path / "falsified")
    assert done.returncode == 1
    assert done.stdout.startswith("verdict: exp005 is sealed as KEEP, and by its rule is DISCARD")
    done = as_actions_would(origin, "review/train", tmp_path / "cut-off")
    assert (
        "not checked: the verdicts of exp006, as the experiment they were picked from is not in this clone"
        in done.stderr
    )
