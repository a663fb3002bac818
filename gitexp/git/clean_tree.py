"""A clean tree: a folder outside of any checkout that holds exactly one tree, time after time, and links to inputs.

Candidates run there. It has a repository of its own that borrows the objects and has no remote, so that a command of
git in it touches nobody's refs, stash or index. It is not a linked work tree: those share refs with the person's.

Between two trees only what differs, and what was touched meanwhile, is written, where the kernel tells what that is.
Elsewhere, and for the first tree of a process, git looks at every file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitexp.files import read_file, remove_folder, write_file
from gitexp.git.driver import GitCommandError, open_git
from gitexp.git.objects import Entry, differences, entries
from gitexp.git.repository import Repository
from gitexp.git.touched import Touched, folders_of
from gitexp.git.worktree import write_entry

INDEX_LIMIT = 1 << 30  # bytes of an index
# What a person's configuration says of their checkout, and not of the repository.
_OURS = {
    "core.sparseCheckout": "false",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "submodule.recurse": "false",
}
# What of the repository's own configuration says how files are read and who makes commits.
_SHARED = ("core.autocrlf", "core.eol", "core.safecrlf", "core.filemode", "core.symlinks", "core.ignorecase")
_SHARED_SECTIONS = ("filter.", "user.", "author.", "committer.", "diff.", "merge.", "lfs.")
_open: dict[Path, CleanTree] = {}  # by folder: one whose touched paths are known need not be looked at


class CleanTree:
    """The clean tree in ``folder``. ``repo`` is the repository as seen from it: its ``top`` is the tree's."""

    def __init__(self, owner: Repository, folder: Path) -> None:
        self.folder = folder
        top = folder / owner.top.name
        driver = open_git(top)
        config = " ".join(f"'{key}={value}'" for key, value in _OURS.items())
        driver.update_environment(
            GIT_DIR=str(owner.git_dir),
            GIT_WORK_TREE=str(top),
            GIT_INDEX_FILE=str(self._index),
            GIT_CONFIG_PARAMETERS=f"{os.environ.get('GIT_CONFIG_PARAMETERS', '')} {config}".lstrip(),
        )
        self.repo = Repository(driver, top, owner.git_dir, owner.common_dir)
        self._held = ""  # the tree that is there
        self._touched: Touched | None = None

    @property
    def _index(self) -> Path:
        """What git knows of the tree's files. It lies beside the tree, where no run changes it by chance."""
        return self.folder / "index"

    def hold(self, tree: str, head: str, links: Mapping[str, Path]) -> None:
        """Make it hold exactly ``tree`` and ``links`` (targets by path), with the commit ``head`` checked out."""
        self.repo.top.mkdir(parents=True, exist_ok=True)
        touched = self._touched.paths() if self._touched else None
        if touched is None:
            self._look_at_everything(tree, links)
        else:
            self._write_differences(tree, touched - {".git"} - set(links))
        _link(self.repo.top, links)
        _write_git_dir(self.repo, head, read_file(self._index, INDEX_LIMIT), links)
        if self._touched:
            self._touched.paths()  # what was written here
        self._held = tree

    def _look_at_everything(self, tree: str, links: Mapping[str, Path]) -> None:
        """Have git compare every file, and remove what is not in the tree."""
        self._forget()
        try:
            self._check_out(tree, links)
        except GitCommandError:  # what a run left cannot be removed by git: a folder without permissions, say
            remove_folder(self.folder)
            self.repo.top.mkdir(parents=True)
            self._check_out(tree, links)
        try:
            self._touched = Touched(self.repo.top, folders_of(entries(self.repo, tree)))
        except OSError:
            self._touched = None

    def _check_out(self, tree: str, links: Mapping[str, Path]) -> None:
        self._index.with_name("index.lock").unlink(missing_ok=True)  # of a git that was killed here
        self.repo.run("read-tree", "--reset", "-u", tree)
        kept = (word for path in links for word in ("-e", f"/{_escaped(path)}"))
        self.repo.run("clean", "-ffdxq", *kept)

    def _write_differences(self, tree: str, touched: Iterable[str]) -> None:
        changed = differences(self.repo, self._held, tree)
        again = [path for path in touched if path not in changed]
        held = entries(self.repo, tree, again) if again else {}
        changed |= {path: held.get(path) for path in again}
        for path, entry in sorted(changed.items(), key=_removals_first):
            self._put(path, entry)
        if changed:
            self._index.with_name("index.lock").unlink(missing_ok=True)
            names = os.fsencode("".join(f"{path}\0" for path in changed))
            self.repo.run("update-index", "--add", "--remove", "-z", "--stdin", stdin=names)
        try:
            if self._touched:
                self._touched.cover(folders_of(path for path, entry in changed.items() if entry))
        except OSError:
            self._forget()

    def _put(self, path: str, entry: Entry | None) -> None:
        file = self.repo.top / path
        if file.is_dir() and not file.is_symlink():
            remove_folder(file)
        else:
            file.unlink(missing_ok=True)  # with the mode that the run gave it
        if entry:
            write_entry(self.repo, path, entry)

    def _forget(self) -> None:
        if self._touched:
            self._touched.close()
        self._touched = None
        self._held = ""

    def remove(self) -> None:
        """Remove it from the disk."""
        self._forget()
        _open.pop(self.folder, None)
        remove_folder(self.folder)


def open_clean_tree(owner: Repository, folder: Path) -> CleanTree:
    """The clean tree in ``folder``; the same one as long as this process lives."""
    if folder not in _open:
        _open[folder] = CleanTree(owner, folder)
    return _open[folder]


def _removals_first(change: tuple[str, Entry | None]) -> tuple[bool, bool]:
    """Files are removed first, to make room; then come the attributes by which the other files are written."""
    path, entry = change
    return entry is not None, os.path.basename(path) != ".gitattributes"


def _escaped(path: str) -> str:
    """A path as a pattern of .gitignore that means this path alone."""
    return "".join(f"\\{letter}" if letter in "\\*?[]! #" else letter for letter in path)


def _link(top: Path, links: Mapping[str, Path]) -> None:
    for path, target in links.items():
        link = top / path
        if link.is_symlink() and os.readlink(link) == str(target):
            continue
        if link.is_dir() and not link.is_symlink():
            remove_folder(link)
        else:
            link.unlink(missing_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _write_git_dir(repo: Repository, head: str, index: bytes, links: Iterable[str]) -> None:
    """Write the tree's own repository anew: whatever was done in it, it is as at the first time."""
    git_dir = repo.top / ".git"
    if git_dir.is_symlink() or git_dir.is_file():
        git_dir.unlink()
    shutil.rmtree(git_dir, ignore_errors=True)
    for folder in ("objects/info", "refs/heads", "info"):
        (git_dir / folder).mkdir(parents=True)
    files = {
        "HEAD": f"{head}\n".encode(),
        "config": _config(repo),
        "objects/info/alternates": os.fsencode(_quoted(repo.common_dir / "objects")) + b"\n",
        "info/exclude": "".join(f"/{_escaped(path)}\n" for path in links).encode(),
        "index": index,
    }
    for name in ("shallow", "info/attributes"):
        if (repo.common_dir / name).is_file():
            files[name] = read_file(repo.common_dir / name, follow=True)
    for name, data in files.items():
        write_file(git_dir / name, data)


def _quoted(path: Path) -> str:
    """A path as the file ``alternates`` has it."""
    text = str(path)
    return _string(text) if text.startswith('"') or "\n" in text else text


def _config(repo: Repository) -> bytes:
    """The settings that say how files are read and who makes commits; no remote, no hook, no path of anybody's."""
    sha256 = repo.config.get("extensions.objectFormat") == "sha256"
    lines = ["[core]", f"repositoryformatversion = {int(sha256)}", "bare = false", "logallrefupdates = true"]
    lines += ["[extensions]", "objectFormat = sha256"] if sha256 else []
    for key, value in repo.config.local().items():
        if key in _SHARED or key.startswith(_SHARED_SECTIONS):
            section, _, rest = key.partition(".")
            middle, _, name = rest.rpartition(".")
            lines += [f"[{section} {_string(middle)}]" if middle else f"[{section}]", f"{name} = {_string(value)}"]
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
