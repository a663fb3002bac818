"""Constants of a YAML file by dotted key, ``optimizer.lr`` or ``layers.0.width``, where PyYAML says they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from gitexp.extras import extra
from gitexp.sweep.literals import Constant

Node = Any  # of PyYAML
_FLOAT = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?)(\d+)")
_TAG = "tag:yaml.org,2002:"


def compose(text: str) -> Node | None:
    """The syntax tree of a document. Raises ValueError for a text that is none."""
    yaml = extra("yaml", "A constant in YAML or JSON", "sweep")
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error


def names(text: str) -> list[str]:
    """Every dotted key of a document. Raises ValueError for a text that is no YAML."""
    return [name for name, _, _ in below(compose(text))]


def find(text: str, name: str) -> Constant | None:
    """The value of a dotted key. Raises ValueError for a text that is no YAML."""
    return placed(text, compose(text), name)


def placed(text: str, root: Node | None, wanted: str) -> Constant | None:
    found = [_constant(text, name, node, trouble) for name, node, trouble in below(root) if name == wanted]
    if len(found) > 1:
        lines = " and ".join(f"on line {constant.line}" for constant in found)
        return Constant(wanted, found[0].line, trouble=f"stands there more than once, {lines}")
    return found[0] if found else None


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` when it is none: a bare word for a number."""
    node = _whole(given)
    is_quoted, is_word = _is_text(node, quoted=True), _is_text(node, quoted=False)
    if isinstance(constant.value, str):
        quote = constant.source[:1] if constant.source[:1] in ("'", '"') else ""
        stands = is_quoted or (is_word and not quote and not set(given) & set(",[]{}"))
        return given if stands else _in_quotes(given, quote or '"')
    if found := _FLOAT.fullmatch(given):  # YAML 1.1 takes 1e-3 for a word, and 1.0e-3 for a number
        return f"{found[1]}{found[2] or '.0'}e{found[3] or '+'}{found[4]}"
    return None if node is None or is_word else given


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the value ``name``, which is ``value`` in it."""
    before, after, wanted = compose(old), compose(new), compose(value)
    return same_but(name, before, after) and meaning(at(after, name)) == meaning(wanted)


def same_but(name: str, before: Node | None, after: Node | None) -> bool:
    return meaning(before, at(before, name)) == meaning(after, at(after, name))


def _in_quotes(text: str, quote: str) -> str:
    escaped = text.replace("'", "''") if quote == "'" else text.replace("\\", r"\\").replace('"', r"\"")
    return quote + escaped + quote


def meaning(node: Node | None, hole: Node | None = None) -> object:
    """What a tree says, apart from layout and from the node ``hole``."""
    if node is None or node is hole:
        return None
    if node.id == "mapping":
        return node.tag, [(meaning(key, hole), meaning(value, hole)) for key, value in node.value]
    return node.tag, [meaning(item, hole) for item in node.value] if node.id == "sequence" else node.value


def at(root: Node | None, name: str) -> Node | None:
    return next((node for found, node, _ in below(root) if found == name), None)


def below(root: Node | None) -> Iterator[tuple[str, Node, str]]:
    """The values of a document, each with its dotted name and why it cannot be set, if it cannot."""
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
    """What the value is, as far as setting it needs to know."""
    text = str(node.value).replace("_", "")
    try:
        if node.tag == f"{_TAG}int":
            return int(text)
        if node.tag == f"{_TAG}float" or (_is_text(node, quoted=False) and _FLOAT.fullmatch(text)):
            return float(text)
    except ValueError:  # 0x10, .inf
        return meaning(node)
    return node.value if node.tag == f"{_TAG}str" else meaning(node)


def _is_text(node: Node | None, quoted: bool) -> bool:
    return node is not None and node.id == "scalar" and node.tag == f"{_TAG}str" and bool(node.style) == quoted


def _whole(given: str) -> Node | None:
    """A text that is one value, and nothing beside it."""
    try:
        node = compose(given)
    except ValueError:
        return None
    if node is None or node.start_mark.index or node.end_mark.index != len(given) or given[:1] in ("&", "!", "*"):
        return None
    return node if node.id == "scalar" or node.flow_style else None
