"""Packing beside the steps: what lies loose is packed, nothing is lost, and nobody waits for it."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from gitexp.git.repack import FEW, LOCK, SAMPLE, pack
from gitexp.git.repository import Repository
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_lr

SETTINGS = [("gc.auto", "0"), ("maintenance.auto", "false")]
_NUMBERS = itertools.count()
GIT = """\
#!/bin/sh
for word; do
    if [ "$word" = version ] && [ -n "$GIT_SAYS" ]; then echo "git version $GIT_SAYS"; exit; fi
    if [ "$word" = repack ]; then
        echo "$*" >> "$NOTES/repacks"
        if [ -e "$NOTES/die" ]; then kill -9 $$; fi
        if [ -e "$NOTES/gate" ]; then read _ < "$NOTES/gate"; fi
    fi
done
exec REAL "$@"
"""


def pile(folder: Path, ref: str = "") -> None:
    """Loose objects, one more than may be, of those that are counted; ``ref`` makes them reachable."""
    texts = (f"{number}\n" for number in _NUMBERS)
    counted = (text for text in texts if _oid(text).startswith(SAMPLE))
    oids = [
        git("hash-object", "-w", "--stdin", cwd=folder, stdin=text).strip()
        for text in itertools.islice(counted, FEW + 1)
    ]
    if ref:
        tree = git("mktree", cwd=folder, stdin="".join(f"100644 blob {oid}\t{oid}\n" for oid in oids)).strip()
        git("update-ref", ref, tree, cwd=folder)


def _oid(text: str) -> str:
    return hashlib.sha1(f"blob {len(text)}\0{text}".encode(), usedforsecurity=False).hexdigest()


def wait(folder: Path) -> None:
    """Until the background has ended: the lock is free then."""
    with Repository.discover(folder).shared_lock(LOCK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def packed(folder: Path) -> None:
    """As steps do it: the next one sees what was left, and does not try that again."""
    for _ in range(2):
        pack(Repository.discover(Path(os.path.relpath(folder))))
        wait(folder)


def count(folder: Path, what: str = "count") -> int:
    """What ``git count-objects`` says: count (of loose objects), packs, in-pack."""
    lines = git("count-objects", "-v", cwd=folder).splitlines()
    return int(dict(line.split(": ") for line in lines)[what])


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A git before git: it notes every ``repack``, and can be told what to say, to wait, or to die."""

    notes: Path

    @property
    def repacks(self) -> list[str]:
        return (self.notes / "repacks").read_text().splitlines() if (self.notes / "repacks").exists() else []


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wrapped:
    notes = tmp_path / "notes"
    notes.mkdir()
    real = shutil.which("git")
    assert real
    (notes / "git").write_text(GIT.replace("REAL", real))
    (notes / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{notes}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(notes))
    return Wrapped(notes)


def test_a_step_has_the_loose_objects_packed(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "few are loose")
    assert count(experiment, "packs") == 0
    pile(experiment)
    set_lr(experiment, 0.9)
    gitexp("step", "-m", "many are")
    wait(experiment)
    assert (count(experiment), count(experiment, "packs")) == (0, 1)
    assert gitexp("fsck").stdout == "exp/train is in order.\n"
    set_lr(experiment, 0.3)
    assert "exp003 KEEP" in gitexp("step", "-m", "from the pack").stdout


def test_everything_reads_the_same_and_nothing_is_pruned(kept: Path, gitexp: Gitexp) -> None:
    pile(kept, "refs/gitexp/saved/pile")
    lost = git("hash-object", "-w", "--stdin", cwd=kept, stdin="nothing names this").strip()

    def reading() -> list[str]:
        objects = git("cat-file", "--batch-all-objects", "--batch-check", cwd=kept)
        return [gitexp("log").stdout, gitexp("log", "--json").stdout, objects, git("for-each-ref", cwd=kept)]

    before = reading()
    packed(kept)
    assert count(kept, "packs") == 1
    assert reading() == before
    assert git("cat-file", "-p", lost, cwd=kept) == "nothing names this"
    git("fsck", "--strict", cwd=kept)
    assert gitexp("fsck").stdout == "exp/train is in order.\n"


@pytest.mark.parametrize(("key", "value"), SETTINGS)
def test_who_switches_git_off_has_it_off(experiment: Path, gitexp: Gitexp, key: str, value: str) -> None:
    git("config", key, value, cwd=experiment)
    pile(experiment)
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2")
    wait(experiment)
    assert count(experiment, "packs") == 0


def test_a_disk_that_is_nearly_full_is_not_filled(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pile(experiment)
    used = sum(file.stat().st_size for file in (experiment / ".git/objects").rglob("*") if file.is_file())
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=used))
        packed(experiment)
    assert count(experiment, "packs") == 0
    pile(experiment)
    packed(experiment)
    assert count(experiment, "packs") == 1


def test_bitmaps_are_no_obstacle(experiment: Path) -> None:
    git("config", "repack.writeBitmaps", "true", cwd=experiment)
    pile(experiment, "refs/tags/pile")
    packed(experiment)
    assert count(experiment, "packs") == 1


def test_packs_stay_few(experiment: Path) -> None:
    if Repository.discover(experiment).driver.version_info < (2, 33):
        pytest.skip("this git has no --geometric")
    for number in range(5):
        pile(experiment)
        packed(experiment)
        assert count(experiment) == 0, number
    assert count(experiment, "packs") <= 3
    git("fsck", "--strict", cwd=experiment)


def test_one_at_a_time_and_no_run_ends_it(experiment: Path, gitexp: Gitexp, wrapped: Wrapped) -> None:
    os.mkfifo(wrapped.notes / "gate")
    gate = os.open(wrapped.notes / "gate", os.O_RDWR)
    for value in (0.2, 0.3):  # the second step's run begins and ends while the packing of the first one waits
        pile(experiment)
        set_lr(experiment, value)
        gitexp("step", "-m", f"LR {value}")
    os.write(gate, b"go on\n")
    wait(experiment)
    os.close(gate)
    assert len(wrapped.repacks) == 1
    assert (count(experiment), count(experiment, "packs")) == (0, 1)


def test_what_was_killed_is_done_later(experiment: Path, wrapped: Wrapped) -> None:
    (wrapped.notes / "die").touch()
    for _ in range(2):
        pile(experiment)
        packed(experiment)
    assert len(wrapped.repacks) == 2
    assert count(experiment, "packs") == 0
    (wrapped.notes / "die").unlink()
    pile(experiment)
    packed(experiment)
    assert (count(experiment), count(experiment, "packs")) == (0, 1)


def test_an_old_git_packs_what_is_reachable(
    experiment: Path, wrapped: Wrapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SAYS", "2.25.5")
    pile(experiment, "refs/tags/pile")
    packed(experiment)
    assert (count(experiment), count(experiment, "packs")) == (0, 1)
    assert "--geometric" not in wrapped.repacks[0]
    for expected in (2, 3):
        pile(experiment)  # which it has to leave
        packed(experiment)
        assert len(wrapped.repacks) == expected
    assert count(experiment) == 2 * (FEW + 1)
    pile(experiment, "refs/tags/more")
    packed(experiment)
    assert (count(experiment), count(experiment, "packs")) == (2 * (FEW + 1), 2)


def test_a_linked_work_tree_packs_what_is_shared(experiment: Path, tmp_path: Path) -> None:
    git("worktree", "add", "-q", str(tmp_path / "linked"), "main", cwd=experiment)
    pile(experiment)
    pack(Repository.discover(tmp_path / "linked"))
    wait(experiment)
    assert (count(experiment), count(experiment, "packs")) == (0, 1)


def test_what_a_clone_borrows_is_left_where_it_is(experiment: Path, tmp_path: Path) -> None:
    git("clone", "-q", "--shared", str(experiment), str(tmp_path / "borrower"))
    pile(tmp_path / "borrower", "refs/tags/pile")
    packed(tmp_path / "borrower")
    assert (count(tmp_path / "borrower"), count(tmp_path / "borrower", "in-pack")) == (0, FEW + 2)
    git("fsck", "--strict", cwd=tmp_path / "borrower")


def test_what_a_partial_clone_was_promised_stays_promised(experiment: Path, tmp_path: Path) -> None:
    git("config", "uploadpack.allowFilter", "true", cwd=experiment)
    clone = tmp_path / "partial"
    git("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{experiment}", str(clone))
    promised = sorted((clone / ".git/objects/pack").iterdir())
    pile(clone, "refs/tags/pile")
    packed(clone)
    assert count(clone) == 0
    assert set(promised) < set((clone / ".git/objects/pack").iterdir())
    git("fsck", "--strict", cwd=clone)
