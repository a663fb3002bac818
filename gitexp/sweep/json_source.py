"""Constants of a JSON file by dotted key. JSON is YAML, but for tabs, so that PyYAML says where its values stand."""

from __future__ import annotations

import json
from dataclasses import replace

from gitexp.sweep.literals import Constant
from gitexp.sweep.yaml_source import Node, at, below, compose, meaning, placed, same_but


def names(text: str) -> list[str]:
    """Every dotted key of a document. Raises ValueError for a text that is no JSON."""
    return [name for name, _, _ in below(_composed(text))]


def find(text: str, name: str) -> Constant | None:
    """The value of a dotted key. Raises ValueError for a text that is no JSON."""
    found = placed(text, _composed(text), name)
    return replace(found, value=_loads(found.source)) if found and not found.trouble else found


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` when it is none: a bare word for a number."""
    try:
        value = _loads(given)
    except ValueError:
        return json.dumps(given, ensure_ascii=False) if isinstance(constant.value, str) else None
    if isinstance(constant.value, str) and not isinstance(value, str):
        return json.dumps(given, ensure_ascii=False)
    return given


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the value ``name``, which is ``value`` in it."""
    before, after, wanted = map(_composed, (old, new, value))
    return same_but(name, before, after) and meaning(at(after, name)) == meaning(wanted)


def _composed(text: str) -> Node | None:
    """Its syntax tree. No tab stands in a string of JSON, and as spaces the others mean the same."""
    _loads(text)
    return compose(text.replace("\t", " "))


def _loads(text: str) -> object:
    def refuse(word: str) -> object:
        raise ValueError(f"{word} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
