"""What must hold after each command, by plain git alone: nothing here imports gitexp."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil

from tests.soak import branch
from tests.soak.sandbox import STAYS, Sandbox, git, marks

LEAVES = 5.0  # seconds that processes are given to end


class FindingError(Exception):
    """Something does not hold; the sentence that says what."""


def check(holds: object, sentence: str) -> None:
    if not holds:
        raise FindingError(sentence)


def judge(sandbox: Sandbox, *, person_moved: bool, proposer_ran: bool) -> None:
    """Raise :class:`FindingError` for what does not hold now that gitexp has cleared up and nothing runs.

    ``person_moved``: a person changed the index, HEAD or editable files beside the last command, so those may differ.
    ``proposer_ran``: what a person saved meanwhile may have been taken for the proposer's, and set aside.
    """
    _check_processes(sandbox)
    done = subprocess.run(
        ["git", "fsck", "--full", "--strict", "--no-dangling"], cwd=sandbox.top, check=False, capture_output=True
    )
    check(
        done.returncode == 0 and not _complaints(done.stdout + done.stderr), f"git fsck: {done.stdout + done.stderr!r}"
    )
    refs = _refs(sandbox)
    _check_refs(sandbox, refs)
    for name in refs:
        if name.startswith("refs/heads/exp/"):
            try:
                branch.check(sandbox.top, name, single=sandbox.rule == "single")
                if not sandbox.in_place:  # there a person may save while it runs
                    branch.check_scores(sandbox.top, name, sandbox.script)
            except AssertionError as error:
                raise FindingError(f"{name}: {error}") from None
    _check_edits(sandbox)
    _check_person(sandbox, refs, proposer_ran)
    _check_work_tree(sandbox, person_moved)
    _check_leftovers(sandbox)


def _complaints(text: bytes) -> list[bytes]:
    """What fsck says besides its progress and its notices of dangling objects."""
    return [line for line in text.splitlines() if line.startswith((b"error", b"fatal", b"missing", b"broken", b"warn"))]


def _refs(sandbox: Sandbox) -> dict[str, str]:
    lines = git(sandbox.top, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)  # type: ignore[misc]


def _check_refs(sandbox: Sandbox, refs: dict[str, str]) -> None:
    """Each resolves, and none but those of reviews and logs ever loses a commit."""
    pending = [name for name in refs if name.startswith("refs/gitexp/pending")]
    check(not pending, f"{pending} outlived its step")
    for name, old in sandbox.tips.items():
        check(name in refs, f"{name} is gone")
        if name.startswith(("refs/heads/exp/", "refs/heads/results")) and refs[name] != old:
            missing = git(sandbox.top, "rev-list", "--max-count=1", f"{refs[name]}..{old}")
            check(not missing, f"{name} lost the commit {old}")
    sandbox.tips = {name: oid for name, oid in refs.items() if name != "refs/stash"}


def _check_edits(sandbox: Sandbox) -> None:
    """Each edit is in a commit, in a tree that a ref keeps, or in the work tree."""
    stashes = sandbox.stashes
    listed = git(sandbox.top, "rev-list", "--objects", "--all", *stashes).splitlines()
    names = [line.partition(" ") for line in listed]
    wanted = "\n".join(oid for oid, _, path in names if not path or path.endswith((".py", ".txt")))
    held = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=sandbox.top, input=wanted.encode(), check=True, capture_output=True
    ).stdout
    sandbox.sealed |= marks(held)
    files = (
        file for file in sandbox.top.rglob("*") if file.suffix in (".py", ".txt", ".orig") and ".git/" not in str(file)
    )
    there = {mark for file in files for mark in marks(file.read_bytes())}
    lost = sandbox.made() - marks(held) - there
    check(not lost, f"the edits {sorted(lost)} are lost")


def _check_person(sandbox: Sandbox, refs: dict[str, str], proposer_ran: bool) -> None:
    check(refs["refs/heads/main"] == sandbox.main, "main is not where the person left it")
    stashes = git(sandbox.top, "stash", "list", "--format=%H").split()
    check(stashes == sandbox.stashes, f"the stashes are {stashes}, and the person made {sandbox.stashes}")
    for name, text in sandbox.untracked.items():
        file = sandbox.top / name
        check(file.is_file() and file.read_text() == text, f"{name} is not as the person saved it")
    other = (sandbox.top / "other.txt").read_text()
    if proposer_ran and other == STAYS:
        sandbox.other = STAYS
    check(other == sandbox.other, f"other.txt holds {other!r} and not {sandbox.other!r}")
    head = git(sandbox.top, "symbolic-ref", "-q", "HEAD", check=False)
    check(head == sandbox.head, f"HEAD is {head}, and was {sandbox.head}")
    trees = git(sandbox.top, "worktree", "list", "--porcelain").count("worktree ")
    check(trees == 2, f"{trees} work trees")
    dirty = git(sandbox.beside, "status", "--porcelain")
    check(not dirty, f"the person's other work tree: {dirty}")


def _check_work_tree(sandbox: Sandbox, person_moved: bool) -> None:
    """Nothing is staged; what differs from HEAD is the person's, or an edit that no commit holds."""
    editable = tuple(sandbox.script.removesuffix("train.py") + path for path in sandbox.editable)
    for line in git(sandbox.top, "status", "--porcelain", "-uall").splitlines():
        staged, path = line[0], line[3:]
        check(person_moved or staged in " ?", f"staged: {line}")
        known = path in sandbox.untracked or path.startswith(editable)
        check(known or path == "other.txt" or person_moved, f"not gitexp's to leave or change: {line}")
    if sandbox.experiment and not person_moved:
        tried = sandbox.marks_in_files() - _marks_at_head(sandbox)
        check(not tried or tried - _marks_of_tries(sandbox), f"{tried} was sealed and reverted, and still lies there")


def _marks_at_head(sandbox: Sandbox) -> set[str]:
    return marks(git(sandbox.top, "grep", "-h", "edit:", "HEAD", check=False).encode())


def _marks_of_tries(sandbox: Sandbox) -> set[str]:
    """The marks in all commits of the experiment that is checked out."""
    return marks(git(sandbox.top, "log", "-p", "--format=", "--no-color", "HEAD").encode())


def _check_leftovers(sandbox: Sandbox) -> None:
    left = [file for file in (sandbox.top / ".git").rglob("*.lock") if not _is_flock(file)]
    left += list(sandbox.top.rglob("*.part"))
    check(not left, f"left behind: {left}")
    check(not os.listdir(sandbox.temporary), f"left in TMPDIR: {os.listdir(sandbox.temporary)}")


def _is_flock(file: Path) -> bool:
    """Two of gitexp's own locks are files that stay, and are locked by flock(2)."""
    return "gitexp" in file.parts or file.name.startswith("gitexp")


def _check_processes(sandbox: Sandbox) -> None:
    until = time.monotonic() + LEAVES
    while left := [process for process in psutil.process_iter() if _works_in(process, sandbox.folder)]:
        check(time.monotonic() < until, f"processes are left: {left}")
        time.sleep(0.01)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False
