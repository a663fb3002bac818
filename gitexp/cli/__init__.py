"""The command line: a lazy group, one module a command, so that no command pays for another's libraries."""

from __future__ import annotations

import gc
import importlib
import signal
import sys
import traceback
from contextlib import suppress
from types import FrameType
from typing import Any

import click
from click.shell_completion import CompletionItem

from gitexp.errors import BreakerOpenError, GitexpError
from gitexp.text import printable

INTERRUPTED = 130
BUG = 3
BREAKER_OPEN = 4

# What --help says of each command. It stands here so that --help imports no command; its module has its name.
COMMANDS = {
    "demo": "Make a repository and run a small experiment in it, start to end.",
    "init": "Start an experiment: run the baseline and seal it on exp/NAME.",
    "step": "Try one change: run it, judge it, seal what came of it.",
    "loop": "Let COMMAND propose one change after another, and take each as a step.",
    "sweep": "Search over constants: one step for each setting of them.",
    "watch": "Watch a running loop from another terminal, until ^C.",
    "brief": "Say what a fresh agent needs to know, or a person in the morning.",
    "log": "List the iterations, oldest first, or all experiments.",
    "show": "Show one iteration: message, diff, the end of its log.",
    "why": "Explain a verdict: the rule, the samples it stood on, the incumbent it met.",
    "plot": "Draw the running best: in the terminal, or as a picture.",
    "report": "Make a page to look at: one HTML file that opens offline.",
    "logs": "Push logs and loss curves to a remote, or fetch them.",
    "diff": "Compare two iterations: metrics side by side, then the code.",
    "best": "Show the best iteration, and how to take it.",
    "test": "Score a KEEP on the held-out split, once, and seal the score.",
    "status": "Say where the experiment stands.",
    "render": "Compute results.tsv and EXPERIMENT.md from the history.",
    "pick": "Cherry-pick KEEPs onto a branch.",
    "pr": "Make the branch review/NAME and the text of a pull request.",
    "verify": "Run KEEPs again from their commits, and say which hold.",
    "recover": "Finish what a gitexp that died had measured, or hand its edit back.",
    "abort": "Hand the edit of an interrupted step back, unsealed.",
    "breaker": "Say whether the circuit breaker is open, or reset it.",
    "fsck": "Check that branch, trailers and files agree.",
    "hook": "Show the hooks, or install one.",
    "help": "Read the manual: list its chapters, or show one.",
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"gitexp.cli.{name}")
        if not gc.isenabled():  # main() put it off: from here on there may be garbage
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(module, name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click's own, which would import each command that may be meant."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """The one place where an expected failure becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except GitexpError as error:
            _complain(error)
            ctx.exit(BREAKER_OPEN if isinstance(error, BreakerOpenError) else 1)
        except BrokenPipeError:  # nobody reads on: click ends without a word
            raise
        except OSError as error:  # a read-only folder, a full disk
            _complain(GitexpError(str(error), "gitexp status"))
            ctx.exit(1)
        except KeyboardInterrupt:
            _complain(
                GitexpError("Interrupted. What was not sealed yet is not recorded; its edit stays.", "gitexp status")
            )
            ctx.exit(INTERRUPTED)


def _complain(error: GitexpError) -> None:
    with suppress(OSError, ValueError):  # nobody may be there to read it
        click.echo(f"gitexp: {printable(error.sentence)}", err=True)
        if error.hint:
            click.echo(f"  try: {printable(error.hint)}", err=True)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: gitexp demo. The manual: gitexp help.",
)
@click.version_option(package_name="gitexp", prog_name="gitexp")
def cli() -> None:
    """A git-native experiment tracker for time-budget training loops.

    Every iteration is one commit on exp/NAME: the change, and in its trailers what was measured. What did not help is
    reverted at once; KEEPs stay, ready to be picked.
    """


def main() -> None:
    """The executables ``gitexp`` and ``git-exp`` (so that ``git exp`` works)."""
    gc.freeze()
    gc.disable()  # until the command is imported: that makes no garbage, and looking for some takes 20 of 120 ms
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    try:
        cli(prog_name="gitexp")
    except Exception:
        click.echo(f"gitexp: a bug, please report it:\n{traceback.format_exc()}", err=True)
        sys.exit(BUG)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A closed terminal or a polite kill ends a run the way ^C does."""
    raise KeyboardInterrupt
