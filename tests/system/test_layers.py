"""What the code holds itself to, read from its sources."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.helpers.project import ROOT

PACKAGE, TESTS = ROOT / "gitexp", ROOT / "tests"


@cache
def sources() -> dict[str, list[ast.AST]]:
    """By file, each node of its syntax tree."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)): list(ast.walk(ast.parse(file.read_text()))) for file in files}


# Extras, and libraries that take 50 ms or more to import and that one branch of a command needs.
IMPORTED_WHERE_USED = {"bokeh", "matplotlib", "optuna", "plotille", "tomlkit", "yaml"}


def test_packages_import_only_from_the_floors_below(capsys: pytest.CaptureFixture[str]) -> None:
    """The floors, and what is inner to a package, stand in pyproject.toml."""
    code = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_imports_stand_at_the_top_of_the_module() -> None:
    for file, nodes in sources().items():
        for function in nodes:
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        libraries = {name.partition(".")[0] for name in imported_by(node)}
                        assert libraries <= IMPORTED_WHERE_USED, f"{file}:{node.lineno} imports inside {function.name}"


def imported_by(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


def test_nothing_below_the_command_line_prints_or_exits() -> None:
    for file, nodes in sources().items():
        if not file.startswith("cli/"):
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            assert not names & {"print", "exit", "click"}, file


def test_nothing_imports_mlx() -> None:
    for file, nodes in sources().items():
        for node in nodes:
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("mlx") for alias in node.names), file
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("mlx"), file


def test_no_command_that_throws_work_away_appears_in_the_code() -> None:
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        for word in ('"reset"', '"clean"', '"checkout"', '"stash"', '"gc"'):
            assert word not in text, f"{file.name} uses git {word}"


# What other packages may take from the driver: its error, and options that they pass on.
DRIVER_FOR_ALL = {"GitCommandError", "NO_HOOKS", "PLAIN_DIFF", "PLAIN_LOG", "UNFILTERED"}


def test_only_the_git_package_starts_git_or_reads_its_files() -> None:
    others = {file: nodes for file, nodes in sources().items() if not file.startswith("git/")}
    for file, node in ((file, node) for file, nodes in others.items() for node in nodes):
        where = f"{file}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] != "git", where
            names = {alias.name for alias in node.names}
            assert node.module != "gitexp.git" or "driver" not in names, where
            assert node.module != "gitexp.git.driver" or names <= DRIVER_FOR_ALL, where
        elif isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & {"git"}, where
        elif isinstance(node, ast.Attribute):
            assert node.attr not in {"driver", "git_dir", "common_dir"}, where
        elif isinstance(node, ast.Constant):
            assert node.value != "git", where
            assert not str(node.value).startswith(".git/"), where
        elif isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
            assert node.right.value != ".git", where


def test_no_test_imports_another() -> None:
    """What tests share is in tests/helpers; conftest.py has the fixtures, which are asked for by name."""
    another = re.compile(r"(?m)^ *(?:import|from|from tests.* import) [\w.]*\b(?:test_\w+|conftest)\b")
    for file in TESTS.rglob("*.py"):
        imports = another.findall(file.read_text())
        assert not imports, f"{file.name}: {imports[0]}"


def test_every_file_is_opened_by_one_module() -> None:
    """There links, FIFOs, devices and endless files are looked for; the package's own data needs none of that."""
    openers = {"open", "fdopen", "read_bytes", "read_text", "write_bytes", "write_text", "touch", "copyfile", "mkstemp"}
    for file, nodes in sources().items():
        if file in ("files.py", "resources.py"):
            continue
        for node in nodes:
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                assert name not in openers, f"{file}:{node.lineno} opens a file by {name}"
