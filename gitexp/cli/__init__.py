"""The command line: a module for each command, imported when it runs, so that none pays for another's libraries.

A command's help is its text, so its module has no docstring. Shared are ``device``, ``experiment``,
``interrupted``, ``progress`` and ``table``.
"""

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
from gitexp.text import visible

INTERRUPTED = 130
BUG = 3
BREAKER_OPEN = 4

# Each command, which is also the name of its module, with its line in --help, which so needs to import none of them.
COMMANDS = {
    "demo": "Make a repository and run a small experiment in it, start to end.",
    "init": "Start an experiment: run the baseline and seal it on exp/NAME.",
    "step": "Try one change: run it, judge it, seal the result.",
    "loop": "Let COMMAND propose one change after another, and take each as a step.",
    "sweep": "Search over constants: one step for each setting of them.",
    "watch": "Watch a running loop from another terminal, until ^C.",
    "brief": "Print what a fresh agent, or a person in the morning, needs to know.",
    "log": "List the iterations, oldest first, or all experiments.",
    "show": "Show one iteration: message, diff, the end of its log.",
    "why": "Explain a verdict: the rule, the samples it stood on, the incumbent it met.",
    "plot": "Draw the running best: in the terminal, or as a picture.",
    "report": "Make a page to look at: one HTML file that opens offline.",
    "logs": "Push logs and loss curves to a remote, or fetch them.",
    "diff": "Compare two iterations: metrics side by side, then the code.",
    "best": "Show the best iteration, and how to take it.",
    "test": "Score a KEEP on the held-out split, once, and seal the score.",
    "status": "Show where the experiment stands.",
    "render": "Compute results.tsv and EXPERIMENT.md from the history.",
    "pick": "Cherry-pick KEEPs onto a branch.",
    "pr": "Make the branch review/NAME and the text of a pull request.",
    "verify": "Run KEEPs again from their commits, and say which hold.",
    "recover": "Clean up after a gitexp that died: seal its result, or hand its edit back.",
    "abort": "Hand the edit of an interrupted step back, unsealed.",
    "breaker": "Show whether the circuit breaker is open, or reset it.",
    "fsck": "Check that branch, trailers and files agree.",
    "hook": "Show the hooks, or install one.",
    "help": "Read the manual: list its chapters, or show one.",
}


class LazyGroup(click.Group):
    """The group ``gitexp``: it knows its commands by ``COMMANDS`` and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of ``COMMANDS``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command ``name``; ``None`` if there is none of that name."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"gitexp.cli.{name}")
        if not gc.isenabled():  # main() disabled it; the command itself makes garbage
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(module, name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click completes, without importing each command whose name fits."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into --help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An expected failure becomes a message and an exit code here, and nowhere else."""
        try:
            return super().invoke(ctx)
        except GitexpError as error:
            _complain(error)
            ctx.exit(BREAKER_OPEN if isinstance(error, BreakerOpenError) else 1)
        except BrokenPipeError:  # its reader has ended: click ends without a message
            raise
        except OSError as error:  # a read-only folder, a full disk
            _complain(GitexpError(str(error), "gitexp status"))
            ctx.exit(1)
        except KeyboardInterrupt:
            _complain(
                GitexpError(
                    "Interrupted. An edit that was not sealed yet is not recorded; it stays in the work tree.",
                    "gitexp status",
                )
            )
            ctx.exit(INTERRUPTED)


def _complain(error: GitexpError) -> None:
    with suppress(OSError, ValueError):  # the terminal may have been closed
        sentence = "\n".join(map(visible, error.sentence.split("\n")))
        click.echo(f"gitexp: {sentence}", err=True)
        if error.hint:
            click.echo(f"  try: {visible(error.hint)}", err=True)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: gitexp demo. The manual: gitexp help.",
)
@click.version_option(package_name="gitexp", prog_name="gitexp")
def cli() -> None:
    """A git-native experiment tracker for time-budget training loops.

    Every iteration is one commit on exp/NAME: the change, and in its trailers what was measured. A change that did not
    help is reverted by the next commit; KEEPs stay, ready to be picked.
    """


def main() -> None:
    """The executables ``gitexp`` and ``git-exp`` (so that ``git exp`` works)."""
    gc.freeze()
    gc.disable()  # until the command is imported: imports make no garbage, and collecting takes 20 of 120 ms
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    try:
        cli(prog_name="gitexp")
    except Exception:
        click.echo(f"gitexp: a bug, please report it:\n{traceback.format_exc()}", err=True)
        sys.exit(BUG)
    finally:
        _drop_what_a_closed_terminal_did_not_take()


def _drop_what_a_closed_terminal_did_not_take() -> None:
    """Python would try to write it again at its end, and make its failure the exit code (120)."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # AttributeError: there is no standard error at all
        sys.stderr = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End the run as ^C does, when the terminal is closed or the process is asked to terminate."""
    raise KeyboardInterrupt
