"""The body of a pull request, in Markdown. Text of people and agents stands in code spans, where it cannot act."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Contract, Iteration, Status, score_text, signed
from gitexp.review.review_branch import Review
from gitexp.shell import git_command
from gitexp.text import one_line, thinned, visible
from gitexp.views.templates import markdown_template

TEMPLATE = "pr.md.j2"
KEPT, DROPPED, POINTS = 50, 20, 100  # rows, lines and points of the chart: forges take bodies of 65,536 characters
TEXT = 120  # characters of a description
SCORES = 5  # of an iteration's runs


def code(text: str, limit: int = TEXT) -> str:
    """``text`` on one line as a code span, in which no forge reads markup, HTML, links or names of people."""
    line = one_line(text, limit)
    longest = max(map(len, re.findall("`+", line)), default=0)
    room = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{'`' * (longest + 1)}{room}{line}{room}{'`' * (longest + 1)}" if line else ""


def name(text: str) -> str:
    """A name (path, branch, metric) as a code span, each character of it that nobody sees spelled."""
    return code(visible(text))


def cell(text: str) -> str:
    r"""``text`` as a code span in a table: there a ``|`` ends the cell even inside it, and ``\|`` stands for one."""
    return code(text.replace("\\|", "\\ |")).replace("|", "\\|")


def body(ledger: Ledger, review: Review, link: Callable[[str], str], remote: str = "") -> str:
    """The text that a reviewer reads.

    ``link`` makes a link in Markdown of a commit id; ``remote`` is the remote that has the branches, empty for none.
    """
    return markdown_template(TEMPLATE).render(  # people\'s texts are code spans in it
        **_result(ledger),
        **_kept(ledger, review, link),
        **_dropped(ledger, link),
        **_reproduction(ledger, remote, link),
        chart=_chart(ledger),
        record=code(review.record),
    )


def _result(ledger: Ledger) -> Mapping[str, object]:
    contract, first, best = ledger.contract, ledger.baseline, ledger.incumbent
    assert first.score is not None
    assert best.score is not None
    counts = ledger.tally()
    return {
        "goal": code(ledger.notes.goal or "", 500),
        "metric": name(contract.metric),
        "metric_cell": cell(visible(contract.metric)),
        "first": score_text(first.score),
        "best": score_text(best.score),
        "change": signed(best.score - first.score),
        "better": contract.direction.word,
        "counts": f"{len(ledger.iterations)} iterations ({counts})",
        "rule": code(contract.rule),
    }


def _kept(ledger: Ledger, review: Review, link: Callable[[str], str]) -> Mapping[str, object]:
    copies = {pick.iteration.id: pick.commit for pick in review.picks if pick.commit}
    kept = [i for i in ledger.iterations if i.status is Status.KEEP]
    shown = kept[-KEPT:]
    rows = [
        (
            i.id,
            cell(i.description),
            score_text(i.score),
            signed(i.delta),
            _runs(i),
            link(copies.get(i.id, i.commit)),
        )
        for i in shown
    ]
    return {"kept": rows, "earlier": len(kept) - len(shown)}


def _runs(iteration: Iteration) -> str:
    scores = [s.score for s in iteration.measurement.samples if s.iteration == iteration.id]
    shown = ", ".join(map(score_text, scores[:SCORES])) + (", …" if len(scores) > SCORES else "")
    return f"{len(scores)}: {shown}"


def _dropped(ledger: Ledger, link: Callable[[str], str]) -> Mapping[str, object]:
    dropped = [i for i in ledger.iterations if i.status is not Status.KEEP]
    lines = [_dropped_line(i, link(i.commit)) for i in dropped[-DROPPED:]]
    experiment = name(BRANCH_PREFIX + ledger.name)
    return {"dropped": lines, "more": len(dropped) - len(lines), "experiment": experiment}


def _dropped_line(iteration: Iteration, link: str) -> str:
    why = code(iteration.reason) if iteration.delta is None else signed(iteration.delta)
    return f"{iteration.id} {iteration.status.value} {code(iteration.description)} {why} ({link})"


def _reproduction(ledger: Ledger, remote: str, link: Callable[[str], str]) -> Mapping[str, object]:
    branch = BRANCH_PREFIX + ledger.name
    fetch = [git_command("fetch", "--", remote, branch)] if remote else []
    return {
        "contract": f"{_terms(ledger.contract, ledger.baseline)} The experiment's last commit is {link(ledger.tip)}.",
        "commands": [
            *fetch,
            f"{git_command('switch', branch)}   # every iteration, those that were dropped too",
            "gitexp hook --install",
            "gitexp pick --onto check --measure   # runs what was kept, under the same contract, and compares",
        ],
    }


def _terms(contract: Contract, baseline: Iteration) -> str:
    m = baseline.measurement
    terms = [
        f"{name(contract.script)} trains for {contract.budget:g} s",
        f"seed {contract.seed}",
        "may change: " + ", ".join(map(name, contract.edit)),
        "frozen: " + ", ".join(map(name, contract.frozen)) if contract.frozen else "",
        "linked, and not in the repository: " + ", ".join(map(name, contract.links)) if contract.links else "",
        f"on {code(m.device)}" if m.device else "",
        f"with {code(m.data)}" if m.data else "",
    ]
    return "; ".join(filter(None, terms)) + "."


def _chart(ledger: Ledger) -> Mapping[str, object]:
    """The incumbent's score after each iteration; of a long experiment, after evenly spaced iterations."""
    points = thinned(ledger.running_best(), POINTS)
    low, high = min(points), max(points)
    margin = (high - low or abs(high) or 1.0) / 20
    return {
        "first": ledger.iterations[0].number,
        "last": ledger.iterations[-1].number,
        "label": re.sub(r"[^\w .%/-]+", " ", one_line(ledger.contract.metric, 40), flags=re.ASCII).strip(),
        "low": _plain(low - margin),
        "high": _plain(high + margin),
        "points": [_plain(point) for point in points],
    }


def _plain(value: float) -> str:
    """A number without an exponent, which Mermaid could not read."""
    return format(Decimal(f"{value:.8g}"), "f")
