"""The constants of the editable files: found by name, and rewritten in place with every other byte as it was.

A file's suffix chooses the module that reads it (``LANGUAGES``): a new type is such a module and a line.
"""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Protocol

from gitexp import shell
from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git.objects import read_blobs
from gitexp.git.repository import Repository
from gitexp.paths import inside
from gitexp.shell import command
from gitexp.sweep import json_source, python_source, toml_source, yaml_source
from gitexp.sweep.literals import Constant
from gitexp.text import visible_list

LARGEST = 1 << 18  # bytes of a file; a larger one is data, and holds no constants
NAMED = 5  # files; more of them are not listed one by one
_BOM = b"\xef\xbb\xbf"


class Language(Protocol):
    """A module such as :mod:`gitexp.sweep.python_source`, which reads the files of one language.

    Each function raises ValueError for a text that is not of its language.
    """

    def names(self, text: str) -> list[str]:
        """The constants that can be set."""

    def find(self, text: str, name: str) -> Constant | None:
        """The constant ``name``; its ``trouble`` says why it cannot be set."""

    def literal(self, given: str, constant: Constant) -> str | None:
        """``given``, from the command line, as source; ``None`` where it is not a value for ``constant``."""

    def differs_only_in(self, name: str, old: str, new: str, value: str) -> bool:
        """Whether ``new`` says what ``old`` says, but for the constant ``name``, whose source is ``value`` in it."""


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

    name: str  # the constant's own, or PATH:NAME where more than one file has a constant of that name
    path: str
    constant: Constant


def sources(repo: Repository, tree: str, editable: Iterable[str]) -> dict[str, bytes]:
    """By path, the contents of the files at and below ``editable`` that can hold constants, in a tree or commit."""
    oids: dict[str, str] = {}
    listing = os.fsdecode(repo.run("ls-tree", "-r", "-l", "-z", "--full-tree", tree, "--", *editable))
    for line in filter(None, listing.split("\0")):
        head, _, path = line.partition("\t")
        mode, _, oid, size = head.split()
        if mode.startswith("100") and PurePosixPath(path).suffix in LANGUAGES and int(size) <= LARGEST:
            oids[path] = oid
    blobs = read_blobs(repo, set(oids.values()))
    return {path: blobs[oid] for path, oid in oids.items()}


def write(repo: Repository, paths: Iterable[str], values: Mapping[str, str]) -> None:
    """Give constants of ``paths`` their values, by name and as source, in the work tree. Raises as :func:`find`."""
    files = {path: read_file(inside(repo.top, path)) for path in paths}
    for path, content in rewritten(files, values).items():
        file = repo.top / path
        mode = file.stat().st_mode
        write_file(file, content)
        file.chmod(mode)


def find(files: Mapping[str, bytes], wanted: str) -> Located:
    """The constant ``NAME``, or ``PATH:NAME``, of the editable ``files`` (contents by path).

    Raises GitexpError where there is none, or more than one, or one that cannot be set.
    """
    path, _, name = wanted.rpartition(":")
    path, name = (path, name) if path in files else ("", wanted)
    holding = {file: constant for file, source in files.items() if (constant := _in_file(file, source, name))}
    chosen = {file: constant for file, constant in holding.items() if file == (path or file)}
    if not chosen:
        raise _not_found({path: files[path]} if path else files, name)
    if len(chosen) > 1:
        raise GitexpError(
            f"{name} stands in {visible_list(chosen)}: name the file too.",
            command("gitexp", "sweep", f"{next(iter(chosen))}:{name}=..."),
        )
    [(file, constant)] = chosen.items()
    if constant.trouble:
        raise GitexpError(
            f"{name} of {file} cannot be set: it {constant.trouble}.", f"less +{constant.line} {shell.file(file)}"
        )
    return Located(name if len(holding) == 1 else f"{file}:{name}", file, constant)


def literal(located: Located, given: str) -> str:
    """A value from the command line as source: a literal stays as it is; where text stands now, words get quotes.

    Raises GitexpError for what is neither.
    """
    source = _language(located.path).literal(given, located.constant)
    if source is None:
        as_text = f'{located.name}="{given}"'
        raise GitexpError(
            f"{given} is not a value for {located.name}, which is {located.constant.source}: give a number or another "
            f"literal, as {located.path} would have it.",
            f"{command('gitexp', 'sweep', as_text)}   # makes it a text",
        )
    return source


def rewritten(files: Mapping[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """The new contents, by path, of the files that change when each constant gets its value, which is source.

    Raises GitexpError where a constant is not found, or where more than its value would change.
    """
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
        f"{located.name} of {located.path} cannot be set to {value}: more than this value would change.",
        f"less +{constant.line} {shell.file(located.path)}",
    )


def _in_file(path: str, source: bytes, name: str) -> Constant | None:
    """The constant of that name, if the file has one; a file that cannot be read has none."""
    if PurePosixPath(path).suffix not in LANGUAGES or not _may_name(path, source, name):
        return None
    try:
        return _language(path).find(_text(path, source), name)
    except ValueError:
        return None


def _may_name(path: str, source: bytes, name: str) -> bool:
    """A quick look that saves reading most files. Outside Python an escape such as ``\\u00e9`` may spell a key."""
    word = next((part for part in reversed(name.split(".")) if not part.isdecimal()), "")
    return word.encode() in source or (b"\\" in source and not path.endswith(".py"))


def _not_found(files: Mapping[str, bytes], name: str) -> GitexpError:
    constants: list[str] = []
    unread = ""
    for path, source in files.items():
        try:
            constants += _language(path).names(_text(path, source))
        except ValueError as error:
            unread += f" {path} cannot be read: {error}."
    near = get_close_matches(name, constants, n=3, cutoff=0.5)
    meant = f" There is {' and '.join(near)}." if near else ""
    where = ", ".join(files) if 0 < len(files) <= NAMED else "the editable files"
    return GitexpError(
        f"There is no constant {name} in {where}.{meant}{unread}",
        command("gitexp", "sweep", f"{near[0]}=...") if near else "gitexp sweep -h",
    )


def _text(path: str, source: bytes) -> str:
    return source.decode(_encoding(path, source))


def _encoding(path: str, source: bytes) -> str:
    """UTF-8, or what a Python file declares. Raises ValueError for a declared encoding that Python does not know."""
    if path.endswith(".py"):
        try:
            return tokenize.detect_encoding(io.BytesIO(source).readline)[0]
        except SyntaxError as error:
            raise ValueError(str(error)) from error
    return "utf-8-sig" if source.startswith(_BOM) else "utf-8"


def _language(path: str) -> Language:
    return LANGUAGES[PurePosixPath(path).suffix]
