"""Which tracked files differ from HEAD, asked often: while nobody touched one, the last answer still holds.

``git status`` looks at every tracked file: 20 to 80 ms for 20,000 of them, several times a step. A loop has the kernel
tell it instead (inotify) what is touched in the folders that hold tracked files. Events about names that git does not
track change nothing, and the editable files are compared by content. After any other event, and whenever the index,
git's configuration or HEAD's tree is not what it was, git is asked again.

What inotify does not tell, git is asked about anyway, at the latest RECHECK seconds after it last was. That is:

- a store through a shared writable mapping, until it is unmapped or its process ends;
- a write through a hard link outside the watched folders that was made meanwhile (one that is there at the start rules
  the watch out);
- something mounted over a part of the work tree meanwhile, and changes below an overlay or on the bare device;
- changes of the user's own git configuration and attributes (in the home directory, say).

So after a run of that length git always looks at the files itself, as without a watch.
Where changes may come from other machines (network and FUSE file systems), or the work tree is of several file systems
or has submodules, and wherever there is no inotify or not enough of it, git is asked each time.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitexp.files import stat_signature
from gitexp.git.repository import Repository
from gitexp.git.status import Change, tracked_changes

with suppress(ImportError):  # a dependency on Linux only
    from inotify_simple import INotify, flags

RECHECK = 10.0  # seconds after which git is asked again, whatever was seen
LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "tmpfs", "overlay"}
RULES = {".gitattributes", ".gitmodules"}  # what git makes of other files depends on them, tracked or not
_MOUNTS = Path("/proc/self/mountinfo")
_open: dict[Path, TreeWatch] = {}  # by the top of the work tree


@contextmanager
def watching(repo: Repository) -> Iterator[None]:
    """For as long as this lasts, :func:`changes` of ``repo`` costs nothing where nothing changed, if that can be."""
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


def changes(repo: Repository, but: Collection[str] = ()) -> list[Change]:
    """Every tracked path that differs from HEAD, in the index or in the work tree.

    The caller looks itself at the files ``but``: of what the work tree holds there the answer may be out of date.
    """
    watch = _open.get(repo.root) if repo.root else None
    return watch.changes(but) if watch else tracked_changes(repo)


class TreeWatch:
    """The tracked files of a work tree. Raises ``OSError`` where they cannot be watched."""

    def __init__(self, repo: Repository) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "no inotify")
        if not _is_local(repo.top) or not _is_plain(repo):
            raise OSError(errno.ENOTSUP, "not to be watched", str(repo.top))
        self._repo = repo
        self._inotify: INotify | None = INotify()
        self._compared: set[str] = set()  # files that callers look at themselves
        self._paths: set[str] = set()  # tracked ones
        self._folders: dict[int, str] = {}  # that hold them, by inotify's number; the top is ""
        self._names: set[str] = set()  # of the folders
        self._covered = False  # whether these are known, and watched
        self._known: list[Change] | None = None  # git's last answer, as long as it can be trusted
        self._state: tuple[object, ...] = ()  # of what it depends on besides
        self._seen: dict[str, tuple[int, bytes]] = {}  # what the compared files held then
        self._asked = 0.0
        self._head = ("", "")  # the last commit seen there, and its tree

    def close(self) -> None:
        if self._inotify:
            self._inotify.close()
            self._inotify = None

    def changes(self, but: Collection[str] = ()) -> list[Change]:
        if self._inotify is None:
            return tracked_changes(self._repo)
        self._compared.update(but)
        self._listen(self._inotify, self._compared)
        if self._known is None or not self._holds(but):
            return self._ask(self._inotify)
        return list(self._known)

    def _listen(self, inotify: INotify, harmless: Collection[str] = ()) -> None:
        """Doubt what the events cast doubt on."""
        known, covered = self._known, self._covered
        self._known, self._covered = None, False  # whoever interrupts this loses events
        # The kernel queues an event before the system call that caused it returns: nothing done until now is missing.
        for event in inotify.read(timeout=0):
            folder = self._folders.get(event.wd)  # none for -1, the number of an overflow
            path = "/".join(filter(None, (folder, event.name)))
            if folder is None or path in self._names:  # events were lost, or folders came or went
                known, covered = None, False
            elif event.name in RULES or (path in self._paths and path not in harmless):
                known = None
        self._known, self._covered = known, covered

    def _holds(self, but: Collection[str]) -> bool:
        """Whether git would say the same again, as far as no event tells."""
        if time.monotonic() - self._asked > RECHECK or self._now() != self._state:
            return False
        return all(_held(self._repo.top / path) == self._seen.get(path) for path in self._compared.difference(but))

    def _ask(self, inotify: INotify) -> list[Change]:
        """Watch first, then let git look: so each change is in its answer, or is told of, or both."""
        self._known, self._asked, state = None, time.monotonic(), self._now()
        self._seen = {path: _held(self._repo.top / path) for path in self._compared}
        try:
            if not self._covered or state != self._state:
                self._cover(inotify)
        except OSError:  # there is something that cannot be watched, or the kernel watches no more folders
            self.close()
            return tracked_changes(self._repo)
        self._state, self._covered = state, True
        found = self._known = tracked_changes(self._repo)
        self._listen(inotify)  # what was touched while git looked may be in its answer or not
        return list(found)

    def _now(self) -> tuple[object, ...]:
        """What the answer depends on besides the work tree. Files that git replaces whole are new ones then."""
        common = self._repo.common_dir
        files = (self._repo.git_dir / "index", common / "config", common / "info/attributes")
        return (self._tree(), *map(stat_signature, files))

    def _tree(self) -> str:
        """HEAD's tree: a DISCARD moves HEAD, and leaves that as it is."""
        commit = self._repo.resolve("HEAD") or ""
        if commit != self._head[0]:
            self._head = commit, self._repo.tree_of(commit) if commit else ""
        return self._head[1]

    def _cover(self, inotify: INotify) -> None:
        """Watch every folder that holds tracked files, from the top down: what is made while this is done is seen."""
        touched = flags.MODIFY | flags.ATTRIB | flags.CLOSE_WRITE | flags.MOVED_FROM | flags.MOVED_TO
        came_or_went = flags.CREATE | flags.DELETE | flags.DELETE_SELF | flags.MOVE_SELF
        mask = touched | came_or_went | flags.ONLYDIR | flags.DONT_FOLLOW
        records = os.fsdecode(self._repo.run("ls-files", "--stage", "-z")).split("\0")[:-1]
        paths = {record.partition("\t")[2] for record in records}
        if any(record.startswith("160000 ") for record in records) or any(map(self._is_linked, paths - self._paths)):
            raise OSError(errno.ENOTSUP, "submodules and other names are not watched")
        self._paths = paths
        self._names = _above(self._paths)
        for name in sorted(self._names):
            with suppress(FileNotFoundError, NotADirectoryError):  # the folder above it tells when it comes
                self._folders[inotify.add_watch(self._repo.top / name, mask)] = name

    def _is_linked(self, path: str) -> bool:
        """Whether the file has another name, maybe where nobody watches."""
        try:
            return os.lstat(f"{self._repo.top}/{path}").st_nlink > 1
        except OSError:
            return False


def _above(paths: Iterable[str]) -> set[str]:
    """Every folder on the way to one of ``paths``; the top is the empty one."""
    found = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _held(file: Path) -> tuple[int, bytes]:
    """What a path holds: its kind and mode, and its bytes, or where a symbolic link leads."""
    try:
        mode = os.lstat(file).st_mode
        if stat.S_ISLNK(mode):
            return mode, os.fsencode(os.readlink(file))
        return mode, file.read_bytes() if stat.S_ISREG(mode) else b""
    except OSError as error:
        return error.errno or 0, b""  # no mode is so small


def _is_local(top: Path) -> bool:
    """Whether one file system of this machine alone holds the work tree: of other changes inotify is not told."""
    here, length = "", -1
    inside = os.path.join(os.path.realpath(top), "")
    for line in _MOUNTS.read_bytes().splitlines():
        left, _, right = line.partition(b" - ")
        point = os.path.join(os.fsdecode(re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), left.split()[4])), "")
        if point.startswith(inside) and point != inside:
            return False
        if inside.startswith(point) and len(point) >= length:  # of two at the same place, the later one shows
            here, length = os.fsdecode(right.split()[0]), len(point)
    return here in LOCAL


def _is_plain(repo: Repository) -> bool:
    """Whether a file has one spelling, and git looks for itself."""
    return not repo.config.get_bool("core.ignoreCase", False) and repo.config.get("core.fsmonitor") in (None, "false")
