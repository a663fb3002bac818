from __future__ import annotations

from difflib import get_close_matches

import click

from gitexp.cli import COMMANDS, cli
from gitexp.errors import GitexpError
from gitexp.resources import data_dir, read_data
from gitexp.text import from_bytes


@click.command()
@click.argument("topic", required=False)
@click.pass_context
def help(ctx: click.Context, topic: str | None) -> None:  # noqa: A001  what the command is called
    """Read the manual: list its chapters, or show one.

    TOPIC is a chapter, or a command, whose own help is then shown. On a terminal a chapter opens in your pager.

    \b
    Examples:
      gitexp help
      gitexp help verdicts
      gitexp help step
    """
    if topic is None:
        click.echo(
            "\n".join(["The manual:", *listed(), "", "A command's own help: gitexp help step, or gitexp step -h"])
        )
    elif topic in chapters():
        click.echo_via_pager(_text(topic))
    elif command := cli.get_command(ctx, topic):
        with click.Context(command, info_name=topic, parent=ctx.parent) as own:
            click.echo(command.get_help(own))
    else:
        likely = get_close_matches(topic, [*chapters(), *COMMANDS], n=1)
        hint = f"gitexp help {likely[0]}   # the chapters: gitexp help" if likely else "gitexp help"
        raise GitexpError(f"The manual has no chapter {topic!r}, and gitexp no such command.", hint)


def chapters() -> list[str]:
    return sorted(file.stem for file in data_dir("manual").glob("*.md"))


def _text(chapter: str) -> str:
    return from_bytes(read_data("manual", f"{chapter}.md"))


def listed() -> list[str]:
    """A line for each chapter, with what its first line says of it: ``# Verdicts: when a change is kept``."""
    about = {chapter: _text(chapter).partition("\n")[0].partition(": ")[2] for chapter in chapters()}
    widest = max(map(len, about))
    return [f"  gitexp help {chapter:{widest}}  {said}" for chapter, said in about.items()]
