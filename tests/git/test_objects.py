"""Objects and the door to git, on real repositories with odd names: git's own answer is the expected one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import commit_tree, first_parents
from gitexp.git.driver import GitCommandError
from gitexp.git.objects import EXECUTABLE, REGULAR, SYMLINK, Entry, entries, file_entry, stage, write_tree
from gitexp.git.repository import Repository
from gitexp.git.status import Change, operation, tracked_changes, untracked_files
from gitexp.git.worktree import swap
from tests.helpers.repositories import git, make_repository

TREES = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ODD = [
    "a b",
    " a",
    "é",
    "日本",
    "'q'",
    '"dq"',
    "a\nb",
    "-f",
    "--all",
    "*",
    "a*",
    "[ab]",
    ":(glob)x",
    "a\tb",
    "\\",
    "!x",
    "#y",
]
NAMES = st.sampled_from(["a", "b", "c.py", *ODD])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(
    PATHS, st.tuples(st.sampled_from([REGULAR, EXECUTABLE, SYMLINK]), st.sampled_from("xyz")), max_size=8
)
ONLY_ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="this file system refuses such names")

Files = dict[str, tuple[str, str]]


def consistent(files: Files) -> Files:
    """Without the files that stand where another one needs a folder."""
    return {path: file for path, file in files.items() if not any(other.startswith(path + "/") for other in files)}


def lay(top: Path, files: Files) -> None:
    """Make the work tree hold these files and no others."""
    for root, folders, names in os.walk(top, topdown=False):
        if ".git" not in Path(root).relative_to(top).parts:
            for name in names:
                os.unlink(os.path.join(root, name))
            for folder in folders:
                if os.path.islink(os.path.join(root, folder)):
                    os.unlink(os.path.join(root, folder))
                elif folder != ".git":
                    os.rmdir(os.path.join(root, folder))
    for path, (mode, content) in files.items():
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if mode == SYMLINK:
            file.symlink_to(content)
        else:
            file.write_text(content)
            file.chmod(0o755 if mode == EXECUTABLE else 0o644)


def staged_tree(top: Path) -> str:
    git("add", "-A", cwd=top)
    return git("write-tree", cwd=top).strip()


def blob(repo: Repository, content: str) -> str:
    return repo.line("hash-object", "-w", "--stdin", stdin=content.encode())


# -- trees -----------------------------------------------------------------------------------------------------------


@TREES
@given(before=FILES.map(consistent), after=FILES.map(consistent), order=st.randoms(use_true_random=False))
@example(before={"a": (REGULAR, "x")}, after={"a/b": (REGULAR, "x")}, order=None)
@example(before={"a/b": (REGULAR, "x")}, after={"a": (REGULAR, "x")}, order=None)
@example(before={"a/b/c.py": (REGULAR, "x"), "a/b/b": (REGULAR, "x")}, after={"a/b": (SYMLINK, "x")}, order=None)
def test_a_tree_is_what_git_add_makes(repo: Repository, before: Files, after: Files, order: object) -> None:
    lay(repo.top, before)
    base = staged_tree(repo.top)
    lay(repo.top, after)
    changes: dict[str, Entry | None] = dict.fromkeys(before)
    changes |= {path: Entry(mode, blob(repo, content)) for path, (mode, content) in after.items()}
    expected = staged_tree(repo.top)
    assert write_tree(repo, base, changes) == expected
    items = list(changes.items())
    if order is None:
        items.reverse()
    else:
        order.shuffle(items)  # type: ignore[attr-defined]
    assert write_tree(repo, base, dict(items)) == expected
    assert entries(repo, expected) == {path: entry for path, entry in changes.items() if entry}


def test_files_beside_the_changes_stay(repo: Repository) -> None:
    lay(repo.top, {name: (REGULAR, name) for name in ("keep", "in/keep", "in/deep/keep", "in/deep/go")})
    base = staged_tree(repo.top)
    tree = write_tree(repo, base, {"in/deep/go": None, "in/new/x": Entry(REGULAR, blob(repo, "x"))})
    assert list(entries(repo, tree)) == ["in/deep/keep", "in/keep", "in/new/x", "keep"]


def test_an_empty_tree_and_a_change_of_nothing(repo: Repository) -> None:
    base = repo.line("rev-parse", "HEAD^{tree}")
    assert write_tree(repo, base, {}) == base
    assert write_tree(repo, base, {"train.py": None}) == git("hash-object", "-t", "tree", "/dev/null").strip()
    assert write_tree(repo, base, {"not/there": None}) == base


def test_a_submodule_in_a_tree(repo: Repository) -> None:
    base = repo.line("rev-parse", "HEAD^{tree}")
    entry = Entry("160000", repo.line("rev-parse", "HEAD"))
    tree = write_tree(repo, base, {"sub/module": entry})
    assert entries(repo, tree, ["sub"]) == {"sub/module": entry}
    assert write_tree(repo, tree, {"sub/module": None}) == base


def test_entries_of_some_paths_take_names_for_names(repo: Repository) -> None:
    lay(repo.top, dict.fromkeys((*ODD, "folder/x", "ab"), (REGULAR, "x")))
    tree = staged_tree(repo.top)
    assert set(entries(repo, tree)) == {*ODD, "folder/x", "ab"}
    for name in ODD:
        assert list(entries(repo, tree, [name])) == [name]
    assert list(entries(repo, tree, ["folder"])) == ["folder/x"]
    assert entries(repo, tree, ["not there"]) == {}


@ONLY_ON_LINUX
def test_a_name_that_is_no_text(repo: Repository) -> None:
    name = os.fsdecode(b"caf\xe9")
    lay(repo.top, {f"{name}/{name}": (REGULAR, "x")})
    expected = staged_tree(repo.top)
    empty = repo.line("mktree", stdin=b"")
    assert write_tree(repo, empty, {f"{name}/{name}": file_entry(repo, f"{name}/{name}")}) == expected
    assert list(entries(repo, expected)) == [f"{name}/{name}"]


def test_what_is_staged_is_what_the_index_holds(repo: Repository) -> None:
    lay(repo.top, dict.fromkeys(ODD, (REGULAR, "x")))
    git("add", "-A", cwd=repo.top)
    changes: dict[str, Entry | None] = {name: Entry(EXECUTABLE, blob(repo, "y")) for name in ODD}
    changes |= {ODD[0]: None, "new/file": Entry(SYMLINK, blob(repo, "z"))}
    stage(repo, changes)
    tree = git("write-tree", cwd=repo.top).strip()
    assert entries(repo, tree) == {path: entry for path, entry in changes.items() if entry}


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_stored_as_git_add_stores_it(repo: Repository) -> None:
    git("config", "filter.loud.clean", "tr a-z A-Z", cwd=repo.top)
    git("config", "filter.loud.smudge", "cat", cwd=repo.top)
    attributes = "*.txt text\n*.bin -text\n*.loud filter=loud\n*.id ident\n*.16 text working-tree-encoding=UTF-16\n"
    files = {
        ".gitattributes": attributes.encode(),
        "dos.txt": b"a\r\nb\r\n",
        "dos.bin": b"a\r\nb\r\n",
        "in/x.loud": b"quiet\n",
        "x.id": b"$Id: 123 $\n",
        "x.16": "é\r\n".encode("utf-16"),
        "empty": b"",
        "raw": b"\0\xff\r\n",
        **{f"odd {name}": b"x" for name in ODD},
        **dict.fromkeys(ODD, b"x"),
    }
    for path, data in files.items():
        (repo.top / path).parent.mkdir(exist_ok=True)
        (repo.top / path).write_bytes(data)
    (repo.top / "dos.bin").chmod(0o744)
    (repo.top / "raw").chmod(0o611)  # not executable for its owner
    (repo.top / "link").symlink_to("dos.txt")
    (repo.top / "nowhere").symlink_to("é/not there\n")
    (repo.top / "folder").symlink_to("in")
    stored = entries(repo, staged_tree(repo.top))
    assert len(stored) == len(files) + 4
    assert {path: file_entry(repo, path) for path in stored} == stored
    assert repo.run("cat-file", "blob", stored["in/x.loud"].oid) == b"QUIET\n"
    assert (stored["dos.bin"].mode, stored["raw"].mode, stored["link"].mode) == (EXECUTABLE, REGULAR, SYMLINK)


@pytest.mark.parametrize("path", ["not there", "train.py/x", "no/folder", "-x", "*", "folder"])
def test_there_is_no_file_there(repo: Repository, path: str) -> None:
    (repo.top / "folder").mkdir()
    assert file_entry(repo, path) is None


def test_without_run_bits_a_file_keeps_the_mode_it_had(repo: Repository) -> None:
    git("config", "core.fileMode", "false", cwd=repo.top)
    entry = file_entry(repo, "train.py")
    assert entry
    assert entry.mode == REGULAR
    known = Entry(EXECUTABLE, "0" * 40)
    assert file_entry(repo, "train.py", known) == Entry(EXECUTABLE, entry.oid)
    (repo.top / "train.py").chmod(0o755)
    assert file_entry(repo, "train.py") == entry


# -- reading history -------------------------------------------------------------------------------------------------


def test_the_log_follows_first_parents_through_merges(repo: Repository) -> None:
    start = git("rev-parse", "HEAD", cwd=repo.top).strip()
    git("checkout", "-q", "-b", "side", cwd=repo.top)
    git("commit", "-q", "--allow-empty", "-m", "side", cwd=repo.top)
    side = git("rev-parse", "HEAD", cwd=repo.top).strip()
    git("checkout", "-q", "main", cwd=repo.top)
    git("commit", "-q", "--allow-empty", "-m", "main\n\nbody\n\nExp-Id: x", cwd=repo.top)
    git("merge", "-q", "--no-ff", "-m", "merge", "side", cwd=repo.top)
    tree = git("rev-parse", "HEAD^{tree}", cwd=repo.top).strip()
    log = list(first_parents(repo, "main"))
    assert [commit.message.strip() for commit in log] == [b"merge", b"main\n\nbody\n\nExp-Id: x", b"start"]
    assert [commit.parents for commit in log] == [(log[1].oid, side), (start,), ()]
    assert [commit.oid for commit in log] == git("rev-list", "--first-parent", "main", cwd=repo.top).split()
    assert log[0].tree == tree


def test_messages_are_read_byte_for_byte(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    messages = [b"", b"x", b"x\n\n\n\ny\n", b"\xc3\xa9\r\n\x1b[31m\n", b"  x  \n", b"n" * 200_000 + b"\nend\n"]
    for message in messages:
        commit = commit_tree(repo, repo.tree_of(head), head, message)
        assert next(iter(first_parents(repo, commit))).message.strip(b"\n") == message.strip(b"\n")


def test_a_long_history_may_be_left_anywhere(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    stream = "".join(
        f"commit refs/heads/long\ncommitter A <a@b> {n} +0000\ndata 1000\n{'m' * 1000}\n"
        + (f"from {head}\n" if n == 0 else "")
        for n in range(500)
    )
    git("fast-import", "--quiet", cwd=repo.top, stdin=stream)
    log = first_parents(repo, "long")
    assert len(next(log).message) >= 1000
    log.close()  # type: ignore[attr-defined]
    assert sum(1 for _ in first_parents(repo, "long")) == 501


def test_a_log_of_nothing_is_refused(repo: Repository) -> None:
    with pytest.raises(GitCommandError, match=r"git rev-list failed: .*nowhere"):
        list(first_parents(repo, "nowhere"))


# -- what changed ----------------------------------------------------------------------------------------------------


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


# -- the repository itself -------------------------------------------------------------------------------------------


def test_a_repository_is_found_from_below_and_from_a_linked_work_tree(repo: Repository, tmp_path: Path) -> None:
    (repo.top / "in" / "deep").mkdir(parents=True)
    below = Repository.discover(repo.top / "in" / "deep")
    assert (below.root, below.git_dir, below.common_dir) == (repo.root, repo.git_dir, repo.common_dir)
    git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"), cwd=repo.top)
    linked = Repository.discover(tmp_path / "linked")
    assert linked.top.samefile(tmp_path / "linked")
    assert linked.common_dir.samefile(repo.git_dir)
    assert not linked.git_dir.samefile(repo.git_dir)
    assert (refs.current_branch(repo), refs.current_branch(linked)) == ("main", "other")


def test_a_bare_repository_has_no_top(repo: Repository, tmp_path: Path) -> None:
    git("clone", "-q", "--bare", str(repo.top), str(tmp_path / "bare"))
    bare = Repository.discover(tmp_path / "bare")
    assert bare.root is None
    assert bare.resolve("main") == repo.resolve("HEAD")
    with pytest.raises(GitexpError, match="no work tree"):
        _ = bare.top


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(GitexpError, match="not inside a git repository") as refused:
        Repository.discover(tmp_path)
    assert refused.value.hint == "git init"


def test_asking_for_what_there_is_not(repo: Repository) -> None:
    assert repo.resolve("nowhere") is None
    assert repo.resolve("HEAD:train.py") is None
    assert refs.read(repo, "HEAD:train.py") == repo.line("hash-object", "train.py")
    assert refs.read(repo, "refs/heads/nowhere") is None
    assert repo.config.get("no.such") is None
    assert repo.lookup("rev-parse", "--verify", "-q", "x") is None
    with pytest.raises(GitCommandError, match=r"git rev-parse failed: .*Needed a single revision"):
        repo.line("rev-parse", "--verify", "nowhere")


def test_the_branch_and_the_operation(repo: Repository) -> None:
    assert refs.current_branch(repo) == "main"
    assert operation(repo) is None
    git("checkout", "-q", "--detach", cwd=repo.top)
    assert refs.current_branch(repo) is None
    git("symbolic-ref", "refs/heads/alias", "refs/heads/main", cwd=repo.top)
    git("symbolic-ref", "HEAD", "refs/heads/alias", cwd=repo.top)
    assert refs.current_branch(repo) == git("symbolic-ref", "--short", "HEAD", cwd=repo.top).strip() == "main"
    git("bisect", "start", cwd=repo.top)
    assert operation(repo) == "bisect"


def test_configuration_is_read_as_git_reads_it(repo: Repository) -> None:
    for value, meant in (("yes", True), ("0", False), ("on", True), ("", False)):
        git("config", "gitexp.x", value, cwd=repo.top)
        assert Repository.discover(repo.top).config.get_bool("gitexp.x", not meant) is meant
    assert repo.config.get_bool("gitexp.y", True) is True
    assert repo.config.get_bool("gitexp.y", False) is False
    git("config", "gitexp.x", " é\ttwo words", cwd=repo.top)
    assert Repository.discover(repo.top).config.get("gitexp.x") == " é\ttwo words"


def test_a_shallow_clone_is_known(repo: Repository, tmp_path: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=repo.top)
    git("clone", "-q", "--depth", "1", f"file://{repo.top}", str(tmp_path / "shallow"))
    assert Repository.discover(tmp_path / "shallow").is_shallow()
    assert not repo.is_shallow()


def test_hooks_are_where_git_looks_for_them(repo: Repository, tmp_path: Path) -> None:
    assert repo.hook_path("post-run") == repo.git_dir / "hooks" / "post-run"
    git("config", "core.hooksPath", "tools/hooks", cwd=repo.top)
    (repo.top / "in").mkdir()
    assert Repository.discover(repo.top / "in").hook_path("post-run") == repo.top / "tools" / "hooks" / "post-run"
    git("config", "core.hooksPath", str(tmp_path), cwd=repo.top)
    assert Repository.discover(repo.top).hook_path("post-run") == tmp_path / "post-run"


def test_a_ref_moves_only_from_where_it_was(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    tree = repo.line("rev-parse", "HEAD^{tree}")
    commit = commit_tree(repo, tree, head, b"x\n")
    refs.update(repo, "why", f"create refs/gitexp/pending/x {tree}", f"update refs/heads/main {commit} {head}")
    assert repo.resolve("main") == commit
    assert refs.read(repo, "refs/gitexp/pending/x") == tree
    assert git("reflog", "-1", "--format=%gs", "main", cwd=repo.top) == "why\n"
    moves = [f"create refs/gitexp/pending/x {tree}", f"update refs/heads/main {head} {head}"]
    for move in moves:
        with pytest.raises(GitCommandError):
            refs.update(repo, "why", f"update refs/heads/other {head} {'0' * 40}", move)
        assert refs.read(repo, "refs/heads/other") is None  # all or nothing
    assert repo.resolve("main") == commit


def test_a_commit_is_signed_when_git_is_told_to_sign(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    git("config", "gpg.program", "false", cwd=repo.top)
    commit_tree(repo, repo.tree_of(head), head, b"x\n")
    git("config", "commit.gpgSign", "true", cwd=repo.top)
    with pytest.raises(GitCommandError, match="sign"):
        commit_tree(Repository.discover(repo.top), repo.tree_of(head), head, b"x\n")


def test_a_commit_is_exactly_what_it_was_told_to_be(repo: Repository) -> None:
    git("config", "i18n.commitEncoding", "ISO-8859-1", cwd=repo.top)
    head = repo.line("rev-parse", "HEAD")
    commit = commit_tree(repo, repo.tree_of(head), head, "é\n\n# x\n\n\n  y  ".encode())
    data = repo.run("cat-file", "commit", commit)
    assert data.endswith("\n\né\n\n# x\n\n\n  y  ".encode())
    assert b"\nencoding " not in data
    assert repo.line("rev-parse", f"{commit}^") == head


def test_what_a_hook_or_alias_inherits_does_not_bend_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_INDEX_FILE", str(folder / "elsewhere"))
    monkeypatch.setenv("GIT_PREFIX", "in/")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "0")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_WORK_TREE", ".")  # which is made absolute: other tests must not find it
    repo = Repository.discover(folder)
    monkeypatch.chdir("/")
    assert tracked_changes(repo) == []
    assert repo.top.samefile(folder)


def test_a_file_goes_back_that_other_attributes_would_store_otherwise(repo: Repository) -> None:
    file = repo.top / "train.py"
    file.write_bytes(b"a\r\n")
    git("-c", "core.autocrlf=false", "commit", "-qam", "with CRLF", cwd=repo.top)
    old = entries(repo, "HEAD", ["train.py"])["train.py"]
    (repo.top / ".gitattributes").write_text("*.py text eol=crlf\n")
    file.write_bytes(b"b\r\n")
    held = {path: file_entry(repo, path) for path in ("train.py", ".gitattributes")}
    assert swap(repo, held, {"train.py": old, ".gitattributes": None}) == ()
    assert file.read_bytes() == b"a\r\n"
    assert git("status", "--porcelain", cwd=repo.top) == ""
