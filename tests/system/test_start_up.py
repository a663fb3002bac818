"""What a command imports and what it asks git: most of the time that a short one takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp

pytestmark = pytest.mark.slow  # a process for each command

# Of these some command pays for each; one that does without it must not.
LIBRARIES = {"git", "jinja2", "numpy", "plotille", "psutil", "statistics"}
EXTRAS = {"matplotlib", "bokeh", "optuna", "yaml", "tomlkit", "tokenizers", "mlx"}
COMPLETE = {"_GITEXP_COMPLETE": "bash_complete", "COMP_WORDS": "gitexp st", "COMP_CWORD": "1"}
RUN = """\
import gc, sys
from gitexp.cli import main
try:
    main()
finally:
    print({}, file=sys.stderr)
"""


def at_the_end(expression: str, *args: str, **env: str) -> list[str]:
    """What ``expression`` says, in words, when a command has run in a process of its own."""
    command = [sys.executable, "-c", RUN.format(expression), *args]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=True)
    return done.stderr.split()


def imported(*args: str, **env: str) -> set[str]:
    return set(at_the_end("*sys.modules", *args, **env))


@pytest.mark.parametrize(("args", "env"), [(("--help",), {}), ((), COMPLETE)], ids=["help", "completion"])
def test_help_and_completion_import_no_command(args: tuple[str, ...], env: dict[str, str]) -> None:
    found = imported(*args, **env)
    assert {name for name in found if name.startswith("gitexp.")} == {"gitexp.cli", "gitexp.errors", "gitexp.text"}
    assert not found & (LIBRARIES | EXTRAS)


# With the commands that do import them, so that a name here is not one that nothing imports any more.
@pytest.mark.parametrize(
    ("command", "libraries"),
    [
        ("log -n 20", {"git"}),
        ("status", {"git"}),
        ("show exp000", {"git"}),
        ("best", {"git"}),
        ("log --graph", {"git", "plotille", "numpy"}),
        ("render", {"git", "jinja2"}),
        ("recover", {"git", "jinja2", "psutil"}),
        ("fsck", {"git", "jinja2", "psutil", "statistics"}),
    ],
)
def test_a_command_imports_no_library_that_it_has_no_use_for(
    experiment: Path, command: str, libraries: set[str]
) -> None:
    found = imported(*command.split())
    assert found & LIBRARIES == libraries
    assert not found & EXTRAS


# In a process each: where the repository is, which commit the branch is at, and what is asked for.
@pytest.mark.parametrize(
    ("command", "asked"),
    [("log", ["rev-parse", "rev-parse", "log"]), ("status", ["rev-parse", "rev-parse", "log", "rev-parse", "status"])],
)
def test_git_is_asked_little(
    experiment: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, asked: list[str]
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    gitexp(command)
    found = re.findall(r"trace: built-in: git (\S+)", trace.read_text())
    assert len(found) <= len(asked), f"{command} runs git {', git '.join(found)}"


@pytest.mark.parametrize(("command", "collects"), [("--help", "False"), ("log", "True")])
def test_garbage_is_collected_from_the_moment_a_command_runs(experiment: Path, command: str, collects: str) -> None:
    assert at_the_end("gc.isenabled(), gc.get_freeze_count() > 0", command) == [collects, "True"]
