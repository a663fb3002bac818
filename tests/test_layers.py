"""A module imports only from rows above its own, at the top of the file. This table is the architecture."""

from __future__ import annotations

import ast
from pathlib import Path

LEVELS = [
    ["errors", "processes", "inotify", "resources", "text", "version", "__init__"],
    ["disk"],
    ["packs"],
    ["driver"],
    ["filters"],
    ["noise", "columns"],
    ["model", "git", "observer", "output", "guardian", "watch", "changes", "curve", "extras", "values"],
    [
        "trailers",
        "summary",
        "crash",
        "guards",
        "diagnosis",
        "runner",
        "objects",
        "commits",
        "packing",
        "hook",
        "rows",
        "pooling",
        "export",
        "plot",
        "picture",
        "ci",
        "python_source",
        "toml_source",
        "yaml_source",
        "space",
        "hunks",
        "treewatch",
    ],
    [
        "canonical",
        "views",
        "json_source",
        "tpe",
        "prune",
        "decide",
        "breaker",
        "records",
        "pending",
        "outcome",
        "digest",
        "forge",
    ],
    ["canonical", "table", "markdown"],
    ["stored"],
    ["cache", "scan"],
    [
        "history",
        "worktree",
        "locks",
        "brief",
        "stretch",
        "finding",
        "constants",
        "search",
        "conflict",
        "evidence",
        "optional_hook",
        "notebook",
        "state",
    ],
    [
        "seal",
        "rendering",
        "measure",
        "proposal",
        "gate",
        "live",
        "logs",
        "audit",
        "blocks",
        "retrial",
        "paths",
        "editable",
        "charts",
    ],
    ["snapshot", "conclude", "borrow", "agent", "copies", "scratch", "report"],
    ["notify", "aside", "page"],
    ["recovery", "replicates", "pick"],
    ["step", "baseline", "fsck", "remark", "review"],
    ["demo", "heldout", "loop", "sweep", "rerun", "pullrequest"],
    ["recheck", "verify"],
    ["cli"],
    ["__main__"],
]
PACKAGE = Path(__file__).parent.parent / "gitexp"


def level_of(module: str) -> int:
    return next(level for level, names in enumerate(LEVELS) if module in names)


def imports(tree: ast.AST) -> set[str]:
    """The modules of gitexp that a source imports, by their first name below the package."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gitexp":
            below = node.module.split(".")[1:]
            found |= {below[0]} if below else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gitexp.")}
    return found


def sources() -> dict[str, ast.AST]:
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text()) for file in sorted(PACKAGE.rglob("*.py"))}


def test_modules_import_only_from_the_rows_above_them() -> None:
    for file, tree in sources().items():
        module = file.removesuffix(".py").split("/")[0]
        allowed = {name for names in LEVELS[: level_of(module)] for name in names} | (
            {"cli"} if module == "cli" else set()
        )
        assert imports(tree) <= allowed, f"{file} imports {sorted(imports(tree) - allowed)}"


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
