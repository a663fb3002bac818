"""The verdict: a pure function of the ledger and the runs of this step.

``single`` keeps what is strictly better than the incumbent in one run, ``margin X`` what is better by more than X.
``confirm`` weighs the lead of the candidate's runs over all the incumbent's against the noise of that lead:

- The noise is pooled from all replicates in the history. Seeds that both sides ran are compared seed by seed, in so far
  as the history shows that one seed moves two trees alike.
- A lead that is not above ``drop`` times its noise ends the step at once; a KEEP needs ``strict`` times the noise after
  all replicates, and more when it comes earlier, where luck has more to do with it.
- In between, the side with fewer runs is run again with another seed. On a tie that is the incumbent: it was chosen for
  a score that luck was a part of, and its new runs also serve the candidates to come.

``python -m tests.bench.decide`` has the figures behind the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from itertools import count

from gitexp.errors import GitexpError
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import Noise, Scores
from gitexp.ledger.pooling import with_next
from gitexp.model import Contract, Measurement, ReplicateRequest, Status, Verdict, score_text
from gitexp.text import plural
from gitexp.verdict import guards

RULES = ("single", "margin", "confirm")


@dataclass(frozen=True, slots=True)
class Margin:
    """One run decides: KEEP what leads by more than this. ``single`` is the margin 0."""

    least: float = 0.0

    def __str__(self) -> str:
        return f"margin {self.least!r}" if self.least else "single"


@dataclass(frozen=True, slots=True)
class Confirm:
    """Leads are in multiples of their noise."""

    replicates: int = 3  # runs that a side has at most
    strict: float = 1.2  # a KEEP's lead after all replicates; after n of N it is sqrt(N / n) times this
    drop: float = 0.6  # a lead that is not above this is dropped

    def __str__(self) -> str:
        return "confirm " + " ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))


def parse(rule: str) -> Margin | Confirm:
    """The rule that a contract names. ``str`` of it names every parameter: what to seal."""
    name, *words = rule.split() or [""]
    if name not in RULES:
        raise GitexpError(
            f"{rule!r} is no rule that this gitexp knows: single, margin X, or confirm.",
            "gitexp init -h   # or, where a newer gitexp began the experiment: pip install --upgrade gitexp",
        )
    if name == "confirm":
        return _confirm(rule, words)
    if len(words) != (name == "margin"):
        raise _wrong(rule, "it is written 'single', or 'margin 0.01'")
    return Margin(_number(rule, words[0])) if words else Margin()


def _confirm(rule: str, words: list[str]) -> Confirm:
    known = Confirm()
    values: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in (field.name for field in fields(known)) or name in values:
            raise _wrong(rule, f"{word!r} is no parameter of it, or stands twice; all of them: {known}")
        values[name] = _number(rule, value)
    replicates = values.pop("replicates", known.replicates)
    parsed = Confirm(int(replicates), **values)
    if replicates != parsed.replicates or replicates < 2:
        raise _wrong(rule, "replicates is a whole number, 2 or more")
    if parsed.strict <= parsed.drop:
        raise _wrong(rule, "strict is more than drop")
    return parsed


def _number(rule: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _wrong(rule, f"{text!r} is not a number from 0 up")
    return value


def _wrong(rule: str, why: str) -> GitexpError:
    return GitexpError(f"The rule {rule!r} cannot be read: {why}.", "gitexp init --help")


def check_rule(contract: Contract) -> None:
    parse(contract.rule)


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the candidate is ahead, and what that is worth."""

    by: float
    noise: float  # standard deviation of ``by``
    evidence: float  # by / noise, brought down for a noise that is itself known from few runs


def compare(mine: Scores, theirs: Scores, noise: Noise) -> Lead:
    """The candidate's lead over the incumbent: the best weighting of the runs, by what the noise has in common."""
    both = mine.keys() & theirs.keys()
    own = noise.own if both else 1.0
    origin = next(iter(mine.values()))  # differences of equal scores are exactly 0, whatever their weights
    by = variance = 0.0
    for seed in {**mine, **theirs}:
        matched = (1 - own) / len(both) if seed in both else 0.0
        ours = own / len(mine) + matched if seed in mine else 0.0
        other = own / len(theirs) + matched if seed in theirs else 0.0
        by += ours * (mine.get(seed, origin) - origin) - other * (theirs.get(seed, origin) - origin)
        variance += (1 - own) * (ours - other) * (ours - other) + own * (ours * ours + other * other)
    spread = math.sqrt(variance * noise.variance)
    return Lead(by, spread, _evidence(by, spread, noise.freedom))


def _evidence(by: float, spread: float, freedom: int) -> float:
    """The normal deviate that is as rare as by / spread is under Student's t (Wallace's approximation)."""
    if by == 0 or not freedom:
        return 0.0
    if spread == 0:
        return math.copysign(math.inf, by)
    t = by / spread
    return math.copysign(math.sqrt(freedom * math.log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3), by)


class Move(Enum):
    KEEP = "keep"
    DROP = "drop"
    CANDIDATE = "run the candidate again"
    INCUMBENT = "run the incumbent again"


def move(rule: Confirm, lead: Lead, runs: int, tried: int) -> Move:
    """What the lead calls for after so many runs of the candidate, and so many tried of the incumbent."""
    if lead.evidence >= rule.strict * math.sqrt(rule.replicates / runs):
        return Move.KEEP
    if not lead.evidence > rule.drop:
        return Move.DROP
    if tried < min(runs + 1, rule.replicates):
        return Move.INCUMBENT
    return Move.CANDIDATE if runs < rule.replicates else Move.DROP


def baseline_runs(rule: str) -> int:
    """How often the baseline is run: a rule that weighs noise needs some to start with."""
    return 2 if isinstance(parse(rule), Confirm) else 1


def decide(ledger: Ledger, candidate: Measurement, simpler: int = 0) -> Verdict | ReplicateRequest:
    """``candidate`` holds all runs of the step so far: the candidate's own, of which one is the first, and those of the
    incumbent that were asked for. ``simpler`` is by how many lines it is shorter, where that is its point: then it only
    must not be worse."""
    rule = parse(ledger.contract.rule)
    identity = candidate.samples[0].iteration
    if candidate.pruned:
        return Verdict(Status.DISCARD, candidate.pruned)
    if candidate.score is None or any(s.score is None for s in candidate.samples if s.iteration == identity):
        return Verdict(Status.CRASH, candidate.reason or "a replicate crashed")
    if reason := guards.broken(ledger.contract, candidate):
        return Verdict(Status.DISCARD, reason)
    if isinstance(rule, Margin):
        return _in_one_run(rule, ledger, candidate, simpler)
    return _confirmed(rule, ledger, candidate, simpler)


def _in_one_run(rule: Margin, ledger: Ledger, candidate: Measurement, simpler: int) -> Verdict:
    incumbent = ledger.incumbent
    assert candidate.score is not None
    assert incumbent.score is not None  # a KEEP was measured
    lead = ledger.contract.direction.sign * (candidate.score - incumbent.score)
    against, delta = f"{incumbent.id} ({score_text(incumbent.score)})", candidate.score - incumbent.score
    if lead >= 0 and simpler:
        return Verdict(Status.KEEP, f"{plural(simpler, 'line')} simpler at no loss against {against}", delta)
    if lead == 0:
        return Verdict(Status.DISCARD, f"equal to {against}", delta)
    said = f"{'better' if lead > 0 else 'worse'} than {against} by {score_text(abs(lead))}"
    if lead > rule.least:
        return Verdict(Status.KEEP, said, delta)
    return Verdict(Status.DISCARD, f"{said}, not more than {rule.least:g}" if lead > 0 else said, delta)


def _confirmed(rule: Confirm, ledger: Ledger, candidate: Measurement, simpler: int) -> Verdict | ReplicateRequest:
    name, incumbent = candidate.samples[0].iteration, ledger.incumbent.id
    tried, sign = ledger.replicates(candidate, since=ledger.pooled_noise.last), ledger.contract.direction.sign
    scores = _scores(ledger, tried)
    noise = _pooled(ledger, scores)
    lead = compare(scores[name], scores[incumbent], noise)
    next_move = move(rule, lead, len(tried[name]), len(tried[incumbent]))
    if simpler and next_move is Move.DROP and not lead.evidence < -rule.drop:
        next_move = _simplified(rule, lead, len(tried[name]))
    if not noise.freedom and len(tried[incumbent]) < rule.replicates:
        next_move = Move.INCUMBENT  # nothing can be said while no tree has two runs
    if next_move in (Move.KEEP, Move.DROP):
        status = Status.KEEP if next_move is Move.KEEP else Status.DISCARD
        why = _reason(lead, status, incumbent, len(scores[name]), len(scores[incumbent]))
        small = f"{plural(simpler, 'line')} simpler at no loss: " if simpler and status is Status.KEEP else ""
        return Verdict(status, small + why, sign * lead.by)
    again = name if next_move is Move.CANDIDATE else incumbent
    seed = next(seed for seed in count(ledger.contract.seed) if seed not in tried[again])
    why = "promising" if again == name else f"promising, and {again} may have been lucky"
    return ReplicateRequest(again, seed, f"{why}: run {len(tried[again]) + 1} of {rule.replicates}, seed {seed}")


def _scores(ledger: Ledger, tried: Mapping[str, Mapping[int, float | None]]) -> dict[str, Scores]:
    """Each tree's scores by seed, higher is better."""
    sign = ledger.contract.direction.sign
    return {tree: {seed: sign * score for seed, score in runs.items()} for tree, runs in _known(tried).items()}


def holds_against(
    ledger: Ledger, runs: Mapping[int, float | None], against: str, slack: float = 1.0
) -> tuple[bool, str]:
    """Whether a tree, by its runs, is as good as the iteration ``against`` was, and why.

    It may be worse by ``slack`` times the noise of the difference, or by the rule's margin.
    """
    rule = parse(ledger.contract.rule)
    scores = _scores(ledger, ledger.replicates())
    mine = _scores(ledger, {"": runs})[""]
    noise = _pooled(ledger, scores)
    lead = compare(mine, scores[against], noise if noise.freedom else noise.with_runs(mine))
    status = Status.KEEP if lead.by > lead.noise else Status.DISCARD
    allowed = max(slack * lead.noise, rule.least if isinstance(rule, Margin) else 0.0)
    return lead.by >= -allowed, _reason(lead, status, against, len(mine), len(scores[against]))


def _simplified(rule: Confirm, lead: Lead, runs: int) -> Move:
    """What does not look worse is kept for being simpler, once all replicates say so."""
    return Move.CANDIDATE if lead.noise and runs < rule.replicates else Move.KEEP


def run_noise(ledger: Ledger) -> float:
    """The standard deviation of one run's score, from all replicates in the history; 0 when there are none."""
    return math.sqrt(_pooled(ledger, _known(ledger.replicates(since=ledger.pooled_noise.last))).variance)


def _known(tried: Mapping[str, Mapping[int, float | None]]) -> dict[str, Scores]:
    """By iteration, the scores of the runs that did not crash."""
    return {tree: {seed: score for seed, score in runs.items() if score is not None} for tree, runs in tried.items()}


def _pooled(ledger: Ledger, scores: Mapping[str, Scores]) -> Noise:
    """The noise by all runs but the candidate's: a better run of its own must never count against it."""
    pooled_noise = ledger.pooled_noise
    incumbent = ledger.iterations[pooled_noise.last].id if pooled_noise.last >= 0 else ""
    for iteration in ledger.iterations[pooled_noise.last + 1 :]:
        pooled_noise = with_next(pooled_noise, iteration.id, incumbent, scores)
        incumbent = iteration.id if iteration.status is Status.KEEP else incumbent
    return pooled_noise.noise


def _reason(lead: Lead, status: Status, incumbent: str, runs: int, met: int) -> str:
    evidence = f", evidence {lead.evidence:.2f}" if math.isfinite(lead.evidence) and lead.by else ""
    stood_on = f"({runs} {'run' if runs == 1 else 'runs'} against {met}, noise {score_text(lead.noise)}{evidence})"
    if lead.by == 0:
        return f"equal to {incumbent} {stood_on}"
    size = score_text(abs(lead.by))
    if status is Status.KEEP:
        return f"better than {incumbent} by {size} {stood_on}"
    if lead.by < 0 and abs(lead.by) > lead.noise:
        return f"worse than {incumbent} by {size} {stood_on}"
    return f"no clear difference from {incumbent}: {'better' if lead.by > 0 else 'worse'} by {size} {stood_on}"
