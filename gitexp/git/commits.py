"""Commits: a few of them, or any number in a stream. git lists them, prints them, and is read while it does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BufferedReader, FileIO
from typing import NamedTuple

from gitexp.errors import GitexpError
from gitexp.git.driver import GitCommandError, block, ended, start
from gitexp.git.repository import Repository, to_object

CHUNK = 1 << 18  # bytes that are read of a stream at once


class Commit(NamedTuple):
    oid: str
    tree: str
    parents: tuple[str, ...]
    message: bytes


def first_parents(repo: Repository, tip: str) -> Iterator[Commit]:
    """The commits from ``tip`` back along first parents, streamed: the caller may stop anywhere."""
    return listed(repo, "--first-parent", tip)


def listed(repo: Repository, *which: str) -> Iterator[Commit]:
    """The commits that ``which`` names, in the words of git rev-list, newest first, streamed."""
    listing = start(repo.driver, "rev-list", *which, "--")
    assert listing.stdout
    assert listing.stderr
    with ended(listing):
        yield from _printed(repo, listing.stdout.fileno())
        if listing.wait():
            raise GitCommandError(("rev-list",), listing.returncode, listing.stderr.read())


def stream(repo: Repository, oids: Iterable[str]) -> Iterator[Commit]:
    """Commits by object id, any number of them."""
    with tempfile.TemporaryFile() as file:
        file.writelines(f"{oid}\n".encode() for oid in oids)
        file.seek(0)
        yield from _printed(repo, file.fileno())


def _printed(repo: Repository, listing: int) -> Iterator[Commit]:
    """The commits whose ids can be read from ``listing``."""
    printing = start(repo.driver, "cat-file", "--batch", "--buffer", stdin=listing)
    assert printing.stdout
    cut = frozenset((repo.common_dir / "shallow").read_text().split()) if repo.is_shallow() else ()
    with ended(printing):
        answers = BufferedReader(FileIO(printing.stdout.fileno(), closefd=False), CHUNK)
        while head := answers.readline():
            oid, _, *size = head.decode("ascii").split()
            if not size:
                raise missing(oid)
            commit = to_commit(oid, block(answers, int(size[0])))
            yield commit._replace(parents=()) if oid in cut else commit  # a shallow clone ends there


def some(repo: Repository, oids: Sequence[str]) -> list[Commit]:
    """Commits by object id, a few of them."""
    question = "".join(f"{oid}\n" for oid in oids).encode()
    found = repo.ask("cat-file", "--batch").ask(question, lambda answer: [to_object(answer) for _ in oids])
    if None in found:
        raise missing(oids[found.index(None)])
    return [to_commit(each.oid, each.data) for each in found if each]


def missing(oid: str) -> GitexpError:
    return GitexpError(f"The object {oid} of this history is missing.", "git fsck   # then fetch it from a clone")


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
