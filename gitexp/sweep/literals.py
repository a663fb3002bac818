"""Constants as values: what a literal means, and whether two texts mean the same."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_BITS = 10_000  # an integer that takes more is nobody's constant, and could take for ever to compute
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_UNARY: dict[type, Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}


@dataclass(frozen=True, slots=True)
class Constant:
    """A named value in a source text. ``start`` and ``end`` are where its value stands, in characters."""

    name: str
    line: int
    start: int = 0
    end: int = 0
    source: str = ""  # the value as it stands there
    value: object = None
    trouble: str = ""  # why it cannot be set, as the end of a sentence; empty when it can

    @property
    def is_number(self) -> bool:
        return is_number(self.value)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read(text: str) -> object:
    """What a text of Python means: a literal, or arithmetic of literals. Raises ValueError for anything else."""
    try:
        ast.parse(f"({text})", mode="eval")  # a comment after it would swallow the bracket
        return evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(text) from error


def evaluate(node: ast.expr) -> object:
    """The value of an expression of literals (collections as tuples). Raises ValueError for any other."""
    if isinstance(node, ast.Constant) and isinstance(node.value, _PLAIN):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return type(node).__name__, *map(evaluate, node.elts)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return "Dict", *((evaluate(key) if key else "**", evaluate(value)) for key, value in pairs)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _computed(_UNARY[type(node.op)], _number(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _computed(_BINARY[type(node.op)], _number(node.left), _number(node.right))
    raise ValueError(ast.unparse(node))


def _number(node: ast.expr) -> int | float | complex:
    value = evaluate(node)
    if not isinstance(value, (int, float, complex)):
        raise ValueError(f"{value!r} is no number")
    return value


def _computed(operation: Callable[..., object], *numbers: int | float | complex) -> object:
    whole = [number for number in numbers if isinstance(number, int)]
    if operation in (operator.pow, operator.lshift) and len(whole) == 2:
        bits = whole[0].bit_length() * whole[1] if operation is operator.pow else whole[0].bit_length() + whole[1]
        if bits > _BITS:
            raise ValueError("a number of that size")
    try:
        return operation(*numbers)
    except (ArithmeticError, TypeError) as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=10_000)
def canonical(text: str) -> tuple[str, object]:
    """The same for texts that mean the same: ``1e-3`` and ``0.001``, ``2 ** 14`` and ``16384``, ``'a'`` and ``"a"``."""
    try:
        value = read(text)
    except ValueError:
        return "text", text
    return ("number", value) if is_number(value) else ("literal", repr(value))


def float_text(value: float) -> str:
    """A float of six significant digits, as source that is a float and no int."""
    text = f"{value:.6g}"
    return text if "." in text or "e" in text else f"{text}.0"


def as_source(
    given: str, constant: Constant, read: Callable[[str], Any], quoted: Callable[[str, str], str]
) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` when it is none: a bare word for a number.

    ``read`` is the language's: it raises ValueError for what is no literal. ``quoted`` quotes a text like another.
    """
    try:
        is_text = isinstance(read(given), str)
    except ValueError:
        return quoted(given, constant.source) if isinstance(constant.value, str) else None
    return quoted(given, constant.source) if isinstance(constant.value, str) and not is_text else given
