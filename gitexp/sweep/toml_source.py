"""Constants of a TOML file by dotted key, ``optimizer.lr`` or ``layers.0.width``, where tomlkit puts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gitexp.extras import extra
from gitexp.sweep.literals import Constant, as_source

_MARK = "\ue000gitexp\ue000"  # of a private use area: it stands in no file
KeyPath = tuple["str | int", ...]


def names(text: str) -> list[str]:
    """Every dotted key of a document. Raises ValueError for a text that is no TOML."""
    return [_name(path) for path, _ in _below(_plain(text))]


def find(text: str, name: str) -> Constant | None:
    """The value of a dotted key. Raises ValueError for a text that is no TOML."""
    found = [(path, value) for path, value in _below(_plain(text)) if _name(path) == name]
    if not found:
        return None
    (path, value), *others = found
    start, end = _span(text, path)
    trouble = "stands there more than once: there are dots in its keys" if others else ""
    return Constant(name, text.count("\n", 0, start) + 1, start, end, text[start:end], value, trouble)


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` when it is none: a bare word for a number."""
    return as_source(given, constant, _value, _quoted)


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` says what ``old`` says, but for the value ``name``, which is ``value`` in it."""
    before, after = _plain(old), _plain(new)
    _taken(before, name)
    return repr(_taken(after, name)) == repr(_value(value)) and repr(before) == repr(after)


def _quoted(text: str, like: str) -> str:
    """A literal string where there is one already, if it can hold the text; else a basic one, which is as in JSON."""
    return f"'{text}'" if like.startswith("'") and "'" not in text else json.dumps(text, ensure_ascii=False)


def _taken(data: Any, name: str) -> object:
    """Take a value out of a document."""
    for path, value in _below(data):
        if _name(path) == name:
            for key in path[:-1]:
                data = data[key]
            data[path[-1]] = None
            return value
    raise LookupError(name)


def _name(path: KeyPath) -> str:
    return ".".join(map(str, path))


def _below(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """The values below a table: a list counts as one, and so does each thing in it."""
    items = list(data.items() if isinstance(data, dict) else enumerate(data))
    for key, value in items:
        if not isinstance(value, dict) and not (isinstance(value, list) and any(isinstance(v, dict) for v in value)):
            yield (*path, key), value
        if isinstance(value, (dict, list)):
            yield from _below(value, (*path, key))


def _span(text: str, path: KeyPath) -> tuple[int, int]:
    """Where a value stands: tomlkit keeps all the rest when another one is put in its place."""
    tomlkit = extra("tomlkit", "A constant in TOML", "sweep")
    at = document = tomlkit.parse(text)
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = _MARK
    marked, mark = tomlkit.dumps(document), f'"{_MARK}"'
    start = marked.index(mark)
    end = len(text) - (len(marked) - start - len(mark))
    if start > end or marked[:start] != text[:start] or marked[start + len(mark) :] != text[end:]:
        raise ValueError(f"where {_name(path)} stands cannot be told")
    return start, end


def _plain(text: str) -> Any:
    tomlkit = extra("tomlkit", "A constant in TOML", "sweep")
    try:
        return tomlkit.parse(text).unwrap()
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _value(given: str) -> object:
    tomlkit = extra("tomlkit", "A constant in TOML", "sweep")
    try:
        return tomlkit.value(given).unwrap()
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise ValueError(str(error)) from error
