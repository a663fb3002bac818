"""A constant as a value: what a literal means, and whether two texts mean the same."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_BITS = 10_000  # the largest integer that is computed: no constant is larger, and 9 ** 9 ** 9 would never end
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
    """A named value in a source text: it stands from character ``start`` up to ``end``, on line ``line`` (from 1)."""

    name: str
    line: int
    start: int = 0
    end: int = 0
    source: str = ""  # the characters of the value
    value: object = None
    trouble: str = ""  # why it cannot be set: a predicate, such as "is an alias"; empty where it can be set

    @property
    def is_number(self) -> bool:
        """Whether its value is an int or a float."""
        return is_number(self.value)


def is_number(value: object) -> bool:
    """Whether a value is an int or a float; True and False are neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read(text: str) -> object:
    """The value of a Python expression of literals, such as ``2 ** 14``. Raises ValueError for any other text."""
    try:
        ast.parse(f"({text})", mode="eval")  # refuses a text that ends with a comment: it swallows the bracket
        return evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(text) from error


def evaluate(node: ast.expr) -> object:
    """The value of a syntax tree of literals; a collection becomes a tuple that begins with its type's name.

    Raises ValueError for any other syntax tree.
    """
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
        raise ValueError(f"{value!r} is not a number")
    return value


def _computed(operation: Callable[..., object], *numbers: int | float | complex) -> object:
    whole = [number for number in numbers if isinstance(number, int)]
    if operation in (operator.pow, operator.lshift) and len(whole) == 2:
        bits = whole[0].bit_length() * whole[1] if operation is operator.pow else whole[0].bit_length() + whole[1]
        if bits > _BITS:
            raise ValueError(f"the number has more than {_BITS} bits")
    try:
        return operation(*numbers)
    except (ArithmeticError, TypeError) as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=10_000)
def canonical(text: str) -> tuple[str, object]:
    """A key that is the same for texts of one meaning.

    Such are ``1e-3`` and ``0.001``, ``2 ** 14`` and ``16384``, ``'a'`` and ``"a"``.
    """
    try:
        value = read(text)
    except ValueError:
        return "text", text
    return ("number", value) if is_number(value) else ("literal", repr(value))


def float_text(value: float) -> str:
    """A float rounded to six significant digits, as source that Python reads as a float again and not as an int."""
    text = f"{value:.6g}"
    return text if "." in text or "e" in text else f"{text}.0"


def as_source(
    given: str, constant: Constant, read: Callable[[str], Any], quoted: Callable[[str, str], str]
) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` for a bare word in the place of a number.

    ``read`` is the language's reader, which raises ValueError for a text that is not a literal. ``quoted(text, like)``
    puts a text into the quotes that the source ``like`` has.
    """
    try:
        is_text = isinstance(read(given), str)
    except ValueError:
        return quoted(given, constant.source) if isinstance(constant.value, str) else None
    return quoted(given, constant.source) if isinstance(constant.value, str) and not is_text else given
