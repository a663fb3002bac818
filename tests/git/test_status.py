"""Files that changed, and files that git does not track: git's own answer is the expected one."""

from __future__ import annotations

import subprocess

from gitexp.git.objects import REGULAR
from gitexp.git.repository import Repository
from gitexp.git.status import Change, exclude, operation, tracked_changes, untracked_files
from tests.helpers.odd_names import ODD, lay
from tests.helpers.repositories import git, make_repository


def test_every_kind_of_change(repo: Repository) -> None:
    lay(
        repo.top,
        dict.fromkeys(("kept", "gone", "removed", "edited", "staged", "both", "mode", "link"), (REGULAR, "x")),
    )
    git("add", "-A", cwd=repo.top)
    git("commit", "-q", "-m", "files", cwd=repo.top)
    (repo.top / "gone").unlink()
    git("rm", "-q", "removed", cwd=repo.top)
    for name in ("edited", "staged", "both", "added"):
        (repo.top / name).write_text("y")
    git("add", "staged", "both", "added", cwd=repo.top)
    (repo.top / "both").write_text("z")
    (repo.top / "mode").chmod(0o755)
    (repo.top / "link").unlink()
    (repo.top / "link").symlink_to("kept")
    (repo.top / "untracked").write_text("x")
    assert sorted(tracked_changes(repo), key=lambda change: change.path) == [
        Change("added", staged=True),
        Change("both", staged=True),
        Change("edited", staged=False),
        Change("gone", staged=False),
        Change("link", staged=False),
        Change("mode", staged=False),
        Change("removed", staged=True),
        Change("staged", staged=True),
    ]
    assert untracked_files(repo, ["."]) == ["untracked"]


def test_changes_of_odd_names(repo: Repository) -> None:
    names = [*ODD, *(f"{name}/{name}" for name in ("1 a", "2 b", "u c", "? d"))]
    lay(repo.top, dict.fromkeys(names, (REGULAR, "x")))
    git("add", "-A", cwd=repo.top)
    git("commit", "-q", "-m", "odd", cwd=repo.top)
    assert tracked_changes(repo) == []
    lay(repo.top, dict.fromkeys(names, (REGULAR, "yy")))
    assert {change.path for change in tracked_changes(repo)} == set(names)


def test_a_moved_file_is_one_gone_and_one_new(repo: Repository) -> None:
    git("config", "status.renames", "copies", cwd=repo.top)
    git("mv", "train.py", "moved.py", cwd=repo.top)
    assert {change.path for change in tracked_changes(repo)} == {"train.py", "moved.py"}


def test_a_conflict_is_said(repo: Repository) -> None:
    for branch in ("one", "two"):
        git("checkout", "-q", "-b", branch, "main", cwd=repo.top)
        (repo.top / "train.py").write_text(branch)
        git("commit", "-q", "-am", branch, cwd=repo.top)
    merge = subprocess.run(["git", "merge", "-q", "one"], cwd=repo.top, capture_output=True, check=False)
    assert merge.returncode == 1
    assert tracked_changes(repo) == [Change("train.py", staged=True, unmerged=True)]
    assert operation(repo) == "merge"


def test_untracked_files_of_odd_names_are_names_and_not_patterns(repo: Repository) -> None:
    (repo.top / ".git" / "info" / "exclude").write_text("ignored*\n")
    lay(repo.top, dict.fromkeys((*ODD, "ab", "in/x", "ignored", "in/ignored"), (REGULAR, "x")))
    assert set(untracked_files(repo, ["."])) == {*ODD, "ab", "in/x"}
    for name in ODD:
        assert untracked_files(repo, [name]) == [name]
    assert untracked_files(repo, ["in"]) == ["in/x"]
    make_repository(repo.top / "in" / "nested", {"x": "x"})
    assert untracked_files(repo, ["in"]) == ["in/x"]


def test_excluded_paths_are_ignored_and_named_once(repo: Repository) -> None:
    file = repo.common_dir / "info" / "exclude"
    file.write_bytes(b"/mine")  # without a line end
    for _ in range(2):
        exclude(repo, ["one", "two"], "computed")
    assert file.read_text() == "/mine\n# computed\n/one\n/two\n"
    lay(repo.top, dict.fromkeys(("one", "two", "in/one", "mine"), (REGULAR, "x")))
    assert untracked_files(repo, ["."]) == ["in/one"]
