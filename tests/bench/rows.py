"""The rows of the bench: what is measured, its baseline, and the ratio to reach."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitexp.model import IN_PLACE

from . import browser, disk, memory, peers
from .harness import Row
from .histories import NAME
from .loops import commanded, in_process
from .places import folder
from .processes import completion, gitexp, python, step
from .repositories import repository, unread

SHORT, MIDDLE, LONG = 100, 1_000, 100_000  # iterations
SMALL, LARGE = 10, 20_000  # files
MEMORY = 150  # megabytes
WAIT, OPENING = 1_000, 2_000  # milliseconds
SWEEP = ("sweep", "--search", "random", "LR=1000000..1000000000")
LOOP = ("loop", "--", *peers.AGENT)
BASH, BOTH = "the bash protocol", "import click, git"

Side = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Settings:
    dvc: Path  # its environment, made when it is not there
    steps: int = 10_000  # that the row disk takes


def rows(settings: Settings) -> list[Row]:
    return [*_loops(settings), *_commands(), *_histories(), *_leftovers(settings)]


def _loops(settings: Settings) -> list[Row]:
    """Each side takes its steps in a repository of its own, in which some hundred more change little."""
    one, more = "a DISCARD in one process, 10 files", "a DISCARD in one process, 20,000 files"
    return [
        Row("loop", one, BASH, 1.0, _steps(SMALL), _protocol(SMALL)),
        Row("loop-revert", one, "trailers and revert in bash", None, _steps(SMALL), _semantics),
        Row("loop-dvc", one, "`dvc exp run`", None, _steps(SMALL), lambda: peers.dvc(settings.dvc)),
        Row("loop-20k", more, BASH, 0.15, _steps(LARGE), _protocol(LARGE)),
        Row("loop-files", more, "10 files", 1.3, _steps(LARGE), _steps(SMALL)),
        Row("loop-tree", f"{one}, in a clean tree", IN_PLACE, 1.4, _steps(SMALL), _steps_in_place(SMALL)),
        Row("loop-tree-20k", f"{more}, in a clean tree", IN_PLACE, 1.4, _steps(LARGE), _steps_in_place(LARGE)),
        Row("sweep", "a DISCARD of `gitexp sweep`", BASH, 1.0, _command("sweep", SWEEP), _protocol(SMALL)),
        Row(
            "agent",
            "a DISCARD of `gitexp loop -- sh -c ...`",
            f"{BASH}, with that sh",
            1.0,
            _command("loop", LOOP),
            _protocol(SMALL, shlex.join(peers.AGENT)),
        ),
    ]


def _commands() -> list[Row]:
    return [
        Row("step", "`gitexp step`", f"{BOTH}, jinja2", 1.3, _step(SHORT), lambda: python(f"{BOTH}, jinja2")),
        Row("log", "`gitexp log -n 20`", BOTH, 1.2, _reading(SHORT, "log", "-n", "20"), lambda: python(BOTH)),
        Row("status", "`gitexp status`", BOTH, 1.2, _reading(SHORT, "status"), lambda: python(BOTH)),
        Row("help", "`gitexp --help`", "import click", 1.3, lambda: gitexp("--help"), lambda: python("import click")),
        Row("completion", "`gitexp st<TAB>`", "import click", 1.3, completion, lambda: python("import click")),
    ]


def _histories() -> list[Row]:
    long = f"{LONG:,} iterations"
    views, printed = f"both views of {long}, from nothing", "git printing the history, 3 us a commit"
    return [
        Row("rebuild", views, printed, 1.3, lambda: rebuild(LONG), lambda: peers.printing(unread(LONG))),
        Row("memory", views, f"{MEMORY} MB", 1.0, lambda: memory.rebuilding(LONG), lambda: MEMORY, "MB", note=_beside),
        Row("refresh", f"`gitexp step` at {long}", f"at {MIDDLE:,}", 1.2, _step(LONG), _step(MIDDLE)),
        Row("loop-long", f"a DISCARD in one process at {long}", f"at {MIDDLE:,}", 1.2, _long_steps, _steps(SMALL)),
        *(
            Row(
                f"{words[0]}-long",
                f"`gitexp {' '.join(words)}` at {long}",
                f"at {SHORT}",
                2.0,
                _reading(LONG, *words),
                _reading(SHORT, *words),
            )
            for words in (("log", "-n", "20"), ("status",), ("brief",))
        ),
    ]


def _leftovers(settings: Settings) -> list[Row]:
    steps = settings.steps
    return [
        Row(
            "disk",
            f"the longest of {steps:,} steps",
            "1 s",
            1.0,
            lambda: disk.longest(steps),
            lambda: WAIT,
            once=True,
            note=lambda: disk.described(steps),
        ),
        *(
            Row(
                name,
                f"`gitexp report` of {iterations:,} iterations, opened in Chromium",
                "2 s",
                1.0,
                _opened(iterations),
                lambda: OPENING,
                note=_described(iterations),
            )
            for name, iterations in (("report", 2_000), ("report-long", LONG))
        ),
    ]


def rebuild(iterations: int) -> float:
    return gitexp("render", "-e", NAME, "-o", str(folder() / "views"), folder=unread(iterations))


def _beside() -> str:
    return memory.described(LONG)


def _steps(files: int) -> Side:
    return lambda: in_process(repository(MIDDLE, files, "steps"))


def _steps_in_place(files: int) -> Side:
    return lambda: in_process(repository(MIDDLE, files, "in-place", IN_PLACE))


def _long_steps() -> float:
    return in_process(repository(LONG, purpose="step"))


def _step(iterations: int) -> Side:
    return lambda: step(repository(iterations, purpose="step"))


def _protocol(files: int, edit: str = peers.EDIT) -> Side:
    return lambda: peers.protocol(repository(MIDDLE, files, "bash"), edit)


def _semantics() -> float:
    return peers.semantics(repository(MIDDLE, purpose="semantics"))


def _command(purpose: str, words: tuple[str, ...]) -> Side:
    return lambda: commanded(repository(MIDDLE, purpose=purpose), *words)


def _reading(iterations: int, *words: str) -> Side:
    return lambda: gitexp(*words, folder=repository(iterations))


def _opened(iterations: int) -> Side:
    return lambda: browser.opened(iterations)


def _described(iterations: int) -> Callable[[], str]:
    return lambda: browser.described(iterations)
