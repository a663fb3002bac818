"""The files that tell an agent of gitexp: a skill, and a section of AGENTS.md, at the top of the work tree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git.objects import entries, stage
from gitexp.git.repository import Repository
from gitexp.git.status import tracked_changes, untracked_files
from gitexp.git.worktree import check_ready, covers, is_repository, write_entry
from gitexp.ledger.ledger import Ledger
from gitexp.resources import read_data
from gitexp.shell import command, pathspec
from gitexp.signals import signals_wait
from gitexp.text import visible, visible_list

SKILL = ".claude/skills/autoexperiment"
SKILL_FILES = (
    "SKILL.md",
    "references/autoexperiment-guide.md",
    "references/EXPERIMENT.md.template",
    "scripts/time_budget_train.py",
)
NOTES = "AGENTS.md"
BEGIN, END = b"<!-- gitexp: begin -->", b"<!-- gitexp: end -->"
MESSAGE = "Add gitexp's skill for agents"


@dataclass(frozen=True, slots=True)
class Installation:
    """What became of the agent's files; paths are relative to the top level."""

    written: tuple[str, ...]
    committed: tuple[str, ...] = ()
    commit: str = ""  # empty where nothing was committed
    untouched: tuple[str, ...] = ()  # tracked on the experiment's branch with other contents, and so not written


def install(repo: Repository, ledger: Ledger | None) -> Installation:
    """Write the agent's files, all of them or none.

    Where no experiment is checked out they are committed, so that a later experiment starts from them: its steps refuse
    a tracked file that differs, and no iteration may hold them. On the branch of an experiment, that of ``ledger``,
    only steps commit: there the files stay untracked, and tracked files stay as they are. Raises GitexpError rather
    than overwrite a file that somebody else wrote.
    """
    skill = {_place(repo, f"{SKILL}/{name}"): read_data("templates", "agent", "skill", name) for name in SKILL_FILES}
    for path, data in skill.items():
        _check_ours(repo, path, data)
    notes, section = _place(repo, NOTES), read_data("templates", "agent", NOTES)
    wanted = skill | {notes: with_section(_held(repo, notes) or b"", section)}
    missing = {path: data for path, data in wanted.items() if _held(repo, path) != data}
    if ledger:
        return _beside(repo, ledger, missing)
    check_ready(repo)
    _check_unedited(repo, missing)
    ours = [path for path in wanted if path in skill or wanted[path] == section]  # files without text of others
    with signals_wait(), _written(repo, missing):
        committed = _commit(repo, ours, missing)
    return Installation(tuple(missing), committed, repo.line("rev-parse", "HEAD") if committed else "")


def _beside(repo: Repository, ledger: Ledger, missing: Mapping[str, bytes]) -> Installation:
    """Write the missing files where git does not track them, while the experiment goes on."""
    if editable := [path for path in missing if covers(ledger.contract.edit, path)]:
        raise GitexpError(
            f"{visible(editable[0])} would become part of the next step: {visible_list(ledger.contract.edit)} "
            f"may change in {visible(ledger.name)}.",
            "git switch BRANCH && gitexp init --agent --name NAME   # a new experiment, from a branch of your own",
        )
    tracked = tuple(entries(repo, "HEAD", missing)) if missing else ()
    untracked = {path: data for path, data in missing.items() if path not in tracked}
    with _written(repo, untracked):
        return Installation(tuple(untracked), untouched=tracked)


def _place(repo: Repository, path: str) -> str:
    """The path that ``path`` leads to: AGENTS.md is often a link to another agent's file.

    Raises GitexpError where it leads to a folder, or out of this work tree.
    """
    real = Path(os.path.realpath(repo.top / path))
    inside = [folder for folder in real.parents if repo.top in folder.parents]
    if repo.top not in real.parents or real.is_dir() or any(map(is_repository, inside)):
        raise GitexpError(
            f"{path} cannot be written: {real} is a folder, or outside this work tree.",
            command("ls", "-ld", repo.top / path),
        )
    return real.relative_to(repo.top).as_posix()


def _held(repo: Repository, path: str) -> bytes | None:
    """The contents of a file in the work tree; ``None`` where there is no file."""
    file = repo.top / path
    return read_file(file) if file.is_file() else None


def _check_ours(repo: Repository, path: str, data: bytes) -> None:
    """Raise GitexpError where a file stands in the way that this gitexp would not write."""
    if os.path.lexists(repo.top / path) and _held(repo, path) != data:
        old, new = (repo.top / name for name in (SKILL, "old-autoexperiment"))
        raise GitexpError(
            f"{path} exists and is not what this gitexp writes: somebody edited it, or another version wrote it.",
            f"{command('mv', old, new)} && gitexp init --agent   # or keep it, and leave --agent out",
        )


def _check_unedited(repo: Repository, files: Mapping[str, bytes]) -> None:
    """Raise GitexpError for a file with changes of somebody's own, which would be committed too."""
    for change in tracked_changes(repo):
        if change.path in files and (repo.top / change.path).exists():
            raise GitexpError(
                f"{visible(change.path)} differs from HEAD, and gitexp has to commit its new section.",
                f"git diff HEAD -- {pathspec(change.path)}   # then commit it",
            )


def with_section(text: bytes, section: bytes) -> bytes:
    """``text`` with gitexp's section in the place of an older one, or else at the end; all other bytes stay.

    Raises GitexpError where the marks of a section are not there once each, and in order.
    """
    if (text.count(BEGIN), text.count(END)) not in ((0, 0), (1, 1)) or text.find(BEGIN) > text.find(END):
        raise GitexpError(
            f"{NOTES} must hold {BEGIN.decode()} and {END.decode()} once each, in this order, or not at all.",
            f"grep -n 'gitexp: ' {NOTES}   # shows the marks; remove those that are too many",
        )
    before, mark, rest = text.partition(BEGIN)
    end = b"\r\n" if (rest.startswith(b"\r\n") if mark else b"\r\n" in text) else b"\n"
    section = section.replace(b"\n", end)
    if mark:
        return before + section.rstrip() + rest.partition(END)[2]
    gap = (b"" if text.endswith(b"\n") else end) + end if text else b""
    return text + gap + section


@contextmanager
def _written(repo: Repository, files: Mapping[str, bytes]) -> Iterator[None]:
    """Write all of ``files``; take them back if that, or the block, fails."""
    before = {path: _held(repo, path) for path in files}
    try:
        for path, data in files.items():
            _write(repo, path, data)
        yield
    except BaseException:
        for path, data in files.items():
            if _held(repo, path) == data:
                _write(repo, path, before[path])
        raise


def _write(repo: Repository, path: str, data: bytes | None) -> None:
    file = repo.top / path
    if data is None:
        write_entry(repo, path, None)
    elif file.exists():
        mode = file.stat().st_mode & 0o777
        write_file(file, data)
        file.chmod(mode)
    else:
        write_file(file, data)


def _commit(repo: Repository, ours: Sequence[str], written: Mapping[str, bytes]) -> tuple[str, ...]:
    """Commit the written files that git tracks, and those of ``ours`` that it neither tracks nor ignores."""
    tracked = entries(repo, "HEAD", written) if written else {}
    paths = (*untracked_files(repo, ours), *tracked)
    if not paths:
        return ()
    try:  # without the repository's hooks, as in all commits of gitexp; other staged changes stay staged
        repo.run("add", "--", *paths)
        repo.run("commit", "--quiet", "--no-verify", "-m", MESSAGE, "--", *paths)
    except BaseException:
        stage(repo, {path: tracked.get(path) for path in paths})
        raise
    return paths
