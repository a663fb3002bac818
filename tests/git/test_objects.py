"""Files as git objects, on real repositories with odd names: git's own answer is the expected one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitexp.git.objects import EXECUTABLE, REGULAR, SYMLINK, Entry, entries, file_entry, stage, write_tree
from gitexp.git.repository import Repository
from tests.helpers.odd_names import ODD, Files, lay
from tests.helpers.repositories import git

TREES = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NAMES = st.sampled_from(["a", "b", "c.py", *ODD])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(
    PATHS, st.tuples(st.sampled_from([REGULAR, EXECUTABLE, SYMLINK]), st.sampled_from("xyz")), max_size=8
)
ONLY_ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="this file system refuses such names")


def consistent(files: Files) -> Files:
    """Without the files that stand where another one needs a folder."""
    return {path: file for path, file in files.items() if not any(other.startswith(path + "/") for other in files)}


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
