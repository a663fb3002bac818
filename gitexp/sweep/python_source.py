"""Constants of a Python file: ``NAME = literal`` of a module, ``CLASS.NAME`` of a class. Nothing of it is run."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from functools import lru_cache

from gitexp.sweep.literals import Constant, as_source, evaluate, read

_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NO_ASSIGNMENTS = (*_DEFINITIONS, ast.Import, ast.ImportFrom)


def names(text: str) -> list[str]:
    """Every constant that can be set. Raises ValueError for a text that is no Python."""
    return [name for name, constant in _constants(text).items() if not constant.trouble]


def find(text: str, name: str) -> Constant | None:
    """What the module, or the class, assigns to a name. Raises ValueError for a text that is no Python."""
    return _constants(text).get(name)


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` when it is none: a bare word for a number."""
    return as_source(given, constant, read, _quoted)


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the constant ``name``, which is ``value`` in it."""
    before, after, wanted = ast.parse(old), ast.parse(new), ast.parse(value, mode="eval").body
    _taken(before, name)
    return ast.dump(_taken(after, name)) == ast.dump(wanted) and ast.dump(before) == ast.dump(after)


@lru_cache(maxsize=256)  # a sweep asks the same files again and again
def _constants(text: str) -> dict[str, Constant]:
    try:
        module = ast.parse(text)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{error}") from error
    spans = _Spans(text)
    found: dict[str, Constant] = {}
    for constant in _in_scope(module, "", spans):
        earlier = found.get(constant.name)
        found[constant.name] = _twice(earlier, constant) if earlier else constant
    for name, line in _also_bound(module):
        if name in found:
            found[name] = _twice(found[name], Constant(name, line))
    return found


def _quoted(text: str, like: str) -> str:
    found = re.search(r"\"\"\"|'''|\"|'", like)
    quote = found[0] if found else '"'
    return quote + text.replace("\\", r"\\").replace(quote[0], "\\" + quote[0]) + quote


def _twice(first: Constant, second: Constant) -> Constant:
    trouble = (
        first.trouble if "more than once" in first.trouble else f"is assigned more than once, on line {first.line}"
    )
    return Constant(first.name, first.line, trouble=f"{trouble} and on line {second.line}")


def _in_scope(scope: ast.Module | ast.ClassDef, prefix: str, spans: _Spans) -> Iterator[Constant]:
    for statement in scope.body:
        if isinstance(statement, ast.ClassDef):
            yield from _in_scope(statement, f"{prefix}{statement.name}.", spans)
        elif value := _plain_value(statement):
            yield _constant(statement, prefix, value, spans)
        elif not isinstance(statement, _NO_ASSIGNMENTS):
            for name, line in _bound(statement):
                yield Constant(prefix + name, line, trouble=f"is set on line {line} by more than a plain assignment")


def _also_bound(module: ast.Module) -> Iterator[tuple[str, int]]:
    """What is a constant elsewhere, if anywhere: names of imports and functions, and those that a function assigns."""
    for statement in module.body:
        if isinstance(statement, _NO_ASSIGNMENTS):
            yield from _bound(statement)
    for node in ast.walk(module):
        if isinstance(node, ast.Global):
            yield from ((name, node.lineno) for name in node.names)


def _plain_value(statement: ast.stmt) -> ast.expr | None:
    """The value of ``NAME = value``."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return statement.value if isinstance(statement.targets[0], ast.Name) else None
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.value
    return None


def _constant(statement: ast.stmt, prefix: str, value: ast.expr, spans: _Spans) -> Constant:
    name = prefix + next(name for name, _ in _bound(statement))
    start, end = spans.of(value)
    source = spans.text[start:end]
    try:
        return Constant(name, statement.lineno, start, end, source, evaluate(value))
    except ValueError:
        return Constant(
            name, statement.lineno, trouble=f"is no literal on line {statement.lineno}: {ast.unparse(value)}"
        )


def _bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a statement gives a value in its own scope, with their lines."""
    if isinstance(node, _SCOPES) or (isinstance(node, ast.AnnAssign) and node.value is None):
        return
    if isinstance(node, _DEFINITIONS):
        yield node.name, node.lineno
        return
    if isinstance(node, (ast.Name, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
        yield ast.unparse(node), node.lineno
    elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        yield ast.unparse(node.value), node.lineno
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name, getattr(node, "lineno", 0)
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0], node.lineno
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _taken(module: ast.Module, name: str) -> ast.expr:
    """Take the value of a constant out of its syntax tree."""
    *classes, last = name.split(".")
    body = module.body
    for wanted in classes:
        body = [inner for node in body if isinstance(node, ast.ClassDef) and node.name == wanted for inner in node.body]
    for statement in body:
        value = _plain_value(statement)
        if value and isinstance(statement, (ast.Assign, ast.AnnAssign)) and next(_bound(statement))[0] == last:
            statement.value = ast.Constant(None)
            return value
    raise LookupError(name)


class _Spans:
    """Where syntax stands in a text: Python counts in lines, and in bytes of UTF-8 within a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = list(io.StringIO(text, newline=""))  # ends a line where Python does
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def of(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno
        assert node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        before = self._lines[line - 1].encode()[:column]
        return self._starts[line - 1] + len(before.decode())
