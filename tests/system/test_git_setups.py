"""Repositories as people have them: signed commits, other tools' hooks, worktrees, partial clones, sha256."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitexp.model import Status
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, make_repository, set_lr

pytestmark = pytest.mark.slow  # repositories of every kind


def all_verdicts(folder: Path, gitexp: Gitexp) -> None:
    """A KEEP, a DISCARD and a CRASH, and everything in order afterwards."""
    for value in (0.2, 0.9, "oops"):
        set_lr(folder, value)
        gitexp("step", "-m", f"LR {value}")
    statuses = [iteration.status for iteration in ledger_of(folder).iterations]
    assert statuses == [Status.KEEP, Status.KEEP, Status.DISCARD, Status.CRASH]
    assert gitexp("fsck").stdout == "exp/train is in order.\n"
    assert git("status", "--porcelain", cwd=folder) == ""


def commits(folder: Path, form: str) -> list[str]:
    return git("log", f"--format={form}", "main..exp/train", cwd=folder).split()


# -- signatures ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ssh_signer(folder: Path, tmp_path: Path) -> Path:
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not installed")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "signers").write_text("ada@example.org " + key.with_suffix(".pub").read_text())
    settings = {
        "gpg.format": "ssh",
        "user.signingKey": str(key),
        "gpg.ssh.allowedSignersFile": str(tmp_path / "signers"),
        "commit.gpgsign": "true",
    }
    for name, value in settings.items():
        git("config", name, value, cwd=folder)
    return folder


def test_commits_are_signed_with_ssh_where_git_is_told_to(ssh_signer: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--budget", "5")
    all_verdicts(ssh_signer, gitexp)
    assert set(commits(ssh_signer, "%G?")) == {"G"}
    assert len(commits(ssh_signer, "%G?")) == 4 + 2


def test_a_key_that_is_gone_costs_no_measurement(ssh_signer: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    gitexp("init", "--budget", "5")
    (tmp_path / "key").rename(tmp_path / "elsewhere")
    set_lr(ssh_signer, 0.2)
    refused = gitexp("step", "-m", "LR 0.2", code=1)
    assert "exp001 is measured (score 2.010000), but cannot be sealed" in refused.stderr
    (tmp_path / "elsewhere").rename(tmp_path / "key")
    gitexp("recover")
    assert ledger_of(ssh_signer).incumbent.id == "exp001"


@pytest.mark.slow
def test_commits_are_signed_with_gpg(folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = Path(os.environ["HOME"]) / "g"  # the agent's socket has a short path
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    make = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "ada@example.org", "ed25519", "sign"]
    subprocess.run(make, check=True, capture_output=True)
    git("config", "user.signingKey", "ada@example.org", cwd=folder)
    git("config", "commit.gpgsign", "true", cwd=folder)
    try:
        gitexp("init", "--budget", "5")
        all_verdicts(folder, gitexp)
        assert set(commits(folder, "%G?")) == {"G"}
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False)


# -- who, and other people's hooks -----------------------------------------------------------------------------------


def test_without_an_identity_it_says_what_to_set(folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    git("config", "user.useConfigOnly", "true", cwd=folder)
    assert "git config user.name NAME" in gitexp("init", code=1).stderr
    git("config", "user.name", "Ada", cwd=folder)
    git("config", "user.email", "ada@example.org", cwd=folder)
    gitexp("init", "--budget", "5")
    assert commits(folder, "%an") == ["Ada"]


@pytest.mark.parametrize("tool", ["git", "husky"])
def test_other_tools_hooks_neither_run_nor_stop_a_step(tool: str, folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    """pre-commit, commit-msg and the like are for commits that people make; they could change what was run."""
    hooks = folder / (".git/hooks" if tool == "git" else ".husky")
    hooks.mkdir(exist_ok=True)
    if tool == "husky":
        git("config", "core.hooksPath", ".husky", cwd=folder)
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-push", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.2)
    gitexp("step", "-m", "LR 0.2")
    assert not (tmp_path / "ran").exists()
    assert ledger_of(folder).incumbent.id == "exp001"


def test_a_reference_transaction_hook_can_refuse_and_the_measurement_stays(folder: Path, gitexp: Gitexp) -> None:
    """git runs this one for every move of a ref, whoever moves it."""
    gitexp("init", "--budget", "5")
    hook = folder / ".git/hooks/reference-transaction"
    hook.write_text('#!/bin/sh\n[ "$1" = prepared ] && grep -q refs/heads/exp && exit 1\nexit 0\n')
    hook.chmod(0o755)
    set_lr(folder, 0.2)
    assert "exp001 is measured" in gitexp("step", "-m", "LR 0.2", code=1).stderr
    hook.unlink()
    gitexp("recover")
    assert ledger_of(folder).incumbent.id == "exp001"


# -- kinds of repositories -------------------------------------------------------------------------------------------


def test_a_linked_worktree(experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("switch", "-q", "main", cwd=experiment)
    git("worktree", "add", "-q", str(tmp_path / "linked"), "exp/train", cwd=experiment)
    monkeypatch.chdir(tmp_path / "linked")
    all_verdicts(tmp_path / "linked", gitexp)
    assert git("status", "--porcelain", cwd=experiment) == ""
    assert "exp001 KEEP" in git("log", "--format=%s", "exp/train", cwd=experiment)


def test_two_worktrees_take_their_steps_side_by_side(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("worktree", "add", "-q", str(tmp_path / "linked"), "main", cwd=experiment)
    monkeypatch.chdir(tmp_path / "linked")
    gitexp("init", "--name", "other", "--budget", "5")
    for folder, name in ((experiment, "train"), (tmp_path / "linked", "other")):
        monkeypatch.chdir(folder)
        set_lr(folder, 0.2)
        gitexp("step", "-m", "LR 0.2")
        assert ledger_of(folder, name).incumbent.id == "exp001"


def test_a_shallow_clone_says_how_to_get_the_rest(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2")
    git("clone", "-q", "--depth", "1", "-b", "exp/train", f"file://{experiment}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    for words in (["log"], ["status"], ["brief"], ["best"]):
        assert "git fetch --unshallow" in gitexp(*words, code=1).stderr
    git("fetch", "-q", "--unshallow")
    assert "exp001" in gitexp("best").stdout


def test_a_partial_clone_fetches_what_it_needs(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2")
    git("config", "uploadpack.allowFilter", "true", cwd=experiment)
    git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=experiment)
    clone = tmp_path / "partial"
    git("clone", "-q", "--filter=blob:none", "-b", "exp/train", f"file://{experiment}", str(clone))
    monkeypatch.chdir(clone)
    assert "exp001" in gitexp("log").stdout
    gitexp("hook", "--install")
    set_lr(clone, 0.3)
    gitexp("step", "-m", "LR 0.3")
    assert ledger_of(clone).incumbent.id == "exp002"
    assert "-LR = 0.1" in gitexp("diff", "exp000", "exp002").stdout


def test_a_sha256_repository(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    folder = make_repository(tmp_path / "sha256", {"train.py": TOY})
    monkeypatch.chdir(folder)
    gitexp("init", "--budget", "5")
    all_verdicts(folder, gitexp)
    assert {len(oid) for oid in commits(folder, "%H")} == {64}


def test_a_bare_repository_can_be_read(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("clone", "-q", "--bare", str(experiment), str(tmp_path / "bare.git"))
    monkeypatch.chdir(tmp_path / "bare.git")
    assert "exp000" in gitexp("log", "-e", "train").stdout
    assert "exp000" in gitexp("best", "-e", "train").stdout
    set_up = gitexp("init", code=1).stderr
    assert "work tree" in set_up
