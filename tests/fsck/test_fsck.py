"""``gitexp fsck``: an experiment in order has no finding, and what this clone lacks is said."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_lr
from tests.helpers.review_branches import pick
from tests.helpers.tampering import KEEPS, Branch, commit, findings

pytestmark = pytest.mark.slow  # by number: each takes half a second


# -- what is in order ------------------------------------------------------------------------------------------------


def test_an_experiment_in_order(branch: Branch, gitexp: Gitexp) -> None:
    for view in ("results.tsv", "EXPERIMENT.md"):
        assert not Path(view).exists()
    assert gitexp("fsck").stdout == "exp/train is in order.\n"
    gitexp("render")
    assert gitexp("fsck").stdout == "exp/train is in order.\n"
    assert gitexp("fsck", "main..exp/train").stdout == "main..exp/train is in order: exp000, …, exp008.\n"
    assert gitexp("fsck", "exp/train").stdout == "exp/train is in order: exp000, …, exp008.\n"
    assert gitexp("fsck", "exp/train~5..").stdout == "exp/train~5.. is in order: exp000, …, exp008.\n"
    assert gitexp("fsck", "main").stdout == "main is in order: no iteration is in it.\n"


def test_people_may_write_in_the_notebook(branch: Branch, gitexp: Gitexp) -> None:
    gitexp("render")
    file = Path("EXPERIMENT.md")
    file.write_text(file.read_text().replace("## Hypothesis\n", "## Hypothesis\n\nmore data\n"))
    gitexp("render")
    assert findings(gitexp) == {}


def test_a_fresh_clone_passes(branch: Branch, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("clone", "-q", "--no-local", str(tmp_path / "repository"), str(tmp_path / "clone"))
    git("clone", "-q", "--bare", "--no-local", str(tmp_path / "repository"), str(tmp_path / "bare"))
    monkeypatch.chdir(tmp_path / "clone")
    assert gitexp("fsck").stdout == "exp/train is in order.\n"
    git("switch", "-q", "--detach", "HEAD~1")
    assert gitexp("fsck", "-e", "train").stdout == "exp/train is in order.\n"
    monkeypatch.chdir(tmp_path / "bare")
    assert gitexp("fsck", "-e", "exp/train").stdout == "exp/train is in order.\n"


def test_an_experiment_that_began_from_another(branch: Branch, gitexp: Gitexp) -> None:
    gitexp("init", "--name", "second", "--freeze", "score.py", "--rule", "single")
    set_lr(Path(), "0.285")
    gitexp("step", "-m", "second")
    assert findings(gitexp) == {}
    assert gitexp("fsck", "main..").stdout == "main.. is in order: exp000, …, exp008; exp000, exp001.\n"
    git("branch", "-D", "exp/train")
    assert "no other branch holds what is below it (" in findings(gitexp)["contract"]
    git("branch", "merged", "HEAD~3")  # exp001 was discarded, and reverted
    assert findings(gitexp) == {}


def test_an_experiment_that_began_where_a_review_was_merged(branch: Branch, gitexp: Gitexp) -> None:
    pick(*KEEPS)
    git("branch", "-D", "exp/train")
    gitexp("init", "--name", "second", "--freeze", "score.py", "--rule", "single")
    assert findings(gitexp) == {}
    assert gitexp("fsck", "main..").stdout == "main.. is in order: exp001, exp003, exp006 picked for review; exp000.\n"


def test_what_follows_in_the_ancestry_is_other_work(branch: Branch, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    git("merge", "-q", "--ff-only", "exp/train")
    commit(Path("train.py"), "print(1)\n", "Rewrite the trainer")
    assert findings(gitexp, "main") == {}
    assert findings(gitexp, "main~1..main") == {}
    assert findings(gitexp, f"{branch.below}..main").keys() == {"foreign"}


# -- rebased, cut off, incomplete --------------------------------------------------------------------------------------


def test_a_rebased_branch(branch: Branch, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "moved")
    git("rebase", "-q", "--keep-empty", "main", "exp/train")
    for args in ((), ("main..exp/train",), ("exp/train",)):
        found = findings(gitexp, *args)
        assert found.keys() == {"rebased"}
        assert "exp000 KEEP 2.040000: baseline, and 8 after it, were sealed on other commits" in found["rebased"]


def test_a_branch_without_a_baseline(branch: Branch, gitexp: Gitexp) -> None:
    git("switch", "-q", "--orphan", "exp/none")
    git("commit", "-q", "--allow-empty", "-m", "empty")
    assert "exp/none holds no baseline" in findings(gitexp)["history"]
    branch.below = git("rev-parse", "HEAD").strip()
    branch.cut("exp000", "exp001")
    branch["exp002"].fits = False
    branch["exp002"].put("Exp-Base", branch.below)
    branch.write()
    assert "has no baseline below it" in findings(gitexp, "exp/none..exp/train")["history"]


@pytest.mark.parametrize("depth", [3, 10])
def test_a_shallow_clone_says_what_it_lacks(
    branch: Branch, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    source = f"file://{tmp_path}/repository"
    git("clone", "-q", "--depth", str(depth), "--no-single-branch", source, str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    for args in ((), ("origin/main..HEAD",), ("HEAD",)):
        assert "shallow" in findings(gitexp, *args)
    assert "this clone is shallow, and its history ends before the baseline" in findings(gitexp)["shallow"]
    git("fetch", "-q", "--unshallow")
    assert findings(gitexp) == {}


@pytest.mark.parametrize("form", ["blob:none", "tree:0"])
def test_a_partial_clone_says_what_it_lacks(
    branch: Branch, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    git("config", "uploadpack.allowFilter", "true")
    source = f"file://{tmp_path}/repository"
    git("clone", "-q", "--bare", f"--filter={form}", source, str(tmp_path / "partial"))
    monkeypatch.chdir(tmp_path / "partial")
    for args in (("-e", "train"), ("main..exp/train",)):
        found = findings(gitexp, *args)
        assert re.search(r"is partial: \d+ objects of these commits are missing", found["partial"])
        assert ("unchecked" in found) == (form == "tree:0")


def test_a_missing_object(branch: Branch, gitexp: Gitexp) -> None:
    blob = git("rev-parse", "HEAD:train.py").strip()
    Path(f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    assert findings(gitexp) == {"missing-object": f"The object {blob} is missing."}
    assert findings(gitexp, "main..HEAD") == {"missing-object": f"The object {blob} is missing."}


@pytest.mark.parametrize(
    ("args", "words", "code"),
    [
        (("nowhere..HEAD",), "There is no commit nowhere in this clone.\n  try: git fetch --all", 1),
        (("main...HEAD",), "main...HEAD is a symmetric range, and fsck takes A..B.\n  try: gitexp fsck main..HEAD", 1),
        (("--", "--all"), "There is no commit --all in this clone.", 1),
        (("main..HEAD", "-e", "train"), "exclude each other", 2),
        ((), "main is not the branch of an experiment.\n  try: gitexp fsck main..HEAD", 1),
    ],
)
def test_a_range_that_makes_no_sense(
    branch: Branch, gitexp: Gitexp, args: tuple[str, ...], words: str, code: int
) -> None:
    git("switch", "-q", "main")
    assert words in gitexp("fsck", *args, code=code).stderr


# -- what lies here ----------------------------------------------------------------------------------------------------


def test_stale_views_another_hook_and_a_leftover_ref(branch: Branch, gitexp: Gitexp) -> None:
    gitexp("render")
    Path("results.tsv").write_text("old\n")
    with Path(".git/hooks/post-run").open("a") as hook:
        hook.write("# changed\n")
    git("update-ref", "refs/gitexp/pending/exp/train", "HEAD^{tree}")
    assert findings(gitexp).keys() == {"views", "hook", "pending"}
    assert findings(gitexp, "main..HEAD") == {}


def test_an_id_far_off(branch: Branch, gitexp: Gitexp) -> None:
    branch.renumber("exp007", 10**8)
    branch.write()
    assert findings(gitexp) == {"gap": "There is no iteration between exp006 and exp100000007."}


# -- nothing of the repository's is run --------------------------------------------------------------------------------


def plant(mark: Path) -> None:
    """Everything in a repository that git, or Python, could be made to run."""
    spy = Path("spy").absolute()
    spy.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    spy.chmod(0o755)
    filters = {f"filter.evil.{kind}": str(spy) for kind in ("clean", "smudge")}
    diffs = {"diff.evil.textconv": str(spy), "diff.external": str(spy), "diff.evil.command": str(spy)}
    others = {
        "core.fsmonitor": str(spy),
        "core.pager": str(spy),
        "pager.log": "true",
        "core.sshCommand": str(spy),
        "core.editor": str(spy),
        "core.hooksPath": "evil-hooks",
        "gpg.program": str(spy),
        "log.showSignature": "true",
        "trailer.exp-id.command": str(spy),
        "trailer.exp-score.cmd": str(spy),
        "merge.evil.driver": str(spy),
        "credential.helper": f"!{spy}",
        "alias.log": f"!{spy}",
    }
    for key, value in {**filters, **diffs, **others}.items():
        git("config", key, value)
    Path("evil-hooks").mkdir()
    for name in ("post-run", "post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        shutil.copy(spy, Path("evil-hooks") / name)
    for file in (Path(".gitattributes"), Path(".git/info/attributes")):
        file.write_text("* diff=evil filter=evil merge=evil\n")
    for name in ("click.py", "git.py", "gitexp.py", "sitecustomize.py", "conftest.py", "score.py"):
        Path(name).write_text(f"open({str(mark)!r}, 'w')\n")


def ran(mark: Path, *command: str) -> bool:
    mark.unlink(missing_ok=True)
    subprocess.run(command, capture_output=True, check=False)
    return mark.exists()


def test_nothing_of_the_repositorys_is_run(branch: Branch, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    signed = git("cat-file", "commit", "HEAD").replace("\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n\n", 1)
    git("update-ref", "HEAD", git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed).strip())
    plant(mark)
    for command in ("git diff HEAD~3 HEAD", "git status", "git log -1", "git show -1 --ext-diff HEAD~1"):
        assert ran(mark, *command.split()), command
    executable = str(Path(sys.executable).parent / "gitexp")
    for args in (("fsck",), ("fsck", "main..HEAD"), ("fsck", "HEAD"), ("fsck", "-e", "train", "--json")):
        assert not ran(mark, executable, *args), args
    done = subprocess.run([executable, "fsck", "main..HEAD"], capture_output=True, text=True, check=False)
    assert done.stdout == "main..HEAD is in order: exp000, …, exp008.\n", done


def test_nothing_is_fetched(branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partial clone fetches what is missing when it is looked at, by whatever its configuration calls a transport."""
    git("switch", "-q", "main")
    commit(Path("other.txt"), "moved\n", "Move on")
    pick("exp000", *KEEPS)
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "-q", "--bare", "--filter=blob:none", f"file://{tmp_path}/repository", str(tmp_path / "partial"))
    monkeypatch.chdir(tmp_path / "partial")
    mark = tmp_path / "ran"
    git("config", "remote.origin.url", f"ext::touch {mark}")
    git("config", "protocol.ext.allow", "always")
    assert ran(mark, "git", "show", "review/train")
    executable = str(Path(sys.executable).parent / "gitexp")
    for args in (("main..review/train",), ("-e", "train")):
        assert not ran(mark, executable, "fsck", *args)
        done = subprocess.run([executable, "fsck", "--json", *args], capture_output=True, text=True, check=False)
        assert "partial" in [finding["code"] for finding in json.loads(done.stdout)]
