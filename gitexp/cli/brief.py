from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.text import printable
from gitexp.views.brief import MAX_CHARS
from gitexp.views.brief import brief as brief_text


@click.command()
@experiment_option
@click.option(
    "--max-chars",
    type=click.IntRange(min=500),
    default=MAX_CHARS,
    show_default=True,
    help="The most characters to print.",
)
def brief(name: str | None, max_chars: int) -> None:
    """Print what a fresh agent, or a person in the morning, needs to know.

    Goal and limits, the incumbent and how it got there, every idea tried with its verdict, near misses, crashes, the
    noise, what to try next: computed from the history. Text that a run printed is marked as untrusted.

    \b
    Example:
      gitexp brief --max-chars 3000
    """
    _, ledger = open_ledger(name)
    click.echo(printable(brief_text(ledger, max_chars)), nl=False)
