"""Commands that are printed to be pasted: a name in them is one word for the shell, and every character is visible."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitexp
from gitexp import shell
from gitexp.text import hides, text_cell, visible
from tests.helpers.repositories import git, make_repository

HOSTILE = ("$(touch PWNED)", "; touch PWNED", "`touch PWNED`", "-x", "a\nb", "a\u202eb", "it's", "a\\b'\x1b", "!x", "*")
OURS = {  # values that gitexp itself chooses, or numbers
    "extras.py: name",
    "on_disk.py: clearing",
    "remeasure.py: less",
    "forge.py: client",
    "constants.py: constant.line",
    "diff.py: new.id",
    "interrupted.py: step.process",
    "sweep.py: kind",
    "baseline.py: file.name",
    "fsck.py: identity(0)",
}
QUOTED = {
    "identity",
    "command",
    "git_command",
    "word",
    "file",
    "pathspec",
    "pathspecs",
    "short",
}  # what makes a value safe


@pytest.mark.parametrize("name", HOSTILE)
def test_bash_reads_the_name(name: str, tmp_path: Path) -> None:
    line = shell.command("printf", "%s|", name, "end")
    assert not hides(line)
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{name}|end|"
    assert list(tmp_path.iterdir()) == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_one_visible_word(name: str) -> None:
    assert not hides(shell.word(name))
    assert not hides(visible(name))


@pytest.mark.parametrize("name", ["-x.py", "+x.py", "train.py"])
def test_a_file_is_no_option(name: str) -> None:
    assert shell.file(name).lstrip("'")[0] not in "-+"


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "-x"] + ["-x", ":(exclude)a"])
def test_a_pathspec_is_that_file_and_no_other(name: str, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {name: "1\n", "other": "1\n"})
    for file in (name, "other"):
        (folder / file).write_text("2\n")
    subprocess.run(["bash", "-c", f"git restore {shell.pathspec(name)}"], cwd=folder, check=True)
    assert [(folder / file).read_text() for file in (name, "other")] == ["1\n", "2\n"]
    assert git("ls-files", "--others", cwd=folder) == ""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_cell_is_no_formula(text: str) -> None:
    assert text_cell(text) == "'" + text
    assert text_cell("a" + text) == "a" + text


def test_every_hint_quotes_what_it_is_given() -> None:
    """In a hint stands nothing but text that is written out, and values that one of ``QUOTED`` made."""
    unquoted = {
        f"{path.name}: {ast.unparse(value)}"
        for path in Path(gitexp.__file__).parent.rglob("*.py")
        for hint in _hints(ast.parse(path.read_bytes()))
        for value in _values(hint)
        if not _is_quoted(value)
    }
    assert unquoted <= OURS


def _hints(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = {"GitexpError": 1, "NotNewError": 1, "BreakerOpenError": 1, "Finding": 2}.get(node.func.id)
            yield from node.args[place : place + 1] if place else ()


def _values(hint: ast.expr) -> Iterator[ast.expr]:
    for node in ast.walk(hint):
        if isinstance(node, ast.JoinedStr) and not _is_inside_call(hint, node):
            yield from (part.value for part in node.values if isinstance(part, ast.FormattedValue))


def _is_inside_call(hint: ast.expr, node: ast.AST) -> bool:
    calls = (call for call in ast.walk(hint) if isinstance(call, ast.Call) and call is not node)
    return any(node in ast.walk(call) for call in calls)


def _is_quoted(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return getattr(value.func, "id", getattr(value.func, "attr", "")) in QUOTED
    return isinstance(value, ast.Name) and value.id.isupper()
