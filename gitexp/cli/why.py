from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.table import COLORS
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Status, score_text
from gitexp.text import one_line
from gitexp.verdict.diagnosis import diagnose


@click.command()
@click.argument("iteration")
@experiment_option
def why(iteration: str, name: str | None) -> None:
    """Explain a verdict: the rule, the samples it stood on, the incumbent it met.

    All of it is read from the sealed commits.

    \b
    Example:
      gitexp why exp004
    """
    _, ledger = open_ledger(name)
    found = history.find(ledger, iteration)
    verdict = click.style(found.status.value, fg=COLORS[found.status], bold=True)
    click.echo(f"{found.id} {verdict} {score_text(found.score)}: {one_line(found.description)}")
    for key, value in _facts(ledger, found):
        click.echo(f"  {key:<10} {one_line(value)}".rstrip())


def _known(ledger: Ledger, found: Iteration) -> list[tuple[int, float | None]]:
    """The incumbent's runs that earlier iterations had made."""
    met = ledger.met_by(found)
    if met is None:
        return []
    return list(ledger.before(found).replicates()[met.id].items())


def _facts(ledger: Ledger, found: Iteration) -> list[tuple[str, str]]:
    contract, met = ledger.contract, ledger.met_by(found)
    facts = [("because", found.reason), ("rule", f"{contract.rule}, to {contract.direction.value} {contract.metric}")]
    if met:
        facts.append(("met", f"{met.id} {score_text(met.score)}: {met.description}"))
    for at, sample in enumerate(found.measurement.samples):
        score = score_text(sample.score) or "crashed"
        text = f"{sample.iteration} seed {sample.seed}: {score} in {sample.seconds:.1f} s"
        facts.append(("samples" if at == 0 else "+", text))
    for seed, known in _known(ledger, found):
        facts.append(("+", f"{met.id if met else ''} seed {seed}: {score_text(known)}, known before"))
    facts += [("changed", thing) for thing in found.candidate.changes]
    facts += [("set", f"{name} = {value}") for name, value in found.candidate.params]
    facts.append(("hypothesis", found.notes.hypothesis or ""))
    if found.candidate.simpler:
        facts.append(("simpler", f"lines of code: {found.candidate.simpler} fewer"))
    facts += [("guard", guard) for guard in contract.guards]
    facts += [("spoiled", trouble) for trouble in found.measurement.spoiled]
    if found.status is Status.CRASH:
        likely = diagnose(found)
        facts += [("error", found.measurement.error), ("cause", f"{likely.name}: {likely.cause}"), ("fix", likely.fix)]
    facts += [("tested", f"{score_text(score)} on the held-out split") for score in ledger.tests().get(found.id, [])]
    facts.append(("commit", found.commit))
    return [(key, value) for key, value in facts if value]
