"""EXPERIMENT.md read back: what people wrote in it since it was computed, and writing both views to disk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gitexp import history, table
from gitexp.disk import write_file
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.model import Ledger, Notes
from gitexp.pending import Place
from gitexp.rows import RESULTS
from gitexp.text import from_bytes
from gitexp.views import NOTEBOOK, experiment_md

PEOPLES = ("Current goal", "Hypothesis", "Constraints", "Next to try")
COMPUTED = ("Baseline", "Results so far", "What was learned", "Notes")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*")
_TITLE = re.compile(r"#\s+Experiment (.+)")
_OUR_COMMENT = re.compile(r"<!-- gitexp computes this file.*?-->", re.DOTALL)
_BULLET = re.compile(r"\s{0,1}(?:[-*+]|\d+[.)])(?:\s+(?:\[[ xX]\]\s+)?(.*))?")

Sections = dict[str, list[str]]  # the lines below each heading
Value = TypeVar("Value", str, tuple[str, ...])


def current(repo: Repository) -> str:
    """EXPERIMENT.md as it is; empty when there is none."""
    return read(repo.top / NOTEBOOK)


def owner(text: str) -> str | None:
    """The experiment that a notebook says it is of."""
    title = _title(text)
    return title[1] if title else None


def unsealed(repo: Repository, place: Place, name: str) -> Notes:
    """What people wrote in EXPERIMENT.md since it was computed. Raises when those are edits for another experiment."""
    text = current(repo)
    other = owner(text)
    others = _computed(repo, Place.of(repo, other)) if other and other != name else ""
    if not others:
        return absorb(text, _computed(repo, place))
    if text != others:
        raise GitexpError(
            f"{NOTEBOOK} holds edits for the experiment {other}, not for {name}.",
            f"git switch exp/{other}   # and seal them with a step there, or remove {NOTEBOOK}",
        )
    return Notes()


def sealed(repo: Repository, place: Place, ledger: Ledger, notebook: str) -> None:
    """An iteration carries what ``notebook`` said: what EXPERIMENT.md says beyond that is new."""
    if _computed(repo, place) != experiment_md(ledger):  # else its views are written already, and say more
        write_file(place.rendered, notebook.encode())
        place.forget_rendering()


def write_views(repo: Repository, place: Place, ledger: Ledger) -> None:
    """Write results.tsv and EXPERIMENT.md at the top of the work tree; people's unsealed text stays in it."""
    edits = unsealed(repo, place, ledger.name)
    _exclude(repo)
    computed = experiment_md(ledger)
    place.write_rendering(current(repo), computed)
    table.write(repo, place, ledger)
    write_file(repo.top / NOTEBOOK, (experiment_md(ledger, edits) if edits != Notes() else computed).encode())
    write_file(place.rendered, computed.encode())
    place.forget_rendering()


def _computed(repo: Repository, place: Place) -> str:
    """What EXPERIMENT.md is an edit of; empty when that is not known."""
    if written := place.read_rendering():  # somebody died while writing it: before it was replaced, or after?
        before, after = (_shared(current(repo), text) for text in written)
        if after > before:
            return written[1]
    text = read(place.rendered)
    if not text and owner(current(repo)) == place.name:  # a power cut emptied it
        with suppress(GitexpError):
            return experiment_md(history.load(repo, place.name))
    return text


def _shared(text: str, other: str) -> int:
    """How many lines two texts have in common."""
    return sum((Counter(text.split("\n")) & Counter(other.split("\n"))).values())


def _exclude(repo: Repository) -> None:
    """Keep the views out of ``git status`` and of everybody's ``git add .``, without touching a tracked file."""
    file = repo.common_dir / "info" / "exclude"
    file.parent.mkdir(exist_ok=True)
    old = file.read_bytes() if file.exists() else b""
    missing = [line for line in (f"/{RESULTS}", f"/{NOTEBOOK}") if line.encode() not in old.splitlines()]
    if missing:
        end = b"" if old.endswith(b"\n") or not old else b"\n"
        with file.open("ab") as out:
            out.write(end + "".join(f"{line}\n" for line in ("# computed by gitexp", *missing)).encode())


def read(file: Path) -> str:
    return from_bytes(file.read_bytes()).replace("\r\n", "\n") if file.is_file() else ""


def absorb(text: str, computed: str) -> Notes:
    """What ``text`` says that ``computed``, the file as gitexp last wrote it, does not.

    In people's sections the whole section counts, elsewhere each new line: it becomes the note.
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
        if found := _HEADING.fullmatch(line):
            name = _known(found[1])
            sections.setdefault(name, [])
        else:
            sections[name].append(line.rstrip())
    return sections


def _title(text: str) -> re.Match[str] | None:
    """The line that names the experiment: the first heading, if it does."""
    heading = next(filter(_HEADING.fullmatch, text.split("\n")), "")
    return _TITLE.fullmatch(heading)


def _known(heading: str) -> str:
    """A heading people wrote in another case is still the section it names."""
    return next((name for name in PEOPLES + COMPUTED if name.lower() == heading.lower()), heading)


def _changed(read: Callable[[list[str]], Value], new: Sections, old: Sections, name: str) -> Value | None:
    if name not in new:
        return None
    value = read(new[name])
    return None if value == read(old.get(name, [])) else value


def _prose(lines: list[str]) -> str:
    """Lines as text, less the escape that keeps a ``#`` from being a heading."""
    return "\n".join(re.sub(r"^\\(?=\\*#)", "", line) for line in lines).strip()


def _items(lines: list[str]) -> tuple[str, ...]:
    """The items of a list: a line that starts no item goes on with the one before, or is an item of its own."""
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
    """The lines that stand in no section of people's, and that gitexp did not write."""
    parts: list[str] = []
    for name, lines in new.items():
        if name in PEOPLES:
            continue
        text = _prose(_surplus(lines, Counter(old.get(name, []))))
        if text or (name and name not in COMPUTED and name not in old):
            title = f"{name}:\n" if name and name not in COMPUTED else ""
            parts.append((title + text).strip())
    return "\n\n".join(parts) or None


def _surplus(lines: list[str], known: Counter[str]) -> list[str]:
    """``lines`` without those that are ``known``, each as often as it is known; empty ones stay."""
    surplus: list[str] = []
    for line in lines:
        if line and known[line]:
            known[line] -= 1
        else:
            surplus.append(line)
    return surplus
