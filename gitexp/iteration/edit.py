"""What an edit changes, by syntax: constants, functions, classes and the rest. Comments and formatting are nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

SHORT = 30  # characters of a value that is told in a summary
MOST = 20  # things that are named; an edit of more is a rewrite


def changed(files: Mapping[str, tuple[bytes, bytes]]) -> tuple[str, ...]:
    """The things that differ between the two contents of each file (empty: there is none), each named once.

    A change of Python is as many things as it has constants, functions and classes that differ, and one for the rest of
    a module; imports come along with what uses them. A change of anything else is one thing a file.
    """
    found = [thing for path, (old, new) in files.items() for thing in _in_file(path, old, new)]
    named = list(dict.fromkeys(found))
    return tuple(named[:MOST] + ([f"{len(named) - MOST} more"] if len(named) > MOST else []))


def summarise(files: Mapping[str, tuple[bytes, bytes]]) -> str:
    """The edit in a line: ``DEPTH 8 -> 4, function forward``; for a constant, what it was and is."""
    before, after = ({p: _things(p, pair[side]) or {} for p, pair in files.items()} for side in (0, 1))
    values = [{n: s for things in side.values() for n, s in things.items()} for side in (before, after)]
    return (
        ", ".join(_told(thing, *(side.get(thing, "") for side in values)) for thing in changed(files)) or "formatting"
    )


def _told(thing: str, old: str, new: str) -> str:
    kind, _, name = thing.partition(" ")
    sides = [re.sub(r"^[^=]*=\s*", "", side) for side in (old, new)]
    if kind != "constant" or not all(sides) or max(map(len, sides)) > SHORT:
        return thing
    return f"{name} {sides[0]} -> {sides[1]}"


def code_lines(source: bytes) -> int:
    """Lines that are neither blank nor a comment."""
    return sum(bool(line.strip()) and not line.lstrip().startswith(b"#") for line in source.splitlines())


def _in_file(path: str, old: bytes, new: bytes) -> list[str]:
    before, after = _things(path, old), _things(path, new)
    if before is None or after is None:
        return [f"file {path}"] if old != new else []
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _things(path: str, source: bytes) -> dict[str, str] | None:
    """By name, the syntax of each thing in a module; ``None`` when it is not Python that can be read."""
    if not path.endswith(".py"):
        return None
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    things: dict[str, str] = {}
    for statement in _without_docstrings(module).body:
        for name in _names(statement):
            things[name] = things.get(name, "") + ast.unparse(statement)
    return things


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield f"function {statement.name}"
    elif isinstance(statement, ast.ClassDef):
        yield f"class {statement.name}"
    elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield f"constant {', '.join(map(ast.unparse, targets))}"
    elif not isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield "other code"


def _without_docstrings(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return module
