"""What counts as one change: things that differ by syntax."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitexp.iteration.edit import MOST, changed
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, set_lr

MODULE = '''\
"""A script."""
import os
LR = 0.1  # rate
A, B = 1, 2

def f(x):
    """Doc."""
    return x + 1

class C:
    size = 3
    def g(self): return 1

if __name__ == "__main__":
    f(1)
'''


@pytest.mark.parametrize(
    ("old", "new", "things"),
    [
        ("LR = 0.1  # rate", "LR = 0.10   # the rate,\n# with words", ()),
        ("LR = 0.1", "LR = 0.2", ("constant LR",)),
        ("A, B = 1, 2", "A, B = 1, 3", ("constant (A, B)",)),
        ("return x + 1", "return x+1", ()),
        ('"""Doc."""', '"""Another."""', ()),
        ("return x + 1", "return x + 2", ("function f",)),
        ("size = 3", "size = 4", ("class C",)),
        ("f(1)", "f(2)", ("other code",)),
        ("import os", "import os, sys", ()),
        ("LR = 0.1", "LR: float = 0.1", ("constant LR",)),
        ("import os\nLR = 0.1", "LR = 0.1\nMORE = 1", ("constant MORE",)),
        ("def f(x):", "def f(x", ("file train.py",)),
    ],
)
def test_things_that_differ(old: str, new: str, things: tuple[str, ...]) -> None:
    assert old in MODULE
    assert changed({"train.py": (MODULE.encode(), MODULE.replace(old, new).encode())}) == things


def test_several_files() -> None:
    files = {
        "train.py": (b"LR = 1\n", b"LR = 2\n"),
        "model.py": (b"", b"def f(): pass\n"),
        "data.txt": (b"a", b"b"),
        "same.txt": (b"a", b"a"),
        "null.py": (b"x = 1", b"x = 1\0"),
    }
    assert changed(files) == ("constant LR", "function f", "file data.txt", "file null.py")


def test_a_rewrite_is_not_listed_whole() -> None:
    new = "".join(f"C{n} = 1\n" for n in range(100)).encode()
    things = changed({"train.py": (b"", new)})
    assert len(things) == MOST + 1
    assert things[-1] == f"{100 - MOST} more"


def test_one_change_is_named_and_sealed(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    result = gitexp("step", "-m", "x")
    assert "  changed: constant LR\n" in result.stdout
    assert "one variable" not in result.stderr
    assert git("log", "-1", "--format=%(trailers:key=Exp-Change,valueonly)").strip() == "constant LR"
    assert json.loads(gitexp("log", "--json").stdout)[1]["changes"] == ["constant LR"]


def test_more_than_one_is_warned_of(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / "train.py").write_text(TOY.replace("0.1", "0.2", 1) + "WIDTH = 4\n")
    result = gitexp("step", "-m", "x")
    assert "This edit changes 2 things (constant LR, constant WIDTH), and one variable at a time" in result.stderr
    assert "KEEP" in result.stdout


def test_more_than_one_is_refused_where_the_contract_is_strict(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--one-variable", "strict")
    assert ledger_of(folder).contract.one_variable == "strict"
    (folder / "train.py").write_text(TOY.replace("0.1", "0.2", 1) + "WIDTH = 4\n")
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "This edit changes 2 things (constant LR, constant WIDTH)" in said
    assert "WIDTH" in (folder / "train.py").read_text()
    set_lr(folder, 0.2)
    (folder / "train.py").write_text(TOY.replace("0.1", "0.2", 1))
    assert "KEEP" in gitexp("step", "-m", "x").stdout


# -- an edit that was tried before -------------------------------------------------------------------------------------


def test_an_edit_that_was_tried_is_named_with_its_verdict(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.9)
    gitexp("step", "-m", "x")
    set_lr(experiment, 0.9)
    said = gitexp("step", "-m", "y", code=1).stderr
    assert "This edit was already tried as exp001, DISCARD: worse than exp000" in said
    assert "LR = 0.9" in (experiment / "train.py").read_text()
    assert len(ledger_of(experiment).iterations) == 2
    assert "exp002 DISCARD" in gitexp("step", "-m", "y", "--again").stdout


def test_it_is_known_on_top_of_another_incumbent_too(folder: Path, gitexp: Gitexp) -> None:
    long = TOY.replace("print", "# one\n# two\n# three\n# four\nprint", 1)
    (folder / "train.py").write_text(long)
    gitexp("init")
    (folder / "train.py").write_text(long.replace("12.5", "99"))
    gitexp("step", "-m", "memory")
    set_lr(folder, 0.2)
    assert "KEEP" in gitexp("step", "-m", "rate").stdout
    (folder / "train.py").write_text(long.replace("0.1", "0.2", 1).replace("12.5", "99"))
    assert "already tried as exp001" in gitexp("step", "-m", "again", code=1).stderr


def test_the_patch_id_is_git_s(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    patch = git("patch-id", "--stable", stdin=git("show", "HEAD")).split()[0]
    assert git("log", "-1", "--format=%(trailers:key=Exp-Patch,valueonly)").strip() == patch


def test_a_crash_of_the_environment_may_be_tried_again(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    hook_that(folder, f"set -e\ngrep -q 0.1 train.py || cat {tmp_path}/data.txt\necho val_bpb: 2\n")
    gitexp("init")
    set_lr(folder, 0.2)
    assert "missing data" in gitexp("step", "-m", "x").stdout
    (tmp_path / "data.txt").write_text("here\n")
    set_lr(folder, 0.2)
    assert "exp002 DISCARD" in gitexp("step", "-m", "x").stdout
