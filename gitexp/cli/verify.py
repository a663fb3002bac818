from __future__ import annotations

import click

from gitexp.cli.device import share_device_option
from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.progress import Terminal
from gitexp.model import score_text
from gitexp.review.verify import Verified, choose
from gitexp.review.verify import verify as measure_again
from gitexp.run.device import Busy
from gitexp.text import one_line, plural
from gitexp.views.json_schema import SCHEMA, VerifiedJson, dumps, sample_json


@click.command()
@click.argument("iterations", nargs=-1, metavar="[EXP]...")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Run only N of the KEEPs, drawn at random.")
@share_device_option()
@experiment_option
@click.option("--json", "json_", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def verify(
    ctx: click.Context, iterations: tuple[str, ...], sample: int | None, busy: Busy, name: str | None, json_: bool
) -> None:
    """Run KEEPs again from their commits, and say which hold.

    It runs all KEEPs but the baseline, or those that you name, twice each, in a temporary work tree and under the
    sealed contract. A KEEP holds when its new runs are not worse than its sealed ones by more than twice the noise. The
    exit code is 1 when one does not hold.

    \b
    Examples:
      gitexp verify exp004 exp007
      gitexp verify --sample 3
    """
    repo, ledger = open_ledger(name)
    keeps = choose(ledger, iterations, sample)
    if not keeps and not json_:
        click.echo("There is no KEEP but the baseline.")
    all_hold = True
    for verified in measure_again(repo, ledger, keeps, Terminal(quiet=json_), busy):
        all_hold = all_hold and verified.holds
        click.echo(dumps(_json(verified)) if json_ else _line(verified))
    if len(keeps) > 1 and not json_:
        click.echo(f"{plural(len(keeps), 'KEEP')}: " + ("all hold." if all_hold else "not all hold."))
    ctx.exit(0 if all_hold else 1)


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
