"""README and the manual are run, not only read: their commands work, and they name every command there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gitexp.cli import COMMANDS, cli
from gitexp.ledger.trailers import keys
from tests import format_manual
from tests.helpers.command_line import Gitexp
from tests.helpers.project import README as README_FILE
from tests.helpers.project import ROOT
from tests.helpers.repositories import TOY, git, make_repository

pytestmark = pytest.mark.slow  # every command that is written

MANUAL = ROOT / "gitexp" / "manual"
README = README_FILE.read_text()
CHAPTERS = {file.stem: file.read_text() for file in sorted(MANUAL.glob("*.md"))}
PAGES = {"README": README, **CHAPTERS}
TYPED = ("README", "template", "review")  # pages with commands to type after the demo, in this order
BIN = Path(sys.executable).parent


def blocks(language: str, page: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)


def block(page: str, part: str) -> str:
    """The shell commands on a page that have ``part`` among them."""
    return next(found for found in blocks("sh", page) if part in found)


def shell(script: str, cwd: Path, path: str = f"{BIN}{os.pathsep}{os.environ['PATH']}") -> str:
    """What a script prints. It fails where a line of it does."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env=os.environ | {"PATH": path},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_an_example_and_a_place_in_readme_or_manual(name: str, gitexp: Gitexp) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command
    text = gitexp(name, "-h").stdout
    assert "Example" in text
    assert COMMANDS[name].rstrip(".") in text
    assert f"`gitexp {name}" in README + CHAPTERS["commands"]
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name} has no help"


def commands_named() -> list[str]:
    """Every ``gitexp COMMAND ...`` of README and manual, as written: in a line of text, or in a block of commands."""
    found = [span for text in PAGES.values() for span in re.findall(r"`(gitexp [a-z]+(?: [^`]*)?)`", text)]
    listed = [line.removeprefix("$ ") for page in PAGES for text in blocks(".*", page) for line in text.splitlines()]
    return found + [line for line in listed if re.match(r"gitexp [a-z]", line)]


def options(name: str) -> set[str]:
    """All option names of a command, and of its own commands."""
    command = cli.get_command(click.Context(cli), name)
    assert command, name
    commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
    return {text for each in commands for option in each.params for text in (*option.opts, *option.secondary_opts)}


def test_every_option_that_is_named_is_one_of_that_command() -> None:
    named = commands_named()
    assert len(named) > 100
    for line in named:
        name, *words = line.partition(" -- ")[0].removeprefix("gitexp ").split()
        assert {word for word in words if word.startswith("--")} <= options(name), line


def test_every_option_that_stands_alone_is_one_of_some_command() -> None:
    known = {"--manual"}.union(*map(options, COMMANDS))  # the one of tests.bench
    for page, text in PAGES.items():
        for span in re.findall(r"`(--\w[^` ]*)", text):
            assert span in known, f"{page}: {span}"


def test_readme_is_short_and_its_set_up_is_exactly_two_commands() -> None:
    assert README.count("\n") <= 200
    first, second = blocks("sh", "README")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "gitexp demo" in first
    assert "pytest" in second


def test_every_link_within_the_repository_leads_somewhere() -> None:
    for page, text in PAGES.items():
        folder = ROOT if page == "README" else MANUAL
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert target.startswith("https://") or (folder / target).exists(), f"{page}: {target}"
    for chapter in CHAPTERS:
        assert f"(gitexp/manual/{chapter}.md)" in README


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    named = re.findall(r"`([\w/.]+\.(?:py|cfg|toml|md))`|`(\w+/)`", CHAPTERS["contributing"])
    assert len(named) > 25
    for file, folder in named:
        assert any((base / (file or folder)).exists() for base in (ROOT, ROOT / "gitexp")) or "NAME" in file, file


def test_the_format_s_chapter_is_its_specification() -> None:
    assert CHAPTERS["format"] == format_manual.text(), "write it: python -m tests.format_manual"
    for key in keys():
        assert f"`{key}`" in CHAPTERS["format"]


def test_pages_to_type_along_are_tested_below() -> None:
    assert {page for page in PAGES if blocks("console", page)} == set(TYPED)


@pytest.mark.slow
def test_the_demo_and_what_can_be_typed_after_it(tmp_path: Path) -> None:
    """From where README's first set-up command makes an environment, with nothing of it on PATH."""
    (tmp_path / ".venv").symlink_to(BIN.parent)
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != BIN)
    said = shell(".venv/bin/gitexp demo", tmp_path, path)
    advice, line = said.splitlines()[-1].split(": ", 1)
    assert advice == "Go on with"
    assert "\nexperiment    exp/demo: minimize val_bpb, 8 s a run\n" in f"\n{shell(line, tmp_path, path)}"

    commands = [
        line[2:]
        for page in TYPED
        for block in blocks("console", page)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(commands) >= 12
    said = shell("\n".join(commands), tmp_path, path)
    assert re.search(r"^exp005 (KEEP|DISCARD) \d\.\d{6} \(.* against exp00\d\): heads of 16$", said, re.MULTILINE)
    assert re.search(r"^\[taken \w+\] exp001 KEEP", said, re.MULTILINE)
    sealed = r"^exp000 val_bpb \d\.\d{6} \(lower is better\) on exp/train, from (main|master)$"
    assert re.search(sealed, said, re.MULTILINE)
    assert re.search(r"^results was made; look: git log", said, re.MULTILINE)
    assert re.search(r"^\| exp001 \| `head LR 0.0005 -> 0.01` \|", said, re.MULTILINE)


@pytest.mark.parametrize("page", ["README", "agents"])
def test_the_overnight_loop_as_written_with_any_agent(page: str, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "night", {"train.py": TOY})
    agent = tmp_path / "agent"
    agent.write_text(
        "#!/bin/sh\n[ \"$1\" = -p ] && grep -q '^# Brief' || exit 9\n"
        "perl -pi -e 's/^LR = 0.1/LR = 0.2/ or s/^LR = 0.2/LR = 0.9/ and `touch STOP`' train.py\necho by the agent\n"
    )
    agent.chmod(0o755)
    command = block(page, "gitexp loop")
    said = shell(f"export PATH={tmp_path}:$PATH\ngitexp init --budget 5\n{command}\ngitexp log", folder)
    verdicts = [line.split()[1] for line in said.split("description\n")[1].splitlines()]
    assert verdicts == ["KEEP", "KEEP", "DISCARD"]


def test_an_agent_s_skill_is_written_and_called_as_written(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "own", {"train.py": TOY})
    claude = tmp_path / "claude"
    claude.write_text('#!/bin/sh\ntest -f .claude/skills/autoexperiment/SKILL.md && echo "asked for $1"\n')
    claude.chmod(0o755)
    said = shell(f"export PATH={tmp_path}:$PATH\n{block('agents', 'claude')}", folder)
    assert "exp000 val_bpb 2.040000 (lower is better) on exp/train" in said
    assert said.endswith("asked for /autoexperiment train.py\n")


def test_a_trainer_of_ones_own_starts_as_written(tmp_path: Path) -> None:
    trainer = "import pathlib; exec(pathlib.Path('score.py').read_text())\n"
    folder = make_repository(
        tmp_path / "own", {"scripts/fit.py": trainer, "score.py": "print('METRIC accuracy=0.9')\n"}
    )
    said = shell(block("README", "gitexp init scripts/fit.py"), folder)
    assert said.startswith("exp000 accuracy 0.900000 (higher is better) on exp/fit, from main\n")


@pytest.mark.parametrize("page", ["README", "trainers"])
def test_a_module_of_a_package_starts_as_written(page: str, tmp_path: Path) -> None:
    package = {
        "mypkg/__init__.py": "LOSS = 0.5\n",
        "mypkg/train.py": "from mypkg import LOSS\nprint('val_loss:', LOSS)\n",
    }
    folder = make_repository(tmp_path / "own", package)
    said = shell(block(page, "-m mypkg.train"), folder)
    assert said.startswith("exp000 val_loss 0.500000 (lower is better) on exp/train, from main\nNext: edit mypkg, ")
    assert "exp001 KEEP" in shell("gitexp step -m less -- sh -c 'echo LOSS = 0.4 >mypkg/__init__.py'", folder)


@pytest.mark.skipif(not (shutil.which("make") and shutil.which("cc")), reason="there is no make or no C compiler")
@pytest.mark.parametrize(("page", "part"), [("README", "make"), ("trainers", "measure.sh")])
def test_a_program_that_make_builds_starts_as_written(page: str, part: str, tmp_path: Path) -> None:
    program = '#include <stdio.h>\nint main(void) { puts("ns_per_op: 12.5"); return 0; }\n'
    script = {"measure.sh": "make -s bench && ./bench\n"}
    folder = make_repository(tmp_path / "own", {"bench.c": program, ".gitignore": "/bench\n", **script})
    said = shell(block(page, part), folder)
    assert said.startswith("exp000 ns_per_op 12.500000 (lower is better) on exp/bench, from main\n")
    assert "exp001 KEEP 9.5" in shell("gitexp step -m fewer -- perl -pi -e 's/12.5/9.5/' bench.c", folder)


def test_another_environment_is_named_as_written(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "own", {"train.py": TOY})
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "data: of another environment"\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    shell(f"export PATH={tmp_path}:$PATH\n{block('trainers', 'GITEXP_PYTHON=')}\ngitexp init", folder)
    assert "\nExp-Data: of another environment\n" in git("log", "-1", "--format=%B", cwd=folder)
    assert "`export GITEXP_PYTHON=" in README


def test_the_sweeps_plan_as_written(tmp_path: Path) -> None:
    plan, search = block("sweeps", "gitexp sweep").splitlines()
    trainer = "DEPTH = 1\nHEAD_LR = 0.01\nprint('val_bpb:', DEPTH + HEAD_LR)\n"
    folder = make_repository(tmp_path / "swept", {"train.py": trainer})
    said = shell(f"gitexp init\n{plan}\n{search.replace('30', '2')}\n{plan}", folder)
    assert "  DEPTH 1 -> 2\n  DEPTH 1 -> 4\n  HEAD_LR 0.01 -> 0.0001\n" in said
    assert "\n7 steps: about " in said
    assert "\nexp002 " in said


def test_an_edit_that_was_kept_is_found_and_taken_back_as_written(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "own", {"train.py": TOY})
    edit = "sh -c 'git rm -q --cached train.py; perl -pi -e s/0.1/0.2/ train.py; touch STOP'"
    shell(f"gitexp init --in-place\ngitexp loop --steps 1 -- {edit} || true", folder)
    listed, compared, taken = block("recovery", "refs/gitexp/saved").splitlines()
    (ref,) = shell(listed, folder).split()
    assert ref.startswith("refs/gitexp/saved/exp001-")
    example = re.compile(r"refs/gitexp/saved/exp004-[0-9a-f]{8}")
    assert "+LR = 0.2" in shell(example.sub(ref, compared), folder)
    shell(example.sub(ref, taken), folder)
    assert "LR = 0.2" in (folder / "train.py").read_text()


def test_ways_out_of_mistakes_as_written(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "own", {"fit.py": TOY})
    shell("gitexp init fit.py\ngitexp step -m better -- perl -pi -e s/0.1/0.2/ fit.py", folder)
    text = " ".join(CHAPTERS["recovery"].partition("## Mistakes")[2].split())

    def way(part: str, **values: str) -> str:
        (line,) = [span for span in re.findall(r"`([^`]+)`", text) if part in span]
        for name, value in values.items():
            line = line.replace(name, value)
        return shell(line, folder)

    said = way("git switch --detach", COMMIT=git("rev-parse", "exp/fit", cwd=folder).strip(), SCRIPT="fit.py")
    assert said.startswith("exp000 val_bpb 2.040000 (lower is better) on exp/fit-2, from a detached HEAD\n")
    way("git branch -m")
    way("git worktree add", **{"exp/second": "exp/fit-small"})
    assert "incumbent     exp001" in shell("gitexp status", tmp_path / "second")
    shell("git switch -q main && git worktree remove ../second", folder)
    way("git branch -D", **{"exp/fit": "exp/fit-small"})
    assert "exp/fit-small" not in git("branch", "--list", cwd=folder)


def test_completion_as_written(tmp_path: Path) -> None:
    command = re.search(r'`(eval "\$\(_GITEXP_COMPLETE=bash_source gitexp\)")`', CHAPTERS["commands"])
    assert command
    asked = "COMP_WORDS=(gitexp st); COMP_CWORD=1; _gitexp_completion gitexp st gitexp; echo ${COMPREPLY[@]}"
    assert shell(f"{command[1]}\n{asked}", tmp_path).split() == ["step", "status"]
