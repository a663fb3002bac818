"""What an undo took out of the work tree is kept for a while: an editor may have it open, and still save into it.

Each file has a folder of its own: a note, the file that was swapped out, and what was to stand in its place. The next
step compares the file with what it held when it was taken out, and saves what came later as a ref.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitexp.files import open_file, read_file, remove_folder, write_file
from gitexp.git import refs
from gitexp.git.exchange import NoExchangeError, exchange, move_new
from gitexp.git.objects import EXECUTABLE, REGULAR, SYMLINK, Entry, write_tree
from gitexp.git.repository import Repository

HIDDEN = ".gitexp.*.kept"  # the name of a file that is kept in the work tree, as .git is on another file system
_NOTE = "note.json"
_BLOCK = 1 << 20  # bytes that are read at once


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of the work tree that makes room, or has made room, for another."""

    folder: Path  # its own
    path: str  # in the work tree
    new: Path  # what is to stand there; after an exchange, what stood there
    old: Path  # what stood there, where it was renamed
    known: tuple[str, ...] = ()  # fingerprints of the old file and the new one: no need to save these

    @classmethod
    def of(cls, kept: Path, path: str, beside: Path | None = None) -> KeptFile:
        """A new one below ``kept``; its files lie there too, or hidden in the folder ``beside``."""
        token = os.urandom(8).hex()
        folder = kept / token
        folder.mkdir(parents=True)
        where, name = (beside, f".gitexp.{token}-%s.kept") if beside else (folder, "%s")
        return cls(folder, path, where / (name % "new"), where / (name % "old"))

    def note(self, *known: str) -> KeptFile:
        """The same with these fingerprints, written down: from here on a death of this process loses nothing."""
        note = {"path": self.path, "new": str(self.new), "old": str(self.old), "known": known}
        write_file(self.folder / _NOTE, json.dumps(note).encode())
        return KeptFile(self.folder, self.path, self.new, self.old, known)

    def forget(self) -> None:
        """Remove it, unless somebody put a folder in the place of the file: that stays."""
        if any(file.is_dir() and not file.is_symlink() for file in (self.new, self.old)):
            return
        for file in (self.new, self.old):
            file.unlink(missing_ok=True)
        remove_folder(self.folder)

    # -- the work tree -----------------------------------------------------------------------------------------------

    def swap_in(self, file: Path, seen: str) -> bool:
        """Put the new file in the place of ``file``; false if that is not what was ``seen``: then it is back there."""
        try:
            exchange(self.new, file)
        except NoExchangeError:
            return self.move_out(file, seen) and self.move_in(file)
        except FileNotFoundError:  # somebody removed it
            return False
        if fingerprint(self.new) == seen:
            return True
        with suppress(FileNotFoundError, FileExistsError):
            self._swap_back(file)
        return False

    def _swap_back(self, file: Path) -> None:
        try:
            exchange(self.new, file)
        except FileNotFoundError:  # somebody removed the new file
            move_new(self.new, file)
            return
        if fingerprint(self.new) != self.known[-1]:  # somebody saved once more, over the new file
            exchange(self.new, file)

    def move_out(self, file: Path, seen: str) -> bool:
        """Take ``file`` away; false if that is not what was ``seen``: then it is back there."""
        try:
            os.rename(file, self.old)
        except FileNotFoundError:
            return False
        if fingerprint(self.old) == seen:
            return True
        with suppress(FileExistsError):  # a later save stands there, and this one is kept
            move_new(self.old, file)
        return False

    def move_in(self, file: Path) -> bool:
        """Put the new file where nothing stands; false if something does."""
        try:
            move_new(self.new, file)
        except FileExistsError:  # somebody saved meanwhile
            self.new.unlink()
            return False
        return True


def fingerprint(file: Path) -> str:
    """The kind of what stands at a path, its run bit, and a hash of its bytes or its target; empty for nothing."""
    try:
        mode = os.lstat(file).st_mode
        content = hashlib.sha256()
        if stat.S_ISLNK(mode):
            content.update(os.fsencode(os.readlink(file)))
        elif stat.S_ISREG(mode):
            with open_file(file) as data:
                while block := data.read(_BLOCK):
                    content.update(block)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return f"{stat.S_IFMT(mode) | mode & stat.S_IXUSR:o} {content.hexdigest()}"


def clear_kept(repo: Repository, kept: Path) -> list[tuple[str, str]]:
    """Forget what is kept below ``kept``, once :func:`save_changed` has saved what changed; that is returned."""
    files = _kept_files(kept)
    for file in files:
        if os.path.lexists(file.old) and os.path.lexists(file.new):  # its gitexp died between the two moves
            with suppress(FileExistsError):
                move_new(file.old, repo.top / file.path)
    saved = save_changed(repo, kept)
    for file in files:
        file.forget()
    for folder in kept.glob("*"):
        if not (folder / _NOTE).exists():  # its gitexp died before anything was swapped
            remove_folder(folder)
    with suppress(OSError):  # none was there, or a note is unreadable and stays
        kept.rmdir()
    return saved


def save_changed(repo: Repository, kept: Path) -> list[tuple[str, str]]:
    """Save each file that changed since it was taken out of the work tree; its path, and the ref that keeps it."""
    saved: list[tuple[str, str]] = []
    for one in _kept_files(kept):
        for file in (one.new, one.old):
            is_file = file.is_symlink() or file.is_file()
            if is_file and fingerprint(file) not in one.known:
                saved.append((one.path, _save(repo, one.path, file)))
    return saved


def _kept_files(kept: Path) -> list[KeptFile]:
    found: list[KeptFile] = []
    for note in sorted(kept.glob(f"*/{_NOTE}")):
        with suppress(ValueError, LookupError, TypeError):  # a power cut may have emptied it
            data = json.loads(read_file(note))
            known = tuple(data["known"])
            found.append(KeptFile(note.parent, data["path"], Path(data["new"]), Path(data["old"]), known))
    return found


def _save(repo: Repository, path: str, file: Path) -> str:
    """Keep a file in HEAD's tree, at its path there, as a ref: ``git restore --source=REF`` takes it back."""
    if file.is_symlink():
        content, mode = os.fsencode(os.readlink(file)), SYMLINK
        oid = repo.line("hash-object", "-w", "--stdin", stdin=content)
    else:
        mode = EXECUTABLE if os.access(file, os.X_OK) else REGULAR
        oid = repo.line("hash-object", "-w", "--stdin", f"--path={path}", stdin=read_file(file))
    ref = refs.saved(f"save-{oid[:12]}")
    tree = write_tree(repo, repo.tree_of("HEAD"), {path: Entry(mode, oid)})
    refs.update(repo, "gitexp: saved", f"update {ref} {tree}")
    return ref
