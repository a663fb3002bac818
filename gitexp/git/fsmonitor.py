"""Which tracked files differ from HEAD, asked often: while nobody touched one, git's last answer still holds.

``git status`` looks at every tracked file: 20 to 80 ms for 20,000 of them, several times a step. A loop has the kernel
tell it instead (inotify) what is touched in the folders that hold tracked files. Events about names that git does not
track change nothing, and the editable files are compared by content. git is asked again after any other event, and
whenever the index, git's configuration or HEAD's tree has changed.

Some changes inotify does not report. They are seen when git is asked again, at the latest RECHECK seconds after the
last time:

- a store through a shared writable mapping, until it is unmapped or its process ends;
- a write through a hard link outside the watched folders that was made meanwhile (a tree that has one at the start is
  not watched);
- a file system that is mounted over a part of the work tree meanwhile, and changes below an overlay or on the bare
  device;
- changes of the user's own git configuration and attributes (in the home directory, say).

So after a run of that length git always looks at the files itself, as without a watch.
git is asked each time where other machines may change files (network and FUSE file systems), where the work tree spans
several file systems or has submodules, and where there is no inotify or not enough of it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitexp.files import read_file, stat_signature
from gitexp.git.objects import GITLINK
from gitexp.git.repository import Repository
from gitexp.git.status import Change, tracked_changes
from gitexp.git.touched import folders_of

with suppress(ImportError):  # a dependency on Linux only
    from inotify_simple import INotify, flags

RECHECK = 10.0  # seconds after which git is asked again, whatever was reported
LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "tmpfs", "overlay"}
RULES = {".gitattributes", ".gitmodules"}  # they decide how git reads other files, tracked or not
_MOUNTS = Path("/proc/self/mountinfo")
_open: dict[Path, TreeWatch] = {}  # by the top of the work tree


@contextmanager
def watching(repo: Repository) -> Iterator[None]:
    """Watch the work tree, where it can be watched: inside the block :func:`changes` is cheap while nothing changes."""
    try:
        watch = TreeWatch(repo)
    except OSError:
        yield
        return
    _open[repo.top] = watch
    try:
        yield
    finally:
        del _open[repo.top]
        watch.close()


def changes(repo: Repository, compared: Collection[str] = ()) -> list[Change]:
    """Every tracked path that differs from HEAD, in the index or in the work tree.

    ``compared`` are files that the caller compares itself: the answer may be out of date about their content.
    """
    watch = _open.get(repo.root) if repo.root else None
    return watch.changes(compared) if watch else tracked_changes(repo)


class TreeWatch:
    """The tracked files of a work tree. Raises ``OSError`` where they cannot be watched."""

    def __init__(self, repo: Repository) -> None:
        if not (_has_inotify() and _is_local(repo.top) and _is_plain(repo)):
            raise OSError(errno.ENOTSUP, "not to be watched", str(repo.top))
        self._repo = repo
        self._inotify: INotify | None = INotify()
        self._compared: set[str] = set()  # files that callers compare themselves
        self._tracked: set[str] = set()  # paths
        self._folders: dict[int, str] = {}  # that hold them, by inotify's number; the top is ""
        self._names: set[str] = set()  # of the folders
        self._covered = False  # whether all folders are known and watched
        self._answer: list[Change] | None = None  # git's last, as long as it can be trusted
        self._state: tuple[object, ...] = ()  # what the answer depends on besides the work tree
        self._contents: dict[str, tuple[int, bytes]] = {}  # of the compared files, when git was asked
        self._asked_at = 0.0  # by the monotonic clock
        self._head = ("", "")  # the last commit seen there, and its tree

    def close(self) -> None:
        """Stop watching; from here on git is asked each time."""
        if self._inotify:
            self._inotify.close()
            self._inotify = None

    def changes(self, compared: Collection[str] = ()) -> list[Change]:
        """As :func:`changes`."""
        if self._inotify is None:
            return tracked_changes(self._repo)
        self._compared.update(compared)
        self._read_events(self._inotify, self._compared)
        if self._answer is None or not self._is_current(compared):
            return self._ask(self._inotify)
        return list(self._answer)

    def _read_events(self, inotify: INotify, harmless: Collection[str] = ()) -> None:
        """Drop the answer if a tracked file was touched, and the list of folders if events were lost."""
        answer, covered = self._answer, self._covered
        self._answer, self._covered = None, False  # an interrupt in here loses events
        # The kernel queues an event before the system call that caused it returns: nothing done until now is missing.
        for event in inotify.read(timeout=0):
            folder = self._folders.get(event.wd)  # none for -1, the number of an overflow
            path = "/".join(filter(None, (folder, event.name)))
            if folder is None or path in self._names:  # events were lost, or folders came or went
                answer, covered = None, False
            elif event.name in RULES or (path in self._tracked and path not in harmless):
                answer = None
        self._answer, self._covered = answer, covered

    def _is_current(self, compared: Collection[str]) -> bool:
        """Whether git would give the last answer again, judged by everything that no event reports."""
        if time.monotonic() - self._asked_at > RECHECK or self._state_now() != self._state:
            return False
        return all(
            _content(self._repo.top / path) == self._contents.get(path) for path in self._compared - set(compared)
        )

    def _ask(self, inotify: INotify) -> list[Change]:
        """Watch first, then ask git: so each change is in its answer, or reported by an event, or both."""
        self._answer, self._asked_at, state = None, time.monotonic(), self._state_now()
        self._contents = {path: _content(self._repo.top / path) for path in self._compared}
        try:
            if not self._covered or state != self._state:
                self._cover(inotify)
        except OSError:  # something cannot be watched, or the kernel watches no more folders
            self.close()
            return tracked_changes(self._repo)
        self._state, self._covered = state, True
        answer = self._answer = tracked_changes(self._repo)
        self._read_events(inotify)  # a file that was touched while git looked may be in its answer or not
        return list(answer)

    def _state_now(self) -> tuple[object, ...]:
        """What git's answer depends on besides the work tree. git replaces these files as a whole."""
        common = self._repo.common_dir
        files = (self._repo.git_dir / "index", common / "config", common / "info/attributes")
        return (self._head_tree(), *map(stat_signature, files))

    def _head_tree(self) -> str:
        """HEAD's tree: a DISCARD moves HEAD, and leaves its tree as it is."""
        commit = self._repo.resolve("HEAD") or ""
        if commit != self._head[0]:
            self._head = commit, self._repo.tree_of(commit) if commit else ""
        return self._head[1]

    def _cover(self, inotify: INotify) -> None:
        """Watch every folder that holds tracked files, from the top down, so that no new folder is overlooked."""
        touched = flags.MODIFY | flags.ATTRIB | flags.CLOSE_WRITE | flags.MOVED_FROM | flags.MOVED_TO
        came_or_went = flags.CREATE | flags.DELETE | flags.DELETE_SELF | flags.MOVE_SELF
        mask = touched | came_or_went | flags.ONLYDIR | flags.DONT_FOLLOW
        records = os.fsdecode(self._repo.run("ls-files", "--stage", "-z")).split("\0")[:-1]
        paths = {record.partition("\t")[2] for record in records}
        has_submodules = any(record.startswith(GITLINK) for record in records)
        if has_submodules or any(map(self._has_other_names, paths - self._tracked)):
            raise OSError(errno.ENOTSUP, "submodules and hard links are not watched")
        self._tracked = paths
        self._names = folders_of(paths)
        for name in sorted(self._names):
            with suppress(FileNotFoundError, NotADirectoryError):  # the folder above reports when it comes
                self._folders[inotify.add_watch(self._repo.top / name, mask)] = name

    def _has_other_names(self, path: str) -> bool:
        """Whether the file has a hard link, maybe in a folder that is not watched."""
        try:
            return os.lstat(f"{self._repo.top}/{path}").st_nlink > 1
        except OSError:
            return False


def _content(file: Path) -> tuple[int, bytes]:
    """The kind and mode of a file, and its bytes or the target of a symbolic link; of none, the error's number."""
    try:
        mode = os.lstat(file).st_mode
        if stat.S_ISLNK(mode):
            return mode, os.fsencode(os.readlink(file))
        return mode, read_file(file) if stat.S_ISREG(mode) else b""
    except OSError as error:
        return error.errno or 0, b""  # no mode is so small


def _has_inotify() -> bool:
    return sys.platform == "linux"


def _is_local(top: Path) -> bool:
    """Whether one file system of this machine alone holds the work tree: inotify reports no other machine's changes."""
    here, length = "", -1
    inside = os.path.join(os.path.realpath(top), "")
    for line in read_file(_MOUNTS).splitlines():
        left, _, right = line.partition(b" - ")
        point = os.path.join(os.fsdecode(re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), left.split()[4])), "")
        if point.startswith(inside) and point != inside:
            return False
        if inside.startswith(point) and len(point) >= length:  # of two at the same place, the later one shows
            here, length = os.fsdecode(right.split()[0]), len(point)
    return here in LOCAL


def _is_plain(repo: Repository) -> bool:
    """Whether each file has one spelling, and git finds changes without a helper."""
    return not repo.config.get_bool("core.ignoreCase", False) and repo.config.get("core.fsmonitor") in (None, "false")
