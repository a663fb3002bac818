"""results.tsv and EXPERIMENT.md, computed from the ledger: the same ledger gives the same bytes, anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gitexp.model import Iteration, Ledger, Notes, Status, headline, score_text, signed
from gitexp.resources import data_dir
from gitexp.text import one_line, plural, printable

RESULTS = "results.tsv"
NOTEBOOK = "EXPERIMENT.md"
RECORDS = "experiments"  # where a review keeps both: at the top level they would be in the next experiment's way
COLUMNS = "id metric val_score test_score memory_mb status description commit seconds samples".split()
HASH_LENGTH = 10  # fixed: git's own abbreviation depends on what else a repository holds
SHOWN = 20  # rows of each list in EXPERIMENT.md, which stays readable at any length of history
NOTES_SHOWN = 50
LEARNED = {Status.KEEP: "Helped", Status.DISCARD: "Did not help", Status.CRASH: "Crashed"}


def results_tsv(ledger: Ledger) -> str:
    """One row an iteration, the columns in the order people's scripts read them; no quoting; a CRASH has no score."""
    tests = ledger.tests()
    rows = (_row(ledger, iteration, tests.get(iteration.id, [])) for iteration in ledger.iterations)
    return "".join("\t".join(row) + "\n" for row in (COLUMNS, *rows))


def _row(ledger: Ledger, iteration: Iteration, tests: list[float]) -> list[str]:
    told = cells(iteration) | {
        "metric": one_line(ledger.contract.metric),
        "test_score": score_text(tests[0] if tests else None),
        "commit": iteration.commit[:HASH_LENGTH],
    }
    return [told[column] for column in COLUMNS]


def cells(iteration: Iteration) -> dict[str, str]:
    """Those of its row that its own trailers give, by column."""
    m = iteration.measurement
    return {
        "id": iteration.id,
        "val_score": score_text(m.score),
        "memory_mb": "" if m.memory_mb is None else f"{m.memory_mb:.1f}",
        "status": iteration.status.value,
        "description": one_line(iteration.description),
        "seconds": f"{m.seconds:.1f}",
        "samples": str(len(m.samples)),
    }


def experiment_md(ledger: Ledger, unsealed: Notes | None = None) -> str:
    """EXPERIMENT.md; ``unsealed`` are people's edits that no iteration carries yet, and that must not be lost."""
    notes = (unsealed or Notes()).over(ledger.notes)
    environment = Environment(
        loader=FileSystemLoader(data_dir("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown for people, not HTML for browsers
    )
    text = environment.get_template(NOTEBOOK + ".j2").render(
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
    """A person's text: a line of it that starts with ``#`` (or the escape of one) must not read as a heading."""
    lines = printable(text).strip().split("\n")
    return "\n".join("\\" + line if line.lstrip("\\").startswith("#") else line for line in lines)


def _bullets(items: Iterable[str]) -> str:
    """A list; the further lines of an item are indented, so that each item can be told from the next."""
    return "\n".join("- " + printable(item).strip().replace("\n", "\n  ") for item in items)


def _baseline(ledger: Ledger) -> str:
    contract, baseline = ledger.contract, ledger.baseline
    edit = ", ".join(f"`{path}`" for path in contract.edit)
    frozen = ", ".join(f"`{frozen.path}`" for frozen in contract.freeze)
    lines = [
        f"{_line(baseline)}",
        "",
        f"- metric: {contract.metric} ({contract.direction.value}), rule `{contract.rule}`, seed {contract.seed}",
        f"- budget: {contract.budget:g} s of training with `{contract.script}`, ended after {contract.timeout:g} s",
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
    told = ledger.with_deltas()[1:]
    parts: list[str] = []
    for status, title in LEARNED.items():
        lessons = [_lesson(iteration, delta) for iteration, delta in told if iteration.status is status]
        if lessons:
            parts.append("\n".join([f"{title}:", "", *lessons[-SHOWN:]]))
    return "\n\n".join(parts)


def _lesson(iteration: Iteration, delta: float | None) -> str:
    if iteration.status is Status.CRASH:
        return f"- {iteration.id} {one_line(iteration.description)}: {one_line(iteration.reason)}"
    return f"- {iteration.id} {one_line(iteration.description)}: {signed(delta)}"


def _notes(ledger: Ledger) -> Iterator[str]:
    noted = [iteration for iteration in ledger.iterations if iteration.notes.note]
    for iteration in noted[-NOTES_SHOWN:]:
        yield f"{iteration.id}: {_prose(iteration.notes.note or '')}"
    looks = 0
    for remark in ledger.remarks:
        if remark.kind == "breaker":
            yield f"{remark.of}: the circuit breaker was reset: {_prose(remark.text)}"
        else:
            looks += 1
            again = f", look {looks} at it" if looks > 1 else ""
            yield f"{remark.of}: {score_text(remark.score)} on the held-out split{again}"
