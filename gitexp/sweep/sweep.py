"""A systematic search over constants of the editable files: the next setting as a proposal for a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from statistics import fmean

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.proposal import Proposal
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Status
from gitexp.sweep import constants, editable
from gitexp.sweep.constants import Located
from gitexp.sweep.prune import check_prunable, median_pruner
from gitexp.sweep.space import Choices, Dimension, Range, Setting, Space, distinct, parse
from gitexp.sweep.strategies import LISTED, ONE_AT_A_TIME, next_setting, remaining

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A space and how it is searched. Its constants are named as they can be found in the incumbent's files."""

    dimensions: tuple[Dimension, ...]
    kind: str
    prune: bool = False  # runs that lag behind are ended early


def open_sweep(repo: Repository, ledger: Ledger, asked: Iterable[str], kind: str, prune: bool) -> Sweep:
    """The sweep that is asked for, in words like ``DEPTH=2,4``. Raises for what the incumbent's files cannot take."""
    files = editable.sources(repo, ledger.incumbent.tree, ledger.contract.edit)
    dimensions = tuple(_fitted(files, parse(words)) for words in asked)
    names = [dimension.name for dimension in dimensions]
    if twice := [name for name in names if names.count(name) > 1]:
        raise GitexpError(f"{twice[0]} is named twice.", f"gitexp sweep {twice[0]}=2,4,8   # all of its values in one")
    if len(names) > 1 and kind != ONE_AT_A_TIME and ledger.contract.one_variable == "strict":
        raise GitexpError(
            f"This experiment allows one change at a time, and {kind} changes {' and '.join(names)} together.",
            f"gitexp sweep --search {ONE_AT_A_TIME} ...",
        )
    if prune:
        check_prunable(ledger)
    return Sweep(dimensions, kind, prune)


@dataclass(frozen=True, slots=True)
class ApplySetting:
    """Makes the edit of one setting: a :data:`gitexp.iteration.proposal.MakeEdit`."""

    repo: Repository
    paths: tuple[str, ...]
    proposal: Proposal

    def __call__(self, place: ExperimentFiles, ledger: Ledger) -> Proposal:
        editable.write(self.repo, self.paths, dict(self.proposal.params))
        return self.proposal


@dataclass(slots=True)
class SweepProposer:
    """Proposes the settings of a sweep one after another: a :class:`gitexp.loop.loop.Proposer`.

    Each iteration is looked at once."""

    repo: Repository
    sweep: Sweep
    can_be_made_again: bool = True
    _skipped: list[Params] = field(default_factory=list)  # what was refused in this run
    _last: Params = ()
    _trees: Trees = field(init=False)
    _tried: dict[str, Setting] = field(default_factory=dict)  # by commit

    def __post_init__(self) -> None:
        self._trees = Trees(self.repo)

    def next(self, ledger: Ledger, refusal: GitexpError | None) -> ApplySetting | None:
        if refusal:
            self._skipped.append(self._last)
        setter = self._propose(ledger)
        self._last = setter.proposal.params if setter else ()
        return setter

    def left(self, ledger: Ledger) -> list[tuple[str, Setting]]:
        """The messages and settings that are known beforehand, should the incumbent stay."""
        space = self._space(ledger, self._files(ledger))
        settings = remaining(space, self.sweep.kind, self._known(ledger)) if self.sweep.kind in LISTED else ()
        return [(space.message(setting), setting) for setting in settings]

    def _propose(self, ledger: Ledger) -> ApplySetting | None:
        """What makes the next edit; ``None`` when nothing is left."""
        files = self._files(ledger)
        space = self._space(ledger, files)
        setting = next_setting(space, self.sweep.kind, ledger, self._known(ledger))
        if setting is None:
            return None
        found = {name: constants.find(files, name) for name in setting}
        written = {name: constants.literal(found[name], value) for name, value in setting.items()}
        pruner = median_pruner(ledger) if self.sweep.prune else None
        proposal = Proposal(space.message(written), params=tuple(written.items()), pruner=pruner)
        return ApplySetting(self.repo, tuple(files), proposal)

    def _files(self, ledger: Ledger) -> Mapping[str, bytes]:
        return self._trees.files(ledger.incumbent.tree, ledger.contract.edit)

    def _space(self, ledger: Ledger, files: Mapping[str, bytes]) -> Space:
        found = tuple(constants.find(files, dimension.name) for dimension in self.sweep.dimensions)
        places = tuple((located.path, located.name) for located in found)
        kept = ledger.last(Status.KEEP, len(ledger.iterations))
        held = {iteration.id: self._trees.values(iteration.tree, places) for iteration, _ in kept}
        return Space(self.sweep.dimensions, held)

    def _known(self, ledger: Ledger) -> list[Setting]:
        """What iterations set, and what was refused."""
        looked = len(self._tried)
        commits = list(self._tried)
        if looked > len(ledger.iterations) or (looked and ledger.iterations[looked - 1].commit != commits[-1]):
            self._tried.clear()
        more = ledger.iterations[len(self._tried) :]
        self._tried |= {iteration.commit: dict(iteration.params) for iteration in more}
        return [*filter(None, self._tried.values()), *map(dict, self._skipped)]


class Trees:
    """What is in the editable files of a tree, and what their constants are: each tree is read once."""

    def __init__(self, repo: Repository) -> None:
        self.files = cache(partial(editable.sources, repo))
        self.values = cache(self._values)

    def _values(self, tree: str, places: tuple[tuple[str, str], ...]) -> Setting:
        """``places`` are the constants' paths and names; one that the tree does not have is left out."""
        files = self.files(tree, tuple(dict.fromkeys(path for path, _ in places)))
        there = [(name, _found(files, name)) for _, name in places]
        return {name: one.constant.source for name, one in there if one}


def seconds_per_step(ledger: Ledger) -> float:
    """What an iteration has taken so far, replicates included."""
    return fmean(iteration.measurement.seconds for iteration in ledger.iterations)


def _found(files: Mapping[str, bytes], name: str) -> Located | None:
    try:
        return constants.find(files, name)
    except GitexpError:
        return None


def _fitted(files: Mapping[str, bytes], dimension: Dimension) -> Dimension:
    """The values as source of the kind that stands there."""
    located = constants.find(files, dimension.name)
    if isinstance(dimension, Choices):
        values = distinct(constants.literal(located, value) for value in dimension.values)
        for value in values:
            constants.rewritten(files, {located.name: value})  # refused now, and not after hours
        return Choices(located.name, values)
    return _fitted_range(located, dimension)


def _fitted_range(located: Located, range_: Range) -> Range:
    constant = located.constant
    if not constant.is_number:
        raise GitexpError(
            f"{located.name} is {constant.source}: a range is for numbers.", f"gitexp sweep {located.name}=V1,V2,..."
        )
    if isinstance(constant.value, float):
        return replace(range_, name=located.name, low=float(range_.low), high=float(range_.high))
    if not range_.whole:
        raise GitexpError(
            f"{located.name} is the int {constant.source}, and {range_.low}..{range_.high} is a range of floats.",
            f"gitexp sweep {located.name}=1..8   # or write it as a float first: {constant.source}.0",
        )
    return replace(range_, name=located.name)
