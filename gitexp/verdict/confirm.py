"""The rule ``confirm``: the candidate's lead over all the incumbent's runs is weighed against the noise of that lead.

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

from gitexp.ledger.ledger import Ledger
from gitexp.model import Measurement, ReplicateRequest, Status, Verdict
from gitexp.text import plural
from gitexp.verdict.lead import Lead, compare, measured, noise_of
from gitexp.verdict.parameters import number, unreadable


class Move(Enum):
    """What a step does next."""

    KEEP = "keep"
    DROP = "drop"
    CANDIDATE = "run the candidate again"
    INCUMBENT = "run the incumbent again"


@dataclass(frozen=True, slots=True)
class Confirm:
    """Leads are in multiples of their noise."""

    replicates: int = 3  # runs that a side has at most
    strict: float = 1.2  # a KEEP's lead after all replicates; after n of N it is sqrt(N / n) times this
    drop: float = 0.6  # a lead that is not above this is dropped

    @classmethod
    def parse(cls, rule: str) -> Confirm:
        """The rule ``confirm``, with any of its parameters: ``confirm replicates=5 strict=1.5``."""
        default = cls()
        values: dict[str, float] = {}
        for word in rule.split()[1:]:
            name, _, value = word.partition("=")
            if name not in (field.name for field in fields(default)) or name in values:
                raise unreadable(rule, f"{word!r} is not a parameter of it, or stands twice; all of them: {default}")
            values[name] = number(rule, value)
        replicates = values.pop("replicates", default.replicates)
        parsed = cls(int(replicates), **values)
        if replicates != parsed.replicates or replicates < 2:
            raise unreadable(rule, "replicates is a whole number, 2 or more")
        if parsed.strict <= parsed.drop:
            raise unreadable(rule, "strict is more than drop")
        return parsed

    def __str__(self) -> str:
        return "confirm " + " ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))

    @property
    def baseline_runs(self) -> int:
        """How often the baseline is run: some noise must be known to start with."""
        return 2

    @property
    def margin(self) -> float:
        """A lead needs no fixed margin, only one that grows with the noise."""
        return 0.0

    def move(self, lead: Lead, runs: int, met: int) -> Move:
        """What the lead calls for after ``runs`` runs of the candidate, and ``met`` of the incumbent; crashes count."""
        if lead.evidence >= self.strict * math.sqrt(self.replicates / runs):
            return Move.KEEP
        if not lead.evidence > self.drop:
            return Move.DROP
        if met < min(runs + 1, self.replicates):
            return Move.INCUMBENT
        return Move.CANDIDATE if runs < self.replicates else Move.DROP

    def decide(self, ledger: Ledger, candidate: Measurement, simpler: int) -> Verdict | ReplicateRequest:
        """The verdict, or the next run to make, as :func:`gitexp.verdict.rules.decide` gives it."""
        name, incumbent = candidate.samples[0].iteration, ledger.incumbent.id
        runs, sign = ledger.replicates(candidate, since=ledger.pooled_noise.last), ledger.contract.direction.sign
        scores = measured(runs, sign)
        noise = noise_of(ledger, scores)
        lead = compare(scores[name], scores[incumbent], noise)
        move = self._simplified(lead, len(runs[name]), len(runs[incumbent]), simpler)
        if not noise.freedom and len(runs[incumbent]) < self.replicates:
            move = Move.INCUMBENT  # nothing can be said while no tree has two runs
        if move in (Move.CANDIDATE, Move.INCUMBENT):
            return self._request(ledger.contract.seed, runs, name if move is Move.CANDIDATE else incumbent, name)
        status = Status.KEEP if move is Move.KEEP else Status.DISCARD
        reason = lead.over(incumbent, status, len(scores[name]), len(scores[incumbent]))
        if simpler and status is Status.KEEP:
            reason = f"{plural(simpler, 'line')} simpler at no loss: {reason}"
        return Verdict(status, reason, sign * lead.by, lead.by, lead.noise, lead.evidence)

    def _simplified(self, lead: Lead, runs: int, met: int, simpler: int) -> Move:
        """As :meth:`move`, but a simpler candidate that does not look worse is kept, once all replicates say so."""
        move = self.move(lead, runs, met)
        if not simpler or move is not Move.DROP or lead.evidence < -self.drop:
            return move
        return Move.CANDIDATE if lead.noise and runs < self.replicates else Move.KEEP

    def _request(
        self, first: int, runs: Mapping[str, Mapping[int, float | None]], tree: str, candidate: str
    ) -> ReplicateRequest:
        """One more run of ``tree``, with the next seed from ``first`` on that it was not run with."""
        seed = next(seed for seed in count(first) if seed not in runs[tree])
        why = "promising" if tree == candidate else f"promising, and {tree} may have been lucky"
        return ReplicateRequest(tree, seed, f"{why}: run {len(runs[tree]) + 1} of {self.replicates}, seed {seed}")
