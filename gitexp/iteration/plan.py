"""What a person asks of a new experiment, and the contract that comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.git.status import ignored_paths
from gitexp.git.worktree import covers, freeze
from gitexp.model import CLEAN_TREE, IN_PLACE, Contract, Direction, Notes
from gitexp.observer import Observer
from gitexp.paths import link_place
from gitexp.run import hooks
from gitexp.run.frozen_data import freeze_data
from gitexp.run.links import find_links, named_texts
from gitexp.run.named_paths import elsewhere, links_beside
from gitexp.shell import command, git_command
from gitexp.text import visible
from gitexp.verdict.guards import parse
from gitexp.verdict.rules import parse as parse_rule


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person asks of a new experiment. Paths are relative to ``directory``, where the command was typed."""

    directory: Path
    script: str = "train.py"
    name: str = ""
    metric: str = "val_bpb"
    direction: Direction = Direction.MINIMIZE
    budget: float = 300.0
    timeout: float | None = None
    edit: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    rule: str = "confirm"
    seed: int = 0
    guards: tuple[str, ...] = ()
    one_variable: str = "warn"
    retries: int = 2
    in_place: bool = False
    links: Mapping[str, str] = field(default_factory=dict)  # what git ignores and a run needs; a target, or nothing
    unlinked: tuple[str, ...] = ()  # what is not to be linked
    may_link: Callable[[tuple[str, ...]], bool] = lambda found: True  # asked about what nobody named
    notes: Notes = Notes()
    files: Mapping[str, bytes] = field(default_factory=dict)  # contents to write first, by path

    @property
    def experiment(self) -> str:
        return self.name or Path(self.script).stem


def contract_of(repo: Repository, plan: Plan, observer: Observer) -> Contract:
    """The contract of what is planned. Raises for a path that is not there, or that cannot be part of one."""
    script = inside_work_tree(repo, plan, plan.script)
    if not (repo.top / script).is_file():
        raise GitexpError(
            f"There is no {visible(plan.script)} here.", "gitexp init --template mlx   # or: gitexp init YOUR.py"
        )
    asked = [file for path in plan.freeze for file in _files(repo, _existing(repo, plan, path))]
    data = [path for path in dict.fromkeys(asked) if _is_data(repo, path)]
    frozen = [path for path in dict.fromkeys(asked) if path not in data]
    edit = tuple(dict.fromkeys(_existing(repo, plan, path) for path in plan.edit or (plan.script,)))
    if both := sorted(set(edit) & set(asked)):
        raise GitexpError(f"{visible(both[0])} cannot be both editable and frozen.", "gitexp init -h")
    return Contract(
        metric=plan.metric,
        direction=plan.direction,
        budget=plan.budget,
        timeout=plan.timeout or 2 * plan.budget + 60,
        script=script,
        directory=os.path.relpath(plan.directory, repo.top),
        edit=edit,
        freeze=freeze(repo, frozen),
        rule=str(parse_rule(plan.rule)),
        hook=hooks.blob(repo, hooks.find(repo)),
        seed=plan.seed,
        guards=tuple(str(parse(guard)) for guard in plan.guards),
        one_variable=plan.one_variable,
        retries=plan.retries,
        runs_in=IN_PLACE if plan.in_place else CLEAN_TREE,
        links=() if plan.in_place else _links(repo, plan, (script, *edit, *frozen), data, observer),
        data=freeze_data(repo.top, data),
    )


def _links(
    repo: Repository, plan: Plan, files: Iterable[str], data: Iterable[str], observer: Observer
) -> tuple[str, ...]:
    """What is to be linked into the clean tree: what a run seems to need, what the plan names, and frozen ``data``.

    Says which paths are read elsewhere.
    """
    directory = os.path.normpath(os.path.relpath(plan.directory, repo.top))
    texts = named_texts(repo, directory, [*files, "Makefile"], hooks.find(repo))
    for sentence in elsewhere(repo, directory, texts):
        observer.say(sentence)
    named = [link_name(repo, plan, path) for path in plan.links]
    unlinked = {link_name(repo, plan, path) for path in plan.unlinked}
    found = [*find_links(repo, directory, texts.values()), *links_beside(repo, directory, texts)]
    unnamed = tuple(path for path in dict.fromkeys(found) if path not in unlinked and path not in named)
    if unnamed and not plan.may_link(unnamed):
        raise GitexpError("Nothing was begun.", command("gitexp", "init", *(f"--skip-link={path}" for path in unnamed)))
    links = [path for path in dict.fromkeys([*named, *found]) if path not in unlinked]
    return (*links, *(path for path in data if not covers(links, path) and not _is_tracked(repo, path)))


def _is_data(repo: Repository, path: str) -> bool:
    """Whether git does not hold a file's content: it is ignored, or a link whose target is no tracked file."""
    if _is_tracked(repo, path):
        return (repo.top / path).is_symlink()
    return covers(ignored_paths(repo), path)


def _is_tracked(repo: Repository, path: str) -> bool:
    return repo.line("ls-files", "--", path) != ""


def link_name(repo: Repository, plan: Plan, path: str) -> str:
    """``path`` as a contract names a link: as git does, or ``../NAME`` for what lies beside the work tree."""
    relative = os.path.relpath(os.path.abspath(plan.directory / path), repo.top)
    link_place(repo.top, relative)
    return relative if relative.startswith("../") else inside_work_tree(repo, plan, path)


def _existing(repo: Repository, plan: Plan, path: str) -> str:
    inside = inside_work_tree(repo, plan, path)
    if not os.path.lexists(repo.top / inside):
        raise GitexpError(f"There is no {visible(path)} here.", "ls")
    return inside


def _files(repo: Repository, path: str) -> list[str]:
    """A folder's tracked files, or all files of one that git ignores; a file is itself."""
    if not (repo.top / path).is_dir():
        return [path]
    files = list(filter(None, repo.line("ls-files", "-z", "--", path).split("\0")))
    if not files and covers(ignored_paths(repo), path):
        found = (Path(folder) / name for folder, _, names in os.walk(repo.top / path) for name in names)
        files = sorted(str(file.relative_to(repo.top)) for file in found if file.is_file())
    if not files:
        raise GitexpError(
            f"{visible(path)} holds no file that git tracks, so nothing in it can be frozen.",
            git_command("add", "--", path),
        )
    return files


def inside_work_tree(repo: Repository, plan: Plan, path: str) -> str:
    """``path`` as git names it: relative to the top level. Raises for one outside the work tree."""
    relative = os.path.relpath(os.path.abspath(plan.directory / path), repo.top)
    if relative == ".." or relative.startswith("../"):
        raise GitexpError(f"{visible(path)} is outside this work tree ({repo.top}).", "gitexp init -h")
    try:
        relative.encode()
    except UnicodeEncodeError:
        raise GitexpError(f"The name of {path!r} is not UTF-8 text.", "mv OLD NEW") from None
    return relative
