"""Constants of a Python file, ``NAME`` of a module or ``CLASS.NAME`` of a class, by its syntax: nothing is run."""

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
    """Every constant that can be set. Raises ValueError for a text that is not Python."""
    return [name for name, constant in _constants(text).items() if not constant.trouble]


def find(text: str, name: str) -> Constant | None:
    """The constant that the module, or the class, assigns. Raises ValueError for a text that is not Python."""
    return _constants(text).get(name)


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` for a bare word in the place of a number."""
    return as_source(given, constant, read, _quoted)


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the constant ``name``, whose source is ``value`` in it."""
    before, after, wanted = ast.parse(old), ast.parse(new), ast.parse(value, mode="eval").body
    _remove_value(before, name)
    return ast.dump(_remove_value(after, name)) == ast.dump(wanted) and ast.dump(before) == ast.dump(after)


@lru_cache(maxsize=256)  # a sweep reads the same few files again for each of its settings
def _constants(text: str) -> dict[str, Constant]:
    try:
        module = ast.parse(text)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{error}") from error
    spans = _Spans(text)
    constants: dict[str, Constant] = {}
    for constant in _in_scope(module, "", spans):
        earlier = constants.get(constant.name)
        constants[constant.name] = _twice(earlier, constant) if earlier else constant
    for name, line in _bound_elsewhere(module):
        if name in constants:
            constants[name] = _twice(constants[name], Constant(name, line))
    return constants


def _quoted(text: str, like: str) -> str:
    """``text`` in the quotes of the source ``like``."""
    quotes = re.search(r"\"\"\"|'''|\"|'", like)
    quote = quotes[0] if quotes else '"'
    return quote + text.replace("\\", r"\\").replace(quote[0], "\\" + quote[0]) + quote


def _twice(first: Constant, second: Constant) -> Constant:
    """A constant that is assigned again, and so cannot be set."""
    trouble = (
        first.trouble if "more than once" in first.trouble else f"is assigned more than once, on line {first.line}"
    )
    return Constant(first.name, first.line, trouble=f"{trouble} and on line {second.line}")


def _in_scope(scope: ast.Module | ast.ClassDef, prefix: str, spans: _Spans) -> Iterator[Constant]:
    """Each assignment in the body of a module or class, and in the classes inside it."""
    for statement in scope.body:
        if isinstance(statement, ast.ClassDef):
            yield from _in_scope(statement, f"{prefix}{statement.name}.", spans)
        elif value := _plain_value(statement):
            yield _constant(statement, prefix, value, spans)
        elif not isinstance(statement, _NO_ASSIGNMENTS):
            for name, line in _bound(statement):
                yield Constant(prefix + name, line, trouble=f"is set on line {line} by more than a plain assignment")


def _bound_elsewhere(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Names, with their lines, that imports, functions and classes bind, and those that a function declares global."""
    for statement in module.body:
        if isinstance(statement, _NO_ASSIGNMENTS):
            yield from _bound(statement)
    for node in ast.walk(module):
        if isinstance(node, ast.Global):
            yield from ((name, node.lineno) for name in node.names)


def _plain_value(statement: ast.stmt) -> ast.expr | None:
    """The value of ``NAME = value`` or ``NAME: type = value``; ``None`` for any other statement."""
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
            name, statement.lineno, trouble=f"is not a literal on line {statement.lineno}: {ast.unparse(value)}"
        )


def _bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a statement binds in its own scope, each with its line."""
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


def _remove_value(module: ast.Module, name: str) -> ast.expr:
    """Remove the value of a constant from a syntax tree, and return it."""
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
    """Places of syntax in a text, in characters; Python itself counts lines, and bytes of UTF-8 within a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = list(io.StringIO(text, newline=""))  # lines end where Python ends them, not as in splitlines
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def of(self, node: ast.expr) -> tuple[int, int]:
        """The first character of an expression, and the one after its last."""
        assert node.end_lineno
        assert node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        before = self._lines[line - 1].encode()[:column]
        return self._starts[line - 1] + len(before.decode())
