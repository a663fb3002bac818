from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.table import COLORS
from gitexp.errors import GitexpError
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Status, score_text, signed
from gitexp.text import one_line, visible
from gitexp.verdict.diagnosis import diagnose
from gitexp.verdict.rules import decide_again


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
    judged = history.find(ledger, iteration)
    verdict = click.style(judged.status.value, fg=COLORS[judged.status], bold=True)
    click.echo(f"{judged.id} {verdict} {score_text(judged.score)}: {one_line(judged.description)}")
    for key, value in _facts(ledger, judged):
        click.echo(f"  {key:<10} {one_line(value)}".rstrip())


def _earlier_runs(ledger: Ledger, judged: Iteration) -> list[tuple[int, float | None]]:
    """The incumbent's runs that were made before this step: seed and score."""
    met = ledger.met_by(judged)
    if met is None:
        return []
    return list(ledger.before(judged).replicates()[met.id].items())


def _weighed(ledger: Ledger, judged: Iteration) -> str:
    """The numbers that the rule weighed; empty where it weighed none, or this gitexp does not know the rule."""
    try:
        verdict = decide_again(ledger, judged)
    except GitexpError:
        return ""
    numbers = {"lead": signed(verdict.lead), "noise": score_text(verdict.noise)}
    if verdict.evidence is not None:
        numbers["evidence"] = f"{verdict.evidence:.2f}"
    return ", ".join(f"{name} {text}" for name, text in numbers.items() if text)


def _facts(ledger: Ledger, judged: Iteration) -> list[tuple[str, str]]:
    contract, met = ledger.contract, ledger.met_by(judged)
    facts = [
        ("because", judged.reason),
        ("rule", f"{contract.rule}, to {contract.direction.value} {visible(contract.metric)}"),
    ]
    if met:
        facts.append(("met", f"{met.id} {score_text(met.score)}: {met.description}"))
    facts.append(("weighed", _weighed(ledger, judged)))
    for at, sample in enumerate(judged.measurement.samples):
        score = score_text(sample.score) or "crashed"
        text = f"{sample.iteration} seed {sample.seed}: {score} in {sample.seconds:.1f} s"
        facts.append(("samples" if at == 0 else "+", text))
    for seed, earlier in _earlier_runs(ledger, judged):
        facts.append(("+", f"{met.id if met else ''} seed {seed}: {score_text(earlier)}, known before"))
    facts += [("changed", thing) for thing in judged.candidate.changes]
    facts += [("set", f"{name} = {value}") for name, value in judged.candidate.params]
    facts.append(("hypothesis", judged.notes.hypothesis or ""))
    if judged.candidate.simpler:
        facts.append(("simpler", f"lines of code: {judged.candidate.simpler} fewer"))
    facts += [("guard", guard) for guard in contract.guards]
    facts += [("spoiled", trouble) for trouble in judged.measurement.spoiled]
    if judged.status is Status.CRASH:
        likely = diagnose(judged)
        facts += [("error", judged.measurement.error), ("cause", f"{likely.name}: {likely.cause}"), ("fix", likely.fix)]
    facts += [("tested", f"{score_text(score)} on the held-out split") for score in ledger.tests().get(judged.id, [])]
    facts.append(("commit", judged.commit))
    return [(key, value) for key, value in facts if value]
