"""Which commit another one reverts or copies: the lines that git writes into the messages of such commits."""

from __future__ import annotations

import re

PICKED_FROM = "(cherry picked from commit "
_PICKED = re.compile(rb"^" + re.escape(PICKED_FROM).encode() + rb"([0-9a-f]{40,64})\)$", re.MULTILINE)
_REVERTS = re.compile(rb"^This reverts commit ([0-9a-f]{40,64})\b", re.MULTILINE)


def revert_subject(subject: str) -> str:
    """The subject of the revert of a commit with this subject."""
    return f'Revert "{subject}"'


def revert_message(subject: str, commit: str) -> bytes:
    """The message that ``git revert`` writes for a commit with this subject."""
    return f"{revert_subject(subject)}\n\nThis reverts commit {commit}.\n".encode()


def is_revert(message: bytes, prefix: bytes) -> bool:
    """Whether a message is that of a revert, of a commit whose subject begins with ``prefix``."""
    return message.startswith(b'Revert "' + prefix) and b"\n\nThis reverts commit " in message


def reverted_commits(message: bytes) -> list[str]:
    """The ids of the commits that a message says are reverted."""
    return [oid.decode("ascii") for oid in _REVERTS.findall(message)]


def picked_commits(message: bytes) -> list[str]:
    """The ids of the commits that a message says were picked, the first one first."""
    return [oid.decode("ascii") for oid in _PICKED.findall(message)]
