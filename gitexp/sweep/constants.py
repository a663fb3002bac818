"""A constant of the editable files, found by name, and rewritten in place: every other byte stays as it is."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Protocol

from gitexp.errors import GitexpError
from gitexp.sweep import json_source, python_source, toml_source, yaml_source
from gitexp.sweep.literals import Constant

NAMED = 5  # files; more of them are not listed one by one
_BOM = b"\xef\xbb\xbf"


class Language(Protocol):
    """What a module like :mod:`gitexp.sweep.python_source` knows of the files of its language."""

    def names(self, text: str) -> list[str]: ...
    def find(self, text: str, name: str) -> Constant | None: ...
    def literal(self, given: str, constant: Constant) -> str | None: ...
    def differs_only_in(self, name: str, old: str, new: str, value: str) -> bool: ...


LANGUAGES: dict[str, Language] = {
    ".py": python_source,
    ".toml": toml_source,
    ".yaml": yaml_source,
    ".yml": yaml_source,
    ".json": json_source,
}


@dataclass(frozen=True, slots=True)
class Located:
    """A constant, and the file that it stands in."""

    name: str  # what tells it from all others: with its file where the name alone does not
    path: str
    constant: Constant


def find(files: Mapping[str, bytes], wanted: str) -> Located:
    """The constant ``NAME``, or ``PATH:NAME``, of the editable ``files``. Raises when it is not exactly one."""
    path, _, name = wanted.rpartition(":")
    path, name = (path, name) if path in files else ("", wanted)
    holding = {file: found for file, source in files.items() if (found := _in_file(file, source, name))}
    chosen = {file: found for file, found in holding.items() if file == (path or file)}
    if not chosen:
        raise _not_found({path: files[path]} if path else files, name)
    if len(chosen) > 1:
        raise GitexpError(
            f"{name} stands in {', '.join(chosen)}: say which of them.", f"gitexp sweep {next(iter(chosen))}:{name}=..."
        )
    [(file, constant)] = chosen.items()
    if constant.trouble:
        raise GitexpError(f"{name} of {file} cannot be set: it {constant.trouble}.", f"less +{constant.line} {file}")
    return Located(name if len(holding) == 1 else f"{file}:{name}", file, constant)


def literal(located: Located, given: str) -> str:
    """A value from the command line as source: a literal as it stands, and text in quotes where text is now."""
    source = _language(located.path).literal(given, located.constant)
    if source is None:
        raise GitexpError(
            f"{given} is no value for {located.name}, which is {located.constant.source}: a number or another literal "
            f"of {located.path} is.",
            f"""gitexp sweep '{located.name}="{given}"'   # if it is to become text""",
        )
    return source


def rewritten(files: Mapping[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """The files that change when each named constant gets its value (which is source), by path."""
    changed: dict[str, bytes] = {}
    for name, value in values.items():
        located = find({**files, **changed}, name)
        changed[located.path] = _edited({**files, **changed}[located.path], located, value)
    return {path: content for path, content in changed.items() if content != files[path]}


def _edited(source: bytes, located: Located, value: str) -> bytes:
    constant, encoding = located.constant, _encoding(located.path, source)
    old = source.decode(encoding)
    new = old[: constant.start] + value + old[constant.end :]
    try:
        content = new.encode(encoding)
        proven = old.encode(encoding) == source and content.decode(encoding) == new
        if proven and _language(located.path).differs_only_in(constant.name, old, new, value):
            return content
    except (ValueError, SyntaxError, LookupError):
        pass
    raise GitexpError(
        f"{located.name} of {located.path} cannot be set to {value}: more than that would change.",
        f"less +{constant.line} {located.path}",
    )


def _in_file(path: str, source: bytes, name: str) -> Constant | None:
    """The constant of that name, if the file has one. What cannot be read has none."""
    word = next((part for part in reversed(name.split(".")) if not part.isdecimal()), name)
    if word.encode() not in source or PurePosixPath(path).suffix not in LANGUAGES:  # most need not be read for it
        return None
    try:
        return _language(path).find(_text(path, source), name)
    except ValueError:
        return None


def _not_found(files: Mapping[str, bytes], name: str) -> GitexpError:
    known: list[str] = []
    unread = ""
    for path, source in files.items():
        try:
            known += _language(path).names(_text(path, source))
        except ValueError as error:
            unread += f" {path} cannot be read: {error}."
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f" There is {' and '.join(near)}." if near else ""
    where = ", ".join(files) if 0 < len(files) <= NAMED else "the editable files"
    return GitexpError(
        f"There is no constant {name} in {where}.{meant}{unread}",
        f"gitexp sweep {near[0]}=..." if near else "gitexp sweep -h",
    )


def _text(path: str, source: bytes) -> str:
    return source.decode(_encoding(path, source))


def _encoding(path: str, source: bytes) -> str:
    """A Python file may name its own. Raises ValueError when it names none that there is."""
    if path.endswith(".py"):
        try:
            return tokenize.detect_encoding(io.BytesIO(source).readline)[0]
        except SyntaxError as error:
            raise ValueError(str(error)) from error
    return "utf-8-sig" if source.startswith(_BOM) else "utf-8"


def _language(path: str) -> Language:
    return LANGUAGES[PurePosixPath(path).suffix]
