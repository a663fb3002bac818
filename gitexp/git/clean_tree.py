"""A clean tree: a folder outside of any checkout that holds exactly one tree, time after time, and links to inputs.

Candidates run there. It has a repository of its own that borrows the objects and has no remote, so that a command of
git in it touches nobody's refs, stash or index. It is not a linked work tree: those share refs with the person's.

Between two trees only what differs, and what was touched meanwhile, is written, where the kernel tells what that is.
Every file is looked at for the first tree of a process, where the kernel does not tell, and RECHECK seconds after the
last time: a write through a hard link is not reported (:mod:`gitexp.git.fsmonitor` has the list).
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from gitexp.files import read_file, remove, stat_signature
from gitexp.git.borrower import GIT_FOLDERS, write_git_dir
from gitexp.git.driver import GitCommandError, open_git
from gitexp.git.fsmonitor import RECHECK
from gitexp.git.leftovers import make_real, prune, remove_beside, remove_others
from gitexp.git.objects import GITLINK, Entry, differences, entries, stage
from gitexp.git.replacement import removals_first
from gitexp.git.repository import Repository
from gitexp.git.submodules import checked_out
from gitexp.git.touched import Touched, folders_of
from gitexp.git.worktree import write_entry
from gitexp.paths import link_place

INDEX_LIMIT = 1 << 30  # bytes of an index
FEW = 200  # files that are written one by one: git writes more of them in one process
# What a person's configuration says of their checkout and its file system, and not of the repository.
_OURS = {
    "core.sparseCheckout": "false",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "core.hooksPath": "/dev/null",  # reading a tree is an event for post-index-change
    "core.fileMode": "true",
    "core.symlinks": "true",
    "core.checkStat": "default",  # a run can set a file's size and time, and not when they were set
    "core.trustctime": "true",
    "core.safecrlf": "false",
    "submodule.recurse": "false",
}
_open: dict[Path, CleanTree] = {}  # by folder, one: while its touched paths are known it need not be looked at


class CleanTree:
    """The clean tree at ``top``. ``repo`` is the repository as seen from it: its ``top`` is the tree's.

    ``index`` is what git knows of the tree's files. It lies elsewhere, where no run changes it by chance.
    """

    def __init__(self, owner: Repository, top: Path, index: Path) -> None:
        self._owner, self._index = owner, index
        top.mkdir(parents=True, exist_ok=True)
        driver = open_git(top)
        config = " ".join(f"'{key}={value}'" for key, value in _OURS.items())
        driver.update_environment(
            GIT_DIR=str(owner.git_dir),
            GIT_WORK_TREE=str(top),
            GIT_INDEX_FILE=str(index),
            GIT_CONFIG_PARAMETERS=f"{os.environ.get('GIT_CONFIG_PARAMETERS', '')} {config}".lstrip(),
        )
        self.repo = Repository(driver, top, owner.git_dir, owner.common_dir)
        self._held = ""  # the tree that is there
        self._links: tuple[str, ...] = ()
        self._staged = ""  # the tree that the index holds: the commit's, so that an edit of it shows as one
        self._touched: Touched | None = None
        self._state: tuple[object, ...] = ()  # what says that the folder and the index are the same ones
        self._written: tuple[object, ...] = ()  # what its .git was made of
        self._looked = 0.0  # when git looked at every file
        self._folders: set[str] = set()  # that hold files of the tree, or links
        self._modules: dict[str, str] = {}  # the commit of each submodule, by path
        self._inner: dict[str, CleanTree] = {}  # submodules that are checked out in the work tree

    def hold(self, tree: str, head: str, links: Mapping[str, Path], ignored: Iterable[str] = ()) -> None:
        """Make it hold exactly ``tree`` and ``links`` (targets by path), with the commit ``head`` checked out.

        git is told to ignore the links, and the paths ``ignored``, which the caller is about to write. A link
        ``../NAME`` lies beside it. Raises for a link that would lie anywhere else.
        """
        beside = {link_place(self.repo.top, path): links[path] for path in links if path.startswith("../")}
        try:
            self._hold(tree, head, links, ignored)
        except (GitCommandError, OSError):  # a run left what is in the way, or broke the index
            self._forget()
            remove(self.repo.top)
            remove(self._index)
            self._hold(tree, head, links, ignored)
        remove_beside(self.repo.top, {link.name for link in beside})
        for link, target in beside.items():
            _link(link, target)

    def _hold(self, tree: str, head: str, links: Mapping[str, Path], ignored: Iterable[str]) -> None:
        inner = {path: target for path, target in links.items() if not path.startswith("../")}
        make_real(self.repo.top)
        now = time.monotonic()
        is_due = now - self._looked > RECHECK or self._state != self._state_now()
        held, self._held = "" if is_due else self._held, ""  # until it is done
        staged, self._staged = self._staged, ""
        touched = self._touched.paths() if self._touched and held else None
        changed = None if touched is None else self._changes(held, tree, _files(touched) - set(inner))
        if changed is None or len(changed) > FEW:
            self._look_at_everything(tree, inner)
            self._looked, staged = now, tree
        else:
            self._write(changed)
        self._hold_modules()
        for path, target in inner.items():
            link = link_place(self.repo.top, path)
            if not entries(self.repo, tree, [path]):  # what git holds is what the candidate has
                _link(link, target)
        self._stage(staged, self.repo.tree_of(head))
        untouched = touched is not None and len(_files(touched)) == len(touched)
        excluded = (*inner, *ignored)
        written = (head, stat_signature(self._index), *excluded)
        if not untouched or written != self._written:
            write_git_dir(self.repo, head, read_file(self._index, INDEX_LIMIT), excluded)
        self._watch(folders_of(inner))
        self._held, self._links, self._state, self._written = tree, tuple(inner), self._state_now(), written

    def changes(self) -> list[str]:
        """The paths that differ from the commit that is checked out, and new ones that git does not ignore; no links.

        Some may be the same: git compares the files' times.
        """
        listed = [
            self.repo.run("diff-files", "--name-only", "-z", "--ignore-submodules"),
            self.repo.run("ls-files", "-z", "--others", "--exclude-standard"),
        ]
        paths = dict.fromkeys(os.fsdecode(b"".join(listed)).split("\0")[:-1])
        return [path for path in paths if path not in self._links and not path.endswith("/")]

    def _look_at_everything(self, tree: str, links: Mapping[str, Path]) -> None:
        """Remove what is not in the tree, and have git compare every file."""
        self._forget()
        files = entries(self.repo, tree)
        self._modules = {path: entry.oid for path, entry in files.items() if entry.mode == GITLINK}
        kept = {path for path in self._modules if self._module(path)}
        self._folders = folders_of([*files, *links, *(f"{path}/" for path in self._modules if path not in kept)])
        remove_others(self.repo.top, self._folders, {*files, *links}, kept)
        self._unlock_index()
        self.repo.run("read-tree", "--reset", "-u", tree)
        try:
            self._touched = Touched(self.repo.top)
        except OSError:
            self._touched = None

    def _changes(self, held: str, tree: str, touched: Collection[str]) -> dict[str, Entry | None]:
        """What is to be written: where the trees differ, and what was touched."""
        changed = differences(self.repo, held, tree)
        again = [path for path in touched if path not in changed]
        files = entries(self.repo, tree, again) if again else {}
        return changed | {path: files.get(path) for path in again}

    def _write(self, changed: Mapping[str, Entry | None]) -> None:
        for path, entry in sorted(changed.items(), key=removals_first):
            self._put(path, entry)
        prune(self.repo.top, [path for path, entry in changed.items() if not entry])
        self._folders |= folders_of(path for path, entry in changed.items() if entry)
        self._modules |= {path: entry.oid for path, entry in changed.items() if entry and entry.mode == GITLINK}

    def _stage(self, staged: str, tree: str) -> None:
        if staged != tree:
            self._unlock_index()
            stage(self.repo, differences(self.repo, staged, tree))
        self._staged = tree

    def _put(self, path: str, entry: Entry | None) -> None:
        file = self.repo.top / path
        if entry and entry.mode == GITLINK:
            make_real(file)
            return
        self._modules.pop(path, None)
        remove(file)  # with the mode that the run gave it
        if entry:
            write_entry(self.repo, path, entry)

    def _hold_modules(self) -> None:
        """Submodules hold what the tree says, as far as the work tree has them; git has an empty folder otherwise."""
        for path, commit in self._modules.items():
            if module := self._module(path):
                module._hold(module.repo.tree_of(commit), commit, {}, ())
            else:
                make_real(self.repo.top / path)
                self._folders.add(path)

    def _module(self, path: str) -> CleanTree | None:
        owner = checked_out(self._owner, path, self._modules[path])
        if owner is None:
            return None
        if path not in self._inner:
            index = self._index.with_name(f"{self._index.name}-{quote(path, safe='')}")
            self._inner[path] = CleanTree(owner, self.repo.top / path, index)
        return self._inner[path]

    def _watch(self, folders: Iterable[str]) -> None:
        self._folders |= set(folders)
        if not self._touched:
            return
        self._touched.paths()  # what was written here, and which folders were removed
        missing = self._folders - self._touched.folders
        self._folders -= {folder for folder in missing if not os.path.isdir(self.repo.top / folder)}
        try:
            self._touched.cover({*GIT_FOLDERS, *self._folders})
        except OSError:
            self._forget()

    def _state_now(self) -> tuple[object, ...]:
        folder = os.stat(self.repo.top)
        return folder.st_dev, folder.st_ino, stat_signature(self._index)

    def _unlock_index(self) -> None:
        remove(self._index.with_name(f"{self._index.name}.lock"))  # of a git that was killed here

    def close(self) -> None:
        """Stop watching it, and its submodules."""
        for inner in self._inner.values():
            inner.close()
        self._forget()

    def _forget(self) -> None:
        if self._touched:
            self._touched.close()
        self._touched = None


def open_clean_tree(owner: Repository, folder: Path) -> CleanTree:
    """The clean tree in ``folder``; the same one until this process opens another.

    What lies beside the tree is links.
    """
    if folder not in _open:
        for other in list(_open):  # a user has 128 instances of inotify: one process is content with one tree's
            _open.pop(other).close()
        make_real(folder)
        _open[folder] = CleanTree(owner, folder / "work" / owner.top.name, folder / "index")
    return _open[folder]


def _files(touched: Collection[str]) -> set[str]:
    """What was touched outside of the tree's own repository."""
    return {path for path in touched if path.split("/")[0] != ".git"}


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    remove(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
