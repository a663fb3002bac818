"""What a run in a clean tree misses that the person's work tree has: files in no commit, and ignored by git.

Some are seen before the run, in what the candidate's Python imports; others in what a failed run printed.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitexp.errors import GitexpError
from gitexp.git.objects import entries
from gitexp.git.repository import Repository
from gitexp.git.status import ignored_paths
from gitexp.git.worktree import covers
from gitexp.model import Contract
from gitexp.paths import path_fault
from gitexp.shell import command, file, git_command
from gitexp.text import visible

# How programs say that a file is not there: Python (an exception, an import), C's strerror, shells, make.
_SAID = (
    re.compile(r"No module named '([\w.]+)'"),
    re.compile(r"No such file or directory: b?['\"]([^'\"]+)['\"]"),
    re.compile(r"(?:can't|cannot) open (?:file )?['\"\u2018]?([^'\"\u2019\s:]+)"),
    re.compile(r"([\w./-]+): (?:No such file|not found|cannot open)"),
    re.compile(r"No rule to make target ['\"\u2018]([^'\"\u2019]+)"),
)
LINES = 50  # at the end of a run's output


def check_imports(repo: Repository, contract: Contract, tree: str, sources: Mapping[str, bytes]) -> None:
    """Raise where the Python ``sources`` import a module that only the work tree has."""
    for path in sources:
        for name in _imported(sources[path]):
            if found := _only_in_work_tree(repo, contract, tree, _module_files(path, name, contract)):
                raise _refusal(repo, contract, found, "is in no commit")


def check_output(repo: Repository, contract: Contract, tree: str, printed: Sequence[str]) -> None:
    """Raise where a failed run said that something is missing which the work tree has."""
    for line in reversed(printed[-LINES:]):
        for pattern in _SAID:
            for said in pattern.findall(line):
                names = _named_files(said, contract, pattern is _SAID[0])
                if found := _only_in_work_tree(repo, contract, tree, names):
                    raise _refusal(repo, contract, found, "was missed by the run")


def _imported(source: bytes) -> Iterator[str]:
    """The modules that a source imports by their full names."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _module_files(path: str, name: str, contract: Contract) -> list[str]:
    """Where Python would find the first part of a module's name: beside the script, or where the command starts."""
    first = name.partition(".")[0]
    folders = dict.fromkeys((os.path.dirname(contract.script), contract.directory, os.path.dirname(path)))
    return [os.path.normpath(os.path.join(folder, each)) for folder in folders for each in (f"{first}.py", first)]


def _named_files(said: str, contract: Contract, is_module: bool) -> list[str]:
    if is_module:
        return _module_files(contract.script, said, contract)
    return [os.path.normpath(os.path.join(folder, said)) for folder in (contract.directory, ".", contract.home)]


def _only_in_work_tree(repo: Repository, contract: Contract, tree: str, paths: Iterable[str]) -> str:
    """The first of ``paths`` that is a file, or a folder with something in it, in the work tree alone; else empty."""
    for path in paths:
        if path == "." or path_fault(path) or covers(contract.links, path):
            continue
        there = repo.top / path
        if not there.exists() or (there.is_dir() and not any(there.iterdir())):
            continue
        if not entries(repo, tree, [path]):
            return path
    return ""


def _refusal(repo: Repository, contract: Contract, path: str, why: str) -> GitexpError:
    name = visible(path)
    if top := next((each for each in ignored_paths(repo) if covers([each], path)), ""):
        return GitexpError(
            f"{name} is not there in a clean tree, where candidates run: {visible(top)} is ignored by git. Nothing was "
            "recorded.",
            f"{command('gitexp', 'init', '--link', top)}   # links it there; or, to run in this work tree: "
            "gitexp init --in-place",
        )
    return GitexpError(
        f"{name} {why}: git does not track it, and candidates run in a clean tree. Nothing was recorded.",
        f"{git_command('add', '--', path)} && git commit   # or seal it with each edit: gitexp init --edit "
        f"{file(path)}; or, to run in this work tree: gitexp init --in-place",
    )
