"""What the code holds itself to, read from its sources."""

from __future__ import annotations

import ast

from tests.helpers.project import ROOT

PACKAGE = ROOT / "gitexp"


def sources() -> dict[str, ast.AST]:
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text()) for file in sorted(PACKAGE.rglob("*.py"))}


def test_imports_stand_at_the_top_of_the_module() -> None:
    for file, tree in sources().items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                inner = [node for node in ast.walk(function) if isinstance(node, (ast.Import, ast.ImportFrom))]
                assert not inner, f"{file}:{inner[0].lineno} imports inside {function.name}" if inner else ""


def test_nothing_below_the_command_line_prints_or_exits() -> None:
    for file, tree in sources().items():
        if not file.startswith("cli/"):
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert not names & {"print", "exit", "click"}, file


def test_nothing_imports_mlx() -> None:
    for file, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("mlx") for alias in node.names), file
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("mlx"), file


def test_no_command_that_throws_work_away_appears_in_the_code() -> None:
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        for word in ('"reset"', '"clean"', '"checkout"', '"stash"', '"gc"'):
            assert word not in text, f"{file.name} uses git {word}"
