"""Findings: what ``gitexp fsck`` reports, one for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitexp.errors import GitexpError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    code: str  # a word for programs
    sentence: str
    repair: str  # the command that repairs it, or looks closer


@dataclass(frozen=True, slots=True)
class Audit:
    """The outcome of ``gitexp fsck``."""

    findings: tuple[Finding, ...]
    checked: str = ""  # the iterations that were checked
    unchecked: tuple[str, ...] = ()  # what this clone cannot tell, each a clause with its reason


def until_refused(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a check; a check that cannot go on ends with a finding that says why."""
    try:
        yield from findings
    except GitexpError as error:
        yield Finding("unchecked", error.sentence, error.hint or "git fsck")
