"""README is run, not only read: its commands work, and it names every command there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gitexp.cli import COMMANDS, cli
from tests.helpers import project
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import TOY, make_repository

README = project.README.read_text()
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_an_example_and_a_place_in_readme(name: str, gitexp: Gitexp) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command
    text = gitexp(name, "-h").stdout
    assert "Example" in text
    assert COMMANDS[name].rstrip(".") in text
    assert f"`gitexp {name}" in README
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name} has no help"


def test_the_set_up_is_exactly_two_commands() -> None:
    first, second = blocks("sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "gitexp demo" in first
    assert "pytest" in second


@pytest.mark.slow
def test_the_five_minutes_of_real_use(tmp_path: Path) -> None:
    """After the demo, as there: its folder is the one that the first set-up command makes."""
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) >= 12
    done = shell("\n".join(["gitexp demo", *commands]), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"^exp005 (KEEP|DISCARD) \d\.\d{6} \(.* against exp00\d\): heads of 16$", done.stdout, re.MULTILINE
    )
    assert re.search(r"^\[main \w+\] exp001 KEEP", done.stdout, re.MULTILINE)
    sealed = r"^exp000 val_bpb \d\.\d{6} \(lower is better\) on exp/train, from (main|master)$"
    assert re.search(sealed, done.stdout, re.MULTILINE)
    assert re.search(r"^results was made; look: git log", done.stdout, re.MULTILINE)
    assert re.search(r"^\| exp001 \| `head LR 0.0005 -> 0.01` \|", done.stdout, re.MULTILINE)


def test_the_overnight_loop_as_written_with_any_agent(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "night", {"train.py": TOY})
    agent = tmp_path / "agent"
    agent.write_text(
        "#!/bin/sh\n[ \"$1\" = -p ] && grep -q '^# Brief' || exit 9\n"
        "perl -pi -e 's/^LR = 0.1/LR = 0.2/ or s/^LR = 0.2/LR = 0.9/ and `touch STOP`' train.py\necho by the agent\n"
    )
    agent.chmod(0o755)
    command = next(block for block in blocks("sh") if "gitexp loop" in block)
    done = shell(f"export PATH={tmp_path}:$PATH\ngitexp init --budget 5\n{command}\ngitexp log", folder)
    assert done.returncode == 0, done.stderr
    verdicts = [line.split()[1] for line in done.stdout.split("description\n")[1].splitlines()]
    assert verdicts == ["KEEP", "KEEP", "DISCARD"]


def test_a_trainer_of_ones_own_starts_as_written(tmp_path: Path) -> None:
    command = re.search(r"`(gitexp init scripts/fit\.py [^`]+)`", README)
    assert command
    trainer = "import pathlib; exec(pathlib.Path('score.py').read_text())\n"
    folder = make_repository(
        tmp_path / "own", {"scripts/fit.py": trainer, "score.py": "print('METRIC accuracy=0.9')\n"}
    )
    done = shell(command[1], folder)
    assert done.stdout.startswith("exp000 accuracy 0.900000 (higher is better) on exp/fit, from main\n"), done.stderr


def test_the_sweeps_plan_as_written(tmp_path: Path) -> None:
    plan, search = next(block for block in blocks("sh") if "gitexp sweep" in block).splitlines()
    trainer = "DEPTH = 1\nHEAD_LR = 0.01\nprint('val_bpb:', DEPTH + HEAD_LR)\n"
    folder = make_repository(tmp_path / "swept", {"train.py": trainer})
    done = shell(f"gitexp init\n{plan}\n{search.replace('30', '2')}\n{plan}", folder)
    assert done.returncode == 0, done.stderr
    assert "  DEPTH 1 -> 2\n  DEPTH 1 -> 4\n  HEAD_LR 0.01 -> 0.0001\n" in done.stdout
    assert "\n7 steps: about " in done.stdout
    assert "\nexp002 " in done.stdout


def test_completion_as_written(tmp_path: Path) -> None:
    command = re.search(r'`(eval "\$\(_GITEXP_COMPLETE=bash_source gitexp\)")`', README)
    assert command
    asked = "COMP_WORDS=(gitexp st); COMP_CWORD=1; _gitexp_completion gitexp st gitexp; echo ${COMPREPLY[@]}"
    done = shell(f"{command[1]}\n{asked}", tmp_path)
    assert done.stdout.split() == ["step", "status"], done.stderr
