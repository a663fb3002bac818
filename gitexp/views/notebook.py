"""EXPERIMENT.md read back: the edits that people made since it was computed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gitexp.files import NotRegularError, find_file
from gitexp.git.repository import Repository
from gitexp.model import NOTEBOOK, Notes
from gitexp.text import from_bytes

WRITTEN_BY_PEOPLE = ("Current goal", "Hypothesis", "Constraints", "Next to try")
COMPUTED = ("Baseline", "Results so far", "What was learned", "Notes")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*")
_TITLE = re.compile(r"#\s+Experiment (.+)")
_OUR_COMMENT = re.compile(r"<!-- gitexp computes this file.*?-->", re.DOTALL)
_BULLET = re.compile(r"\s{0,1}(?:[-*+]|\d+[.)])(?:\s+(?:\[[ xX]\]\s+)?(.*))?")

Sections = dict[str, list[str]]  # the lines below each heading
Value = TypeVar("Value", str, tuple[str, ...])


def current(repo: Repository, home: str) -> str:
    """EXPERIMENT.md as it stands in the folder ``home`` of the work tree; empty if there is none."""
    return read(repo.top / home / NOTEBOOK)


def owner(text: str) -> str | None:
    """The name of the experiment in a notebook's title; ``None`` if it has no such title."""
    title = _title(text)
    return title[1] if title else None


def read(file: Path) -> str:
    """A notebook's text; empty if there is none, or if a link or the like, which is not read, stands in its place."""
    try:
        return from_bytes(find_file(file) or b"").replace("\r\n", "\n")
    except NotRegularError:
        return ""


def absorb(text: str, computed: str) -> Notes:
    """The edits in ``text``, against ``computed``: the file as gitexp last wrote it.

    An edited section of people's is taken whole; new lines anywhere else become the note.
    """
    new, old = _sections(text), _sections(computed)
    goal, hypothesis = (_changed(_prose, new, old, name) for name in ("Current goal", "Hypothesis"))
    constraints, ideas = (_changed(_items, new, old, name) for name in ("Constraints", "Next to try"))
    return Notes(goal=goal, hypothesis=hypothesis, constraints=constraints, next=ideas, note=_unclaimed(new, old))


def _sections(text: str) -> Sections:
    """The lines below each heading. Those before the first stand under an empty name; the title is dropped."""
    sections: Sections = {"": []}
    name = ""
    text = _OUR_COMMENT.sub("", text.replace("\r\n", "\n"), count=1)
    lines = text.split("\n")
    if title := _title(text):
        lines.remove(title[0])
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            name = _section_name(heading[1])
            sections.setdefault(name, [])
        else:
            sections[name].append(line.rstrip())
    return sections


def _title(text: str) -> re.Match[str] | None:
    """The first heading, if it names the experiment; else ``None``."""
    heading = next(filter(_HEADING.fullmatch, text.split("\n")), "")
    return _TITLE.fullmatch(heading)


def _section_name(heading: str) -> str:
    """The section that a heading names, in whichever case people wrote it; else the heading itself."""
    return next((name for name in WRITTEN_BY_PEOPLE + COMPUTED if name.lower() == heading.lower()), heading)


def _changed(read: Callable[[list[str]], Value], new: Sections, old: Sections, name: str) -> Value | None:
    if name not in new:
        return None
    value = read(new[name])
    return None if value == read(old.get(name, [])) else value


def _prose(lines: list[str]) -> str:
    """Lines as text, without the ``\\`` by which a ``#`` at the start of a line is escaped."""
    return "\n".join(re.sub(r"^\\(?=\\*#)", "", line) for line in lines).strip()


def _items(lines: list[str]) -> tuple[str, ...]:
    """The items of a list. An indented line continues the item before it; any other line is an item of its own."""
    items: list[str] = []
    for line in lines:
        if bullet := _BULLET.fullmatch(line):
            items.append((bullet[1] or "").strip())
        elif line.strip() and items and line.startswith(" "):
            items[-1] += "\n" + line.strip()
        elif line.strip():
            items.append(line.strip())
    return tuple(filter(None, items))


def _unclaimed(new: Sections, old: Sections) -> str | None:
    """The lines outside people's sections that gitexp did not write, under the headings people gave them."""
    parts: list[str] = []
    for name, lines in new.items():
        if name in WRITTEN_BY_PEOPLE:
            continue
        text = _prose(_surplus(lines, Counter(old.get(name, []))))
        if text or (name and name not in COMPUTED and name not in old):
            title = f"{name}:\n" if name and name not in COMPUTED else ""
            parts.append((title + text).strip())
    return "\n\n".join(parts) or None


def _surplus(lines: list[str], known: Counter[str]) -> list[str]:
    """``lines`` without the ``known`` ones, each left out as often as it is known; empty lines stay."""
    surplus: list[str] = []
    for line in lines:
        if line and known[line]:
            known[line] -= 1
        else:
            surplus.append(line)
    return surplus
