"""Constants of a TOML file by dotted key, ``optimizer.lr`` or ``layers.0.width``, read by tomlkit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gitexp.extras import needs_extra
from gitexp.sweep.literals import Constant, as_source

_MARK = "\ue000gitexp\ue000"  # from a private use area, so that no file holds it
KeyPath = tuple["str | int", ...]


def names(text: str) -> list[str]:
    """Every dotted key of a document. Raises ValueError for a text that is not TOML."""
    return [_name(path) for path, _ in _values(_parsed(text))]


def find(text: str, name: str) -> Constant | None:
    """The value of a dotted key. Raises ValueError for a text that is not TOML."""
    named = [(path, value) for path, value in _values(_parsed(text)) if _name(path) == name]
    if not named:
        return None
    (path, value), *others = named
    start, end = _span(text, path)
    trouble = "stands there more than once: there are dots in its keys" if others else ""
    return Constant(name, text.count("\n", 0, start) + 1, start, end, text[start:end], value, trouble)


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` for a bare word in the place of a number."""
    return as_source(given, constant, _value, _quoted)


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the value ``name``, whose source is ``value`` in it."""
    before, after = _parsed(old), _parsed(new)
    _remove(before, name)
    return repr(_remove(after, name)) == repr(_value(value)) and repr(before) == repr(after)


def _quoted(text: str, like: str) -> str:
    """A string in the quotes of the one it replaces; a literal string holds no ', so that one becomes a basic string.

    A basic string of TOML is written as in JSON.
    """
    return f"'{text}'" if like.startswith("'") and "'" not in text else json.dumps(text, ensure_ascii=False)


def _remove(data: Any, name: str) -> object:
    """Remove a value from a parsed document, and return it."""
    for path, value in _values(data):
        if _name(path) == name:
            for key in path[:-1]:
                data = data[key]
            data[path[-1]] = None
            return value
    raise LookupError(name)


def _name(path: KeyPath) -> str:
    return ".".join(map(str, path))


def _values(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """The values inside a table or an array. An array is a value too, unless it holds tables."""
    items = list(data.items() if isinstance(data, dict) else enumerate(data))
    for key, value in items:
        if not isinstance(value, dict) and not (isinstance(value, list) and any(isinstance(v, dict) for v in value)):
            yield (*path, key), value
        if isinstance(value, (dict, list)):
            yield from _values(value, (*path, key))


def _span(text: str, path: KeyPath) -> tuple[int, int]:
    """Where a value stands, in characters. tomlkit does not say: a mark is put in its place, and looked for."""
    import tomlkit

    document = tomlkit.parse(text)
    parent: Any = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = _MARK
    marked, mark = tomlkit.dumps(document), f'"{_MARK}"'
    start = marked.index(mark)
    end = len(text) - (len(marked) - start - len(mark))
    if start > end or marked[:start] != text[:start] or marked[start + len(mark) :] != text[end:]:
        raise ValueError(f"the place of {_name(path)} in the text is not clear")
    return start, end


def _parsed(text: str) -> Any:
    with needs_extra("A constant in TOML", "sweep"):
        import tomlkit
    try:
        return tomlkit.parse(text).unwrap()
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _value(given: str) -> object:
    with needs_extra("A constant in TOML", "sweep"):
        import tomlkit
    try:
        value: object = tomlkit.value(given).unwrap()
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return value
