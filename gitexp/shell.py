"""Commands that are printed to be pasted into a shell: a name in them is always one word, whatever stands in it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable

from gitexp.text import hides

_PLAIN_PATHSPEC = re.compile(r"[A-Za-z0-9_./][^*?\[\\]*")


def word(text: str | os.PathLike[str]) -> str:
    """``text`` as one word of a shell's command line, in visible characters only.

    Control, bidi and zero-width characters are spelled out byte by byte in ``$'…'``, which bash, zsh and ksh read.
    """
    name = os.fspath(text)
    if not hides(name):
        return shlex.quote(name)
    spelled = "".join(_spelled(character) for character in name)
    return f"$'{spelled}'"


def _spelled(character: str) -> str:
    if hides(character):
        return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
    return "\\" + character if character in "\\'" else character


def command(*words: str | os.PathLike[str]) -> str:
    """A command line of these words, each quoted where the shell would read something else."""
    return " ".join(map(word, words))


def git_command(*words: str | os.PathLike[str]) -> str:
    """A command line of git with these words."""
    return f"git {command(*words)}"


def file(path: str | os.PathLike[str]) -> str:
    """A path as one word that no command takes for an option."""
    name = os.fspath(path)
    return word("./" + name if name.startswith(("-", "+")) else name)


def pathspec(path: str) -> str:
    """``path`` as one word after a git command, in any folder of the work tree: that file and no other."""
    magic = ":/" if _PLAIN_PATHSPEC.fullmatch(path) else ":(top,literal)"
    return word(magic + path)


def pathspecs(paths: Iterable[str]) -> str:
    """Paths as the words after a git command."""
    return " ".join(map(pathspec, paths))
