from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.progress import Terminal
from gitexp.model import score_text
from gitexp.review.verify import Verified, chosen
from gitexp.review.verify import verify as run_again
from gitexp.text import one_line, plural
from gitexp.views.json_schema import SCHEMA, VerifiedJson, dumps, sample_json


@click.command()
@click.argument("iterations", nargs=-1, metavar="[EXP]...")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N of them, drawn at random.")
@experiment_option
@click.option("--json", "json_", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def verify(ctx: click.Context, iterations: tuple[str, ...], sample: int | None, name: str | None, json_: bool) -> None:
    """Run KEEPs again from their commits, and say which hold.

    All KEEPs but the baseline, or those named. Each is run twice in a temporary work tree, under the sealed contract.
    It holds when it is not worse than its sealed runs by more than twice the noise. Exits with 1 when one does not.

    \b
    Examples:
      gitexp verify exp004 exp007
      gitexp verify --sample 3
    """
    repo, ledger = open_ledger(name)
    keeps = chosen(ledger, iterations, sample)
    if not keeps and not json_:
        click.echo("There is no KEEP but the baseline.")
    held = True
    for verified in run_again(repo, ledger, keeps, Terminal(quiet=json_)):
        held = held and verified.holds
        click.echo(dumps(_json(verified)) if json_ else _line(verified))
    if len(keeps) > 1 and not json_:
        click.echo(f"{plural(len(keeps), 'KEEP')}: " + ("all hold." if held else "not all hold."))
    ctx.exit(0 if held else 1)


def _line(verified: Verified) -> str:
    iteration = verified.iteration
    word = click.style("holds", fg="green") if verified.holds else click.style("does not hold", fg="red")
    now = ", ".join(score_text(sample.score) or "a crash" for sample in verified.samples)
    return f"{iteration.id} {word}: {score_text(iteration.score)} sealed, {now} now; {one_line(verified.why)}"


def _json(verified: Verified) -> VerifiedJson:
    sealed = verified.iteration.score
    assert sealed is not None  # a KEEP was measured
    return {
        "schema": SCHEMA,
        "id": verified.iteration.id,
        "holds": verified.holds,
        "sealed": sealed,
        "samples": list(map(sample_json, verified.samples)),
        "why": verified.why,
    }
