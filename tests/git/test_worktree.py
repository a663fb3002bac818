"""Files that are put back."""

from __future__ import annotations

from gitexp.git.objects import entries, file_entry
from gitexp.git.repository import Repository
from gitexp.git.worktree import replace_unchanged
from tests.helpers.repositories import git


def test_a_file_goes_back_that_other_attributes_would_store_otherwise(repo: Repository) -> None:
    file = repo.top / "train.py"
    file.write_bytes(b"a\r\n")
    git("-c", "core.autocrlf=false", "commit", "-qam", "with CRLF", cwd=repo.top)
    old = entries(repo, "HEAD", ["train.py"])["train.py"]
    (repo.top / ".gitattributes").write_text("*.py text eol=crlf\n")
    file.write_bytes(b"b\r\n")
    held = {path: file_entry(repo, path) for path in ("train.py", ".gitattributes")}
    assert replace_unchanged(repo, held, {"train.py": old, ".gitattributes": None}) == ()
    assert file.read_bytes() == b"a\r\n"
    assert git("status", "--porcelain", cwd=repo.top) == ""
