"""Commits: read, a few of them or any number in a stream, and written.

A stream is printed by one git process, and read while it prints.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BufferedReader, FileIO
from typing import NamedTuple

from gitexp.errors import GitexpError
from gitexp.files import part_file, remove_part_files, write_file
from gitexp.git.driver import GitCommandError, ending, read_block, read_line, start
from gitexp.git.repository import Repository, missing_object, read_object

CHUNK = 1 << 18  # bytes that are read of a stream at once


class Commit(NamedTuple):
    """A commit; ``message`` is UTF-8 where git says in which encoding it was written."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    message: bytes


# -- reading -----------------------------------------------------------------------------------------------------------


def first_parents(repo: Repository, tip: str) -> Iterator[Commit]:
    """The commits from ``tip`` back along first parents, streamed: the caller may stop anywhere."""
    return rev_list(repo, "--first-parent", tip)


def rev_list(repo: Repository, *args: str) -> Iterator[Commit]:
    """The commits that ``git rev-list`` lists for these arguments, newest first, streamed."""
    listing = start(repo.driver, "rev-list", *args, "--")
    assert listing.stdout
    assert listing.stderr
    with ending(listing):
        yield from _printed(repo, listing.stdout.fileno())
        if listing.wait():
            raise GitCommandError(("rev-list",), listing.returncode, listing.stderr.read())


def stream_commits(repo: Repository, oids: Iterable[str]) -> Iterator[Commit]:
    """Commits by object id, any number of them. Raises where one is missing."""
    with tempfile.TemporaryFile() as file:
        file.writelines(f"{oid}\n".encode() for oid in oids)
        file.seek(0)
        yield from _printed(repo, file.fileno())


def _printed(repo: Repository, listing: int) -> Iterator[Commit]:
    """The commits whose ids can be read from the file descriptor ``listing``."""
    printing = start(repo.driver, "cat-file", "--batch", "--buffer", stdin=listing)
    assert printing.stdout
    shallow = repo.shallow_commits()
    with ending(printing):
        answers = BufferedReader(FileIO(printing.stdout.fileno(), closefd=False), CHUNK)
        with suppress(EOFError):  # git was killed in the middle of a commit: its exit code says so
            while head := answers.readline():
                if not head.endswith(b"\n"):
                    raise EOFError
                oid, _, *size = head.decode("ascii").split()
                if not size:
                    raise missing_object(oid)
                commit = to_commit(oid, read_block(answers, int(size[0])))
                yield commit._replace(parents=()) if oid in shallow else commit
        if printing.wait():  # else a killed git would make a history look shorter
            assert printing.stderr
            raise GitCommandError(("cat-file",), printing.returncode, printing.stderr.read())


def read_commits(repo: Repository, oids: Sequence[str]) -> list[Commit]:
    """Commits by object id, a few of them. Raises where one is missing."""
    question = "".join(f"{oid}\n" for oid in oids).encode()
    objects = repo.ask("cat-file", "--batch").ask(question, lambda answer: [read_object(answer) for _ in oids])
    if None in objects:
        raise missing_object(oids[objects.index(None)])
    return [to_commit(each.oid, each.data) for each in objects if each]


def to_commit(oid: str, data: bytes) -> Commit:
    """A commit as git stores it: lines with a key each, an empty line, the message."""
    head, _, message = data.partition(b"\n\n")
    at = head.index(b"\n") + 1
    tree, parents = head[5 : at - 1].decode("ascii"), []
    while head.startswith(b"parent ", at):
        end = head.index(b"\n", at)
        parents.append(head[at + 7 : end].decode("ascii"))
        at = end + 1
    if b"\nencoding " in head:
        encoding = head.partition(b"\nencoding ")[2].partition(b"\n")[0]
        with suppress(LookupError, ValueError):
            message = message.decode(encoding.decode("ascii")).encode()
    return Commit(oid, tree, tuple(parents), message)


# -- writing -----------------------------------------------------------------------------------------------------------


def commit_tree(repo: Repository, tree: str, parent: str | None, message: bytes, date: str = "") -> str:
    """Write a commit, signed where git is told to sign; returns its id. No branch is moved.

    ``date`` is that of author and committer, in any form that git reads; now, where it is empty.
    """
    # commit-tree is plumbing: it signs only when told, whatever commit.gpgsign says.
    sign = ("-S",) if repo.config.get_bool("commit.gpgsign", False) else ()
    parents = ("-p", parent) if parent else ()
    if not date and not sign:
        oid, data = _write_commit(repo, tree, parent, message)
        repo.unheld[oid] = data
        return oid
    args = ("-c", "i18n.commitEncoding=UTF-8", "commit-tree", *sign, *parents, "-F", "-", tree)
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else None
    oid = os.fsdecode(repo.run(*args, stdin=message, env=dates)).rstrip("\n")
    if written := repo.object(oid):
        repo.unheld[oid] = written.data
    return oid


def restore_unheld(repo: Repository) -> None:
    """Write the commits again that are gone, now that a ref holds the last of them.

    ``git gc --prune=now`` beside takes a commit that no ref holds yet. The child of such a commit may be written after
    that, and git moves a ref to it without a look at its parents.
    """
    for oid, data in repo.unheld.items():
        if repo.object(oid) is None:
            repo.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=data)
    repo.unheld.clear()


def remove_unfinished(repo: Repository) -> None:
    """Remove the files of commits that killed processes did not finish. The caller holds the work tree's lock."""
    remove_part_files([repo.git_dir])


def _write_commit(repo: Repository, tree: str, parent: str | None, message: bytes) -> tuple[str, bytes]:
    """Write a commit as commit-tree does, without a process of its own for each; its id and its bytes."""
    if repo.tree(tree) is None:
        raise GitexpError(f"The tree {tree} is missing.", "git fsck   # then fetch it from a clone")
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else ())]
    lines += [f"{role} {repo.config.identity(role)}" for role in ("author", "committer")]
    data = os.fsencode("\n".join(lines)) + b"\n\n" + message
    file = part_file(repo.git_dir / "commit")
    try:
        write_file(file, data)
        hashing = repo.ask("hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths")
        return hashing.ask(os.fsencode(file) + b"\n", read_line), data
    finally:
        file.unlink(missing_ok=True)
