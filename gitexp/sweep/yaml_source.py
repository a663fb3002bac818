"""Constants of a YAML file by dotted key, ``optimizer.lr`` or ``layers.0.width``, where PyYAML says they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from gitexp.extras import needs_extra
from gitexp.sweep.literals import Constant

_FLOAT = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?)(\d+)")
_TAG = "tag:yaml.org,2002:"


class Mark(Protocol):
    """A place in a text, as PyYAML has it: characters and lines from its beginning, both counted from 0."""

    index: int
    line: int


class Node(Protocol):
    """A node of the syntax tree, as PyYAML composes it."""

    id: str  # scalar, sequence or mapping
    tag: str
    value: Any  # of a scalar its text, of a sequence its nodes, of a mapping pairs of nodes
    style: str | None  # of a scalar: its quote, | or >
    flow_style: bool  # of a sequence and a mapping: written in brackets
    start_mark: Mark
    end_mark: Mark


def names(text: str) -> list[str]:
    """Every dotted key of a document. Raises ValueError for a text that is not YAML."""
    return [name for name, _, _ in _values(_compose(text))]


def find(text: str, name: str) -> Constant | None:
    """The value of a dotted key. Raises ValueError for a text that is not YAML."""
    constants = [_constant(text, name, node, trouble) for key, node, trouble in _values(_compose(text)) if key == name]
    if len(constants) > 1:
        lines = " and ".join(f"on line {constant.line}" for constant in constants)
        return Constant(name, constants[0].line, trouble=f"stands there more than once, {lines}")
    return constants[0] if constants else None


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` for a bare word in the place of a number."""
    node = _single_value(given)
    is_quoted, is_word = _is_text(node, quoted=True), _is_text(node, quoted=False)
    if isinstance(constant.value, str):
        quote = constant.source[:1] if constant.source[:1] in ("'", '"') else ""
        stays = is_quoted or (is_word and not quote and not set(given) & set(",[]{}"))
        return given if stays else _in_quotes(given, quote or '"')
    if parts := _FLOAT.fullmatch(given):  # YAML 1.1 takes 1e-3 for a word, and 1.0e-3 for a number
        return f"{parts[1]}{parts[2] or '.0'}e{parts[3] or '+'}{parts[4]}"
    return None if node is None or is_word else given


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the value ``name``, whose source is ``value`` in it."""
    before, after, wanted = _compose(old), _compose(new), _compose(value)
    hole, filled = _named(before, name), _named(after, name)
    return _meaning(before, hole) == _meaning(after, filled) and _meaning(filled) == _meaning(wanted)


def _compose(text: str) -> Node | None:
    """The syntax tree of a document; ``None`` for an empty one. Raises ValueError for a text that is not YAML."""
    with needs_extra("A constant in YAML", "sweep"):
        import yaml
    try:
        root: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return root


def _in_quotes(text: str, quote: str) -> str:
    escaped = text.replace("'", "''") if quote == "'" else text.replace("\\", r"\\").replace('"', r"\"")
    return quote + escaped + quote


def _meaning(node: Node | None, hole: Node | None = None) -> object:
    """What a tree says, apart from its layout and from the node ``hole``."""
    if node is None or node is hole:
        return None
    if node.id == "mapping":
        return node.tag, [(_meaning(key, hole), _meaning(value, hole)) for key, value in node.value]
    return node.tag, [_meaning(item, hole) for item in node.value] if node.id == "sequence" else node.value


def _named(root: Node | None, name: str) -> Node | None:
    return next((node for key, node, _ in _values(root) if key == name), None)


def _values(root: Node | None) -> Iterator[tuple[str, Node, str]]:
    """The values of a document, each with its dotted key and with why it cannot be set; empty where it can."""
    return _below(root, "", set()) if root else iter(())


def _below(node: Node, name: str, seen: set[int]) -> Iterator[tuple[str, Node, str]]:
    if id(node) in seen:
        yield name, node, "is an alias of another value"
        return
    seen.add(id(node))
    if name and (node.id == "scalar" or node.flow_style):
        yield name, node, ""
    prefix = f"{name}." if name else ""
    for key, value in _items(node):
        yield from _below(value, prefix + key, seen)


def _items(node: Node) -> Iterable[tuple[str, Node]]:
    if node.id == "mapping":
        return [(str(key.value), value) for key, value in node.value if key.id == "scalar"]
    return [(str(index), item) for index, item in enumerate(node.value)] if node.id == "sequence" else []


def _constant(text: str, name: str, node: Node, trouble: str) -> Constant:
    start, end, line = node.start_mark.index, node.end_mark.index, node.start_mark.line + 1
    source = text[start:end]
    if source[:1] in ("&", "!"):
        trouble = trouble or f"has an anchor or a tag on line {line}"
    elif node.id == "scalar" and (not source or node.style in ("|", ">")):
        trouble = trouble or f"is {'block text' if source else 'empty'} on line {line}"
    if trouble:
        return Constant(name, line, trouble=trouble)
    return Constant(name, line, start, end, source, _value(node))


def _value(node: Node) -> object:
    """The value as a number or a text; what is neither is returned as :func:`_meaning` has it."""
    text = str(node.value).replace("_", "")
    try:
        if node.tag == f"{_TAG}int":
            return int(text)
        if node.tag == f"{_TAG}float" or (_is_text(node, quoted=False) and _FLOAT.fullmatch(text)):
            return float(text)
    except ValueError:  # 0x10, .inf
        return _meaning(node)
    return node.value if node.tag == f"{_TAG}str" else _meaning(node)


def _is_text(node: Node | None, quoted: bool) -> bool:
    return node is not None and node.id == "scalar" and node.tag == f"{_TAG}str" and bool(node.style) == quoted


def _single_value(given: str) -> Node | None:
    """The syntax tree of a text that is one value with nothing beside it; ``None`` for any other text."""
    try:
        node = _compose(given)
    except ValueError:
        return None
    if node is None or node.start_mark.index or node.end_mark.index != len(given) or given[:1] in ("&", "!", "*"):
        return None
    return node if node.id == "scalar" or node.flow_style else None
