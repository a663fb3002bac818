"""A clean tree holds exactly a tree and its links, whatever a run left there."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitexp.git import clean_tree
from gitexp.git.clean_tree import CleanTree, open_clean_tree
from gitexp.git.repository import Repository
from gitexp.paths import UnsafePathError
from tests.helpers.repositories import Once, git, make_repository
from tests.helpers.trees import files_below, files_of

FILES = {
    "train.py": "print(1)\n",
    "pkg/__init__.py": "",
    "pkg/deep/a.py": "a\n",
    "pkg/deep/er/b.py": "b\n",
    "configs/x.yaml": "x: 1\n",
    ".gitignore": "data\n*.log\n__pycache__/\n",
}


@dataclass
class Held:
    """A clean tree, and the commits that it is made to hold."""

    owner: Repository
    tree: CleanTree
    commits: list[str]
    links: dict[str, Path]

    @property
    def top(self) -> Path:
        return self.tree.repo.top

    def hold(self, commit: str = "HEAD") -> None:
        oid = git("rev-parse", commit, cwd=self.owner.top).strip()
        self.tree.hold(self.owner.tree_of(oid), oid, self.links)

    def check(self, commit: str = "HEAD", what: str = "") -> None:
        """What lies there is the tree and the links, and git finds nothing to say of it."""
        found = files_below(self.top, (".git", *(path for path in self.links if not path.startswith("../"))))
        assert found == files_of(commit, self.owner.top), what
        for path, target in self.links.items():
            assert os.readlink(self.top / path) == str(target), what
        beside = {path[3:] for path in self.links if path.startswith("../")}
        assert set(os.listdir(self.top.parent)) == {self.top.name, *beside}, what
        assert git("status", "--porcelain", cwd=self.top) == "", what
        assert git("rev-parse", "HEAD", cwd=self.top) == git("rev-parse", commit, cwd=self.owner.top), what
        assert git("remote", cwd=self.top) == "", what


def commit(folder: Path, message: str) -> str:
    git("add", "-A", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder).strip()


def change_kinds(folder: Path) -> None:
    """Files become folders, folders files and links, and modes change."""
    (folder / "train.py").chmod(0o755)
    shutil.rmtree(folder / "pkg" / "deep")
    (folder / "pkg" / "deep").write_text("a file now\n")
    (folder / "configs/x.yaml").unlink()
    (folder / "configs/x.yaml").mkdir()
    (folder / "configs/x.yaml/y").write_text("a folder now\n")
    (folder / "to-file").symlink_to("train.py")
    (folder / "to-folder").symlink_to("pkg")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "out").symlink_to("/etc/hostname")


def hold_in(folder: Path, scratch: Path, links: dict[str, Path]) -> Held:
    owner = Repository.discover(folder)
    held = Held(owner, open_clean_tree(owner, scratch), [], links)
    held.commits = git("rev-list", "--reverse", "HEAD", cwd=folder).split()
    return held


def make(folder: Path) -> None:
    make_repository(folder, FILES)
    change_kinds(folder)
    commit(folder, "kinds")
    git("revert", "--no-edit", "HEAD", cwd=folder)
    (folder / "pkg/deep/new").mkdir()
    (folder / "pkg/deep/new/c.py").write_text("c\n")
    (folder / "lf.txt").write_text("one\ntwo\n")
    commit(folder, "more")


@pytest.fixture
def held(once: Once, tmp_path: Path) -> Held:
    folder = once("clean-tree", make)
    for name in ("data", "below"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").write_text("mine")
    return hold_in(folder, tmp_path / "scratch", {"data": tmp_path / "data", "in/side/data": tmp_path / "below"})


WAYS = {
    "watched": lambda monkeypatch: monkeypatch.setattr(clean_tree, "RECHECK", 3600.0),
    "looked at": lambda monkeypatch: monkeypatch.setattr(clean_tree, "RECHECK", -1.0),
}


@pytest.fixture(params=["watched", pytest.param("looked at", marks=pytest.mark.slow)])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    WAYS[request.param](monkeypatch)
    return str(request.param)


def test_it_holds_one_tree_after_another(held: Held, way: str) -> None:
    for oid in [*held.commits, *reversed(held.commits), *held.commits]:
        held.hold(oid)
        held.check(oid)


# -- what a run leaves -------------------------------------------------------------------------------------------------


def bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def many(count: int) -> None:
    for number in range(count):
        Path(f"pkg/{number}.log").write_text("x")


def replace_top(with_link_to: str) -> None:
    """The folder that is the current one gets another name, and a link takes its place."""
    here = Path.cwd()
    here.rename(here.with_name("away"))
    here.symlink_to(with_link_to)


LEFTOVERS: dict[str, Callable[[], object]] = {
    "new files": lambda: (Path("pkg/new.py").write_text("x"), Path("notes.log").write_text("x")),
    "new folders": lambda: (os.makedirs("pkg/deep/x/y"), Path("pkg/deep/x/y/z").write_text("z")),
    "beside a link": lambda: Path("in/side/x").write_text("x"),
    "a folder above a link is another": lambda: (shutil.rmtree("in"), os.makedirs("in/side/x")),
    "ten thousand files": lambda: many(10_000),
    "a changed file": lambda: Path("pkg/deep/a.py").write_text("A\n"),
    "the same size and time": lambda: (
        status := os.stat("train.py"),
        Path("train.py").write_text("print(2)\n"),
        os.utime("train.py", ns=(status.st_atime_ns, status.st_mtime_ns)),
    ),
    "a mode": lambda: os.chmod("train.py", 0o700),
    "a file without any right": lambda: os.chmod("train.py", 0),
    "a removed file": lambda: os.unlink("pkg/deep/er/b.py"),
    "a removed folder": lambda: shutil.rmtree("pkg"),
    "a renamed folder": lambda: os.rename("pkg", "gkp"),
    "a folder that is a file": lambda: (shutil.rmtree("pkg"), Path("pkg").write_text("x")),
    "a folder that is a link out": lambda: (shutil.rmtree("pkg"), os.symlink("../../../below", "pkg")),
    "a file that is a folder": lambda: (os.unlink("train.py"), os.makedirs("train.py/x")),
    "a file that is a link out": lambda: (os.unlink("train.py"), os.symlink("../../../below/precious", "train.py")),
    "a FIFO": lambda: (os.mkfifo("fifo"), os.mkfifo("pkg/fifo"), os.makedirs("new"), os.mkfifo("new/fifo")),
    "a FIFO in a file's place": lambda: (os.unlink("train.py"), os.mkfifo("train.py")),
    "a socket": lambda: (bind("socket"), bind("pkg/socket")),
    "a folder that cannot be written": lambda: (Path("pkg/x").write_text("x"), os.chmod("pkg", 0o500)),
    "a folder without any right": lambda: (Path("pkg/deep/x").write_text("x"), os.chmod("pkg/deep", 0)),
    "a new folder without any right": lambda: (os.makedirs("new/a/b"), os.chmod("new/a", 0), os.chmod("new", 0)),
    "the top without any right": lambda: os.chmod(".", 0),
    "a link that leads elsewhere": lambda: (os.unlink("data"), os.symlink("/etc", "data")),
    "a link that is a folder": lambda: (os.unlink("data"), os.makedirs("data/x")),
    "a removed link": lambda: os.unlink("in/side/data"),
    "a folder above a link that is a link out": lambda: (
        os.unlink("in/side/data"),
        os.rmdir("in/side"),
        os.symlink("../../../../below", "in/side"),
    ),
    "no .git": lambda: shutil.rmtree(".git"),
    ".git is a file": lambda: (shutil.rmtree(".git"), Path(".git").write_text("gitdir: /nowhere")),
    ".git is a link": lambda: (shutil.rmtree(".git"), os.symlink("../../../below", ".git")),
    ".git is a FIFO": lambda: (shutil.rmtree(".git"), os.mkfifo(".git")),
    ".git without any right": lambda: (os.chmod(".git/objects", 0), os.chmod(".git", 0)),
    "another configuration": lambda: git("config", "core.bare", "true"),
    "a remote": lambda: git("remote", "add", "origin", "/nowhere"),
    "commits": lambda: (Path("train.py").write_text("x"), git("commit", "-qam", "mine"), git("tag", "mine")),
    "a stash": lambda: (Path("train.py").write_text("x"), git("stash")),
    "another branch": lambda: git("checkout", "-q", "-b", "other"),
    "a lock": lambda: Path(".git/index.lock").write_text(""),
    "a repository": lambda: git("init", "-q", "pkg/inner"),
    "a broken index": lambda: Path("../../index").write_text("x"),
    "a lock of the index": lambda: Path("../../index.lock").write_text("x"),
    "a file beside": lambda: Path("../checkpoint").write_text("x"),
    "another top": lambda: replace_top("../../../below"),
    "no top": lambda: shutil.rmtree(Path.cwd()),
    "another folder above": lambda: (
        above := Path.cwd().parent,
        above.rename(above.with_name("away")),
        above.symlink_to("../../below"),
    ),
}


def test_what_a_run_leaves_is_gone(held: Held, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = git("for-each-ref", cwd=held.owner.top), git("status", "--porcelain", cwd=held.owner.top)
    for what, leave in LEFTOVERS.items():
        held.hold()
        monkeypatch.chdir(held.top)
        leave()
        monkeypatch.chdir(held.owner.top)
        held.hold()
        held.check(what=what)
        for name in ("data", "below"):
            assert files_below(held.owner.top.parent / name).keys() == {"precious"}, what
            assert (held.owner.top.parent / name / "precious").read_text() == "mine", what
    assert (git("for-each-ref", cwd=held.owner.top), git("status", "--porcelain", cwd=held.owner.top)) == before


def test_a_write_through_a_hard_link_is_seen_by_a_look(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    held.hold()
    os.link(held.top / "train.py", held.owner.top.parent / "name")
    (held.owner.top.parent / "name").write_text("print(2)\n")
    monkeypatch.setattr(clean_tree, "RECHECK", -1.0)
    held.hold()
    held.check()


def test_folders_are_as_git_makes_them(held: Held, way: str) -> None:
    held.hold()
    modes = {path: os.stat(held.top / path).st_mode for path in ("", "pkg", "pkg/deep")}
    for path in modes:
        os.chmod(held.top / path, 0o700)
    held.hold()
    assert {path: os.stat(held.top / path).st_mode for path in modes} == modes


# -- anything at all ---------------------------------------------------------------------------------------------------


def at_random(dice: random.Random) -> None:
    """One thing that a run does in its folder, or none where it cannot be done."""
    there = [path for path in Path().rglob("*") if ".git" not in path.parts and "data" not in path.parts]
    files = [str(path) for path in there if path.is_symlink() or not path.is_dir()] or ["train.py"]
    folders = [str(path) for path in there if path.is_dir() and not path.is_symlink()] or ["pkg"]
    one, folder = dice.choice(files), dice.choice(folders)
    other = dice.choice([*files, *(f"{each}/n{dice.randrange(3)}" for each in folders), "n0", "n1"])
    deeds: list[Callable[[], object]] = [
        lambda: Path(other).write_text(dice.choice("xyz")),
        lambda: os.unlink(one),
        lambda: os.rename(one, other),
        lambda: os.chmod(one, dice.choice([0, 0o644, 0o755])),
        lambda: os.symlink(dice.choice([one, "/etc", "nowhere"]), other),
        lambda: os.mkfifo(other),
        lambda: bind(other),
        lambda: os.utime(one),
        lambda: os.rename(folder, dice.choice(["f1", "pkg/f2", "pkg", "configs/f3"])),
        lambda: shutil.rmtree(folder),
        lambda: os.makedirs(f"{folder}/f{dice.randrange(3)}/g"),
        lambda: os.chmod(folder, dice.choice([0, 0o500, 0o700])),
        lambda: (shutil.rmtree(folder), os.symlink("/etc", folder)),
        lambda: (shutil.rmtree(folder), Path(folder).write_text("a file")),
        lambda: Path("in/side/new").write_text("x"),
        lambda: (os.unlink("data"), os.mkdir("data")),
        lambda: shutil.rmtree(".git"),
        lambda: git("add", "-A"),
        lambda: git("commit", "-qam", "x"),
        lambda: git("checkout", "-q", "HEAD", "--", one),
        lambda: git("clean", "-fdxq"),
        lambda: Path("../beside").write_text("x"),
        lambda: git("init", "-q", folder),
    ]
    with suppress(OSError, ValueError, AssertionError, subprocess.SubprocessError):
        dice.choice(deeds)()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))])
def test_after_any_run_it_holds_exactly_the_tree(
    held: Held, way: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    for _ in range(15):
        chosen = dice.choice(held.commits)
        held.hold(chosen)
        held.check(chosen)
        monkeypatch.chdir(held.top)
        for _ in range(dice.randrange(6)):
            at_random(dice)
        monkeypatch.chdir(held.owner.top)


# -- what the tree's links may not do ----------------------------------------------------------------------------------


OUTSIDE = ["../repository", "../Repository", "../..", "../../x", "../x/y", "/x", ".", "..", "../.", ".git/x"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_link_lies_in_the_tree_or_beside_it(held: Held, path: str) -> None:
    held.hold()
    with pytest.raises(UnsafePathError):
        held.tree.hold(held.owner.tree_of("HEAD"), held.commits[-1], {path: held.owner.top})
    held.hold()
    held.check()


def test_a_link_beside_the_tree(held: Held, way: str) -> None:
    held.links["../data"] = held.owner.top.parent / "data"
    held.hold()
    held.check()
    assert (held.top / "../data/precious").read_text() == "mine"
    held.links.pop("../data")
    held.hold()
    held.check()


def test_no_link_goes_through_a_link_of_the_candidates(held: Held, way: str) -> None:
    (held.owner.top / "in").mkdir()
    (held.owner.top / "in" / "side").symlink_to(held.owner.top.parent / "below")
    commit(held.owner.top, "a link in the way")
    held.hold("HEAD~")
    with pytest.raises(UnsafePathError):
        held.hold()
    assert files_below(held.owner.top.parent / "below").keys() == {"precious"}


def test_what_the_candidate_holds_itself_is_not_linked_over(held: Held, way: str) -> None:
    held.hold()
    (held.owner.top / "data").write_text("tracked")
    git("add", "-f", "data", cwd=held.owner.top)
    commit(held.owner.top, "data")
    held.hold()
    assert (held.top / "data").read_text() == "tracked"


# -- submodules, and what a person's configuration says ----------------------------------------------------------------


@pytest.fixture
def with_module(once: Once, tmp_path: Path) -> Held:
    """Commits without the submodule, with it, with a newer one, and with it elsewhere."""
    library = make_repository(tmp_path / "library", {"x": "one\n", "deep/y": "y\n"})
    folder = once("clean-tree", make)
    allowed = ("-c", "protocol.file.allow=always", "submodule", "-q")
    git(*allowed, "add", str(library), "libs/sub", cwd=folder)
    commit(folder, "with it")
    (folder / "libs/sub/x").write_text("two\n")
    commit(folder / "libs/sub", "newer")
    commit(folder, "with a newer one")
    git("rm", "-q", "--cached", "libs/sub", cwd=folder)
    git("commit", "-qm", "gone again", cwd=folder)
    git("revert", "--no-edit", "HEAD", cwd=folder)
    return hold_in(folder, tmp_path / "scratch", {})


def check_module(held: Held, commit: str) -> None:
    [oid] = [line for line in git("ls-tree", commit, "libs/", cwd=held.owner.top).splitlines() if "libs/sub" in line]
    module = held.top / "libs/sub"
    assert files_below(module) == files_of(oid.split()[2], held.owner.top / "libs/sub")
    assert git("status", "--porcelain", cwd=module) == ""
    assert git("status", "--porcelain", cwd=held.top) == ""


def test_submodules_that_are_checked_out_hold_what_the_tree_says(with_module: Held, way: str) -> None:
    *_, added, newer, gone, again = with_module.commits
    for chosen in (added, newer, added, gone, again, with_module.commits[0], newer):
        with_module.hold(chosen)
        if chosen in (added, newer, again):
            check_module(with_module, chosen)
        else:
            assert not (with_module.top / "libs").exists()


def wreck_module(top: Path, what: str) -> None:
    module = top / "libs/sub"
    deeds: dict[str, Callable[[], object]] = {
        "changed": lambda: ((module / "x").write_text("three\n"), (module / "new").write_text("x")),
        "removed": lambda: shutil.rmtree(module),
        "removed above": lambda: shutil.rmtree(top / "libs"),
        "a link": lambda: (shutil.rmtree(module), module.symlink_to("/etc")),
        "a file": lambda: (shutil.rmtree(module), module.write_text("x")),
        "committed": lambda: commit(module, "mine"),
        "its repository": lambda: shutil.rmtree(module / ".git"),
        "without any right": lambda: os.chmod(module, 0),
    }
    deeds[what]()


WRECKS = ["changed", "removed", "removed above", "a link", "a file", "committed", "its repository", "without any right"]


def test_a_submodule_after_a_run(with_module: Held, way: str) -> None:
    for what in WRECKS:
        with_module.hold()
        wreck_module(with_module.top, what)
        with_module.hold()
        check_module(with_module, "HEAD")
    assert git("status", "--porcelain", cwd=with_module.owner.top / "libs/sub") == ""


def test_a_submodule_that_is_not_checked_out_is_an_empty_folder(with_module: Held, way: str) -> None:
    git("submodule", "deinit", "-q", "-f", "--all", cwd=with_module.owner.top)
    for leave in (lambda path: path.write_text("x"), os.mkfifo, os.mkdir):
        with_module.hold()
        assert os.listdir(with_module.top / "libs/sub") == []
        assert git("status", "--porcelain", cwd=with_module.top) == ""
        leave(with_module.top / "libs/sub/left")
    with_module.hold()
    assert os.listdir(with_module.top / "libs/sub") == []


SETTINGS = {
    "core.ignoreCase": "true",
    "core.fileMode": "false",
    "core.symlinks": "false",
    "core.checkStat": "minimal",
    "core.autocrlf": "input",
    "core.safecrlf": "true",
    "core.untrackedCache": "true",
    "core.splitIndex": "true",
    "core.fsmonitor": "false",
    "feature.manyFiles": "true",
    "core.sparseCheckout": "true",
}


@pytest.mark.parametrize("key", SETTINGS)
@pytest.mark.parametrize("scope", ["--local", pytest.param("--global", marks=pytest.mark.slow)])
def test_what_a_person_configured_for_their_checkout(
    held: Held, way: str, key: str, scope: str, tmp_path: Path
) -> None:
    for name in ("Case", "case"):
        (held.owner.top / name).write_text(f"{name}\n")
    (held.owner.top / "crlf").write_bytes(b"one\r\ntwo\n")
    (held.owner.top / "run").write_text("#!/bin/sh\n")
    (held.owner.top / "run").chmod(0o755)
    commit(held.owner.top, "odd files")
    git("config", scope, key, SETTINGS[key], cwd=held.owner.top)
    held = hold_in(held.owner.top, tmp_path / "anew", held.links)
    for oid in (held.commits[1], held.commits[-1], held.commits[1], held.commits[-1]):
        held.hold(oid)
        held.check(oid)
        (held.top / "train.py").write_text("print(0)\n")
        os.chmod(held.top / "train.py", 0o700)
