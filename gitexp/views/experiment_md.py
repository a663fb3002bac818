"""EXPERIMENT.md, computed from the ledger: the same ledger gives the same bytes everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gitexp.ledger.ledger import Ledger
from gitexp.model import NOTEBOOK, RESULTS, Iteration, Notes, Status, headline, score_text, signed
from gitexp.text import one_line, plural, printable, visible
from gitexp.views.templates import markdown_template

SHOWN = 20  # rows of each list, which stays readable at any length of history
NOTES_SHOWN = 50
LEARNED = {Status.KEEP: "Helped", Status.DISCARD: "Did not help", Status.CRASH: "Crashed"}


def experiment_md(ledger: Ledger, unsealed: Notes | None = None) -> str:
    """The text of EXPERIMENT.md. ``unsealed`` are people's edits that no iteration carries yet: they stay in it."""
    notes = (unsealed or Notes()).over(ledger.notes)
    text = markdown_template(NOTEBOOK + ".j2").render(
        name=ledger.name,
        goal=_prose(notes.goal or ""),
        baseline=_baseline(ledger),
        hypothesis=_prose(notes.hypothesis or ""),
        constraints=_bullets(notes.constraints or ()),
        next=_bullets(notes.next or ()),
        results=_results(ledger),
        learned=_learned(ledger),
        notes="\n\n".join((*_notes(ledger), *filter(None, [_prose(notes.note or "")]))),
    )
    return re.sub(r"\n{3,}", "\n\n", printable(text).rstrip() + "\n")  # empty sections leave no gaps


def _prose(text: str) -> str:
    """A person's text, in which a line that starts with ``#`` is escaped by ``\\``: it must not read as a heading."""
    lines = printable(text).strip().split("\n")
    return "\n".join("\\" + line if line.lstrip("\\").startswith("#") else line for line in lines)


def _bullets(items: Iterable[str]) -> str:
    """Items as a list; the further lines of an item are indented, so that it is clear where the next one begins."""
    return "\n".join("- " + printable(item).strip().replace("\n", "\n  ") for item in items)


def _baseline(ledger: Ledger) -> str:
    contract, baseline = ledger.contract, ledger.baseline
    metric, script = visible(contract.metric), visible(contract.script)
    edit = ", ".join(f"`{visible(path)}`" for path in contract.edit)
    frozen = ", ".join(f"`{visible(path)}`" for path in contract.frozen)
    lines = [
        f"{_line(baseline)}",
        "",
        f"- metric: {metric} ({contract.direction.value}), rule `{contract.rule}`, seed {contract.seed}",
        f"- budget: {contract.budget:g} s of training with `{script}`, ended after {contract.timeout:g} s",
        f"- may change: {edit}" + (f"; frozen: {frozen}" if frozen else ""),
    ]
    if baseline.measurement.device:
        lines.append(f"- device: {baseline.measurement.device}")
    return "\n".join(map(one_line, lines))


def _line(iteration: Iteration) -> str:
    return one_line(headline(iteration))


def _results(ledger: Ledger) -> str:
    counts = ledger.tally()
    incumbent = ledger.incumbent
    lines = [f"{plural(len(ledger.iterations), 'iteration')}: {counts}. Incumbent: {_line(incumbent)}", ""]
    shown = ledger.iterations[-SHOWN:]
    if len(shown) < len(ledger.iterations):
        lines += [f"The last {SHOWN} (all of them are in {RESULTS}):", ""]
    return "\n".join(lines + [f"- {_line(iteration)}" for iteration in shown])


def _learned(ledger: Ledger) -> str:
    parts: list[str] = []
    for status, title in LEARNED.items():
        newest = [each for each in ledger.last(status, SHOWN) if not each.contract]
        if newest:
            parts.append("\n".join([f"{title}:", "", *map(_lesson, newest)]))
    return "\n\n".join(parts)


def _lesson(iteration: Iteration) -> str:
    came = one_line(iteration.reason) if iteration.delta is None else signed(iteration.delta)
    return f"- {iteration.id} {one_line(iteration.description)}: {came}"


def _notes(ledger: Ledger) -> Iterator[str]:
    for iteration in ledger.noted(NOTES_SHOWN):
        yield f"{iteration.id}: {_prose(iteration.notes.note or '')}"
    looks = 0
    for remark in ledger.remarks:
        if remark.kind == "breaker":
            yield f"{remark.of}: the circuit breaker was reset: {_prose(remark.text)}"
        else:
            looks += 1
            again = f", look {looks} at it" if looks > 1 else ""
            yield f"{remark.of}: {score_text(remark.score)} on the held-out split{again}"
