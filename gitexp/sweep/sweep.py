"""A systematic search over constants of the editable files, which proposes each setting as an edit for a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from statistics import fmean

from gitexp.errors import GitexpError
from gitexp.git.objects import Entry, entries
from gitexp.git.repository import Repository
from gitexp.iteration.journal import Files
from gitexp.iteration.proposal import Proposal
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Status
from gitexp.shell import command, word
from gitexp.sweep import constants
from gitexp.sweep.constants import Located
from gitexp.sweep.space import Choices, Dimension, Range, Setting, Space, distinct, parse
from gitexp.sweep.strategies import LISTED, ONE_AT_A_TIME, next_setting, remaining
from gitexp.sweep.with_optuna import check_prunable, median_pruner

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to search and how. Each constant has the name that finds it in the incumbent's files."""

    dimensions: tuple[Dimension, ...]
    kind: str  # one of strategies.KINDS
    prune: bool = False  # end a run early whose loss lags behind


def open_sweep(repo: Repository, ledger: Ledger, asked: Iterable[str], kind: str, prune: bool) -> Sweep:
    """The sweep that is ``asked`` for, in words like ``DEPTH=2,4``.

    Raises GitexpError for constants and values that the incumbent's files cannot take, and for a search that the
    contract forbids.
    """
    files = constants.sources(repo, ledger.incumbent.tree, ledger.contract.edit)
    dimensions = tuple(_fitted(files, parse(words)) for words in asked)
    names = [dimension.name for dimension in dimensions]
    if twice := [name for name in names if names.count(name) > 1]:
        raise GitexpError(
            f"{twice[0]} is named twice.", f"{command('gitexp', 'sweep', twice[0] + '=2,4,8')}   # all values together"
        )
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
    files: Files  # what the editable files hold in it, by path
    proposal: Proposal

    def __call__(self, place: ExperimentFiles, ledger: Ledger) -> Proposal:
        if ledger.contract.in_place:
            constants.write(self.repo, self.files, dict(self.proposal.params))
            return self.proposal
        return replace(self.proposal, files=dict(self.files))


@dataclass(slots=True)
class SweepProposer:
    """Proposes the settings of a sweep one after another: a :class:`gitexp.loop.proposers.Proposer`.

    It remembers the settings of the iterations it has read, so that a long history is read once."""

    repo: Repository
    sweep: Sweep
    foreseen: Files = field(default_factory=dict)
    _refused: list[Params] = field(default_factory=list)  # settings that were refused in this run
    _last: Params = ()
    _trees: Trees = field(init=False)
    _tried: dict[str, Setting] = field(default_factory=dict)  # by commit, oldest first

    def __post_init__(self) -> None:
        self._trees = Trees(self.repo)

    def ask(self, ledger: Ledger, refusal: GitexpError | None) -> ApplySetting | None:
        """The edit of the next setting; ``None`` when no setting is left. ``refusal``: why the last was not tried."""
        if refusal:
            self._refused.append(self._last)
        edit = self._propose(ledger)
        self._last = edit.proposal.params if edit else ()
        return edit

    def plan(self, ledger: Ledger) -> list[tuple[str, Setting]]:
        """Messages and settings that are left as long as the incumbent stays; none for a search that draws."""
        space = self._space(ledger, self._files(ledger))
        settings = remaining(space, self.sweep.kind, self._tried_in(ledger)) if self.sweep.kind in LISTED else ()
        return [(space.message(setting), setting) for setting in settings]

    def _propose(self, ledger: Ledger) -> ApplySetting | None:
        files = self._files(ledger)
        space = self._space(ledger, files)
        setting = next_setting(space, self.sweep.kind, ledger, self._tried_in(ledger))
        if setting is None:
            return None
        located = {name: constants.find(files, name) for name in setting}
        written = {name: constants.literal(located[name], value) for name, value in setting.items()}
        self.foreseen = self._entries(ledger.incumbent.tree, constants.rewritten(files, written))
        pruner = median_pruner(ledger) if self.sweep.prune else None
        proposal = Proposal(space.message(written), params=tuple(written.items()), pruner=pruner)
        return ApplySetting(self.repo, self.foreseen, proposal)

    def _entries(self, tree: str, contents: Mapping[str, bytes]) -> Files:
        """What git would hold of files of ``tree``, if they had these contents."""
        old = entries(self.repo, tree, contents) if contents else {}
        return {
            path: Entry(old[path].mode, self.repo.line("hash-object", "-w", "--stdin", stdin=content))
            for path, content in contents.items()
        }

    def _files(self, ledger: Ledger) -> Mapping[str, bytes]:
        return self._trees.files(ledger.incumbent.tree, ledger.contract.edit)

    def _space(self, ledger: Ledger, files: Mapping[str, bytes]) -> Space:
        located = [constants.find(files, dimension.name) for dimension in self.sweep.dimensions]
        places = tuple((constant.path, constant.name) for constant in located)
        kept = ledger.last(Status.KEEP, len(ledger.iterations))
        held = {iteration.id: self._trees.values(iteration.tree, places) for iteration in kept}
        return Space(self.sweep.dimensions, held)

    def _tried_in(self, ledger: Ledger) -> list[Setting]:
        """The settings of the iterations, and those that were refused in this run."""
        count = len(self._tried)
        if count and [one.commit for one in ledger.iterations[count - 1 : count]] != [next(reversed(self._tried))]:
            self._tried.clear()  # another history than the last time
        unread = ledger.iterations[len(self._tried) :]
        self._tried |= {iteration.commit: dict(iteration.candidate.params) for iteration in unread}
        return [*filter(None, self._tried.values()), *map(dict, self._refused)]


class Trees:
    """The editable files of git trees, and the values of their constants; each tree is read once.

    ``files(tree, editable)`` is :func:`gitexp.sweep.constants.sources`.
    """

    def __init__(self, repo: Repository) -> None:
        self.files: Callable[[str, tuple[str, ...]], dict[str, bytes]] = cache(partial(constants.sources, repo))
        self.values = cache(self._values)

    def _values(self, tree: str, places: tuple[tuple[str, str], ...]) -> Setting:
        """The values of constants, each given as path and name; one that the tree does not have is left out."""
        files = self.files(tree, tuple(dict.fromkeys(path for path, _ in places)))
        located = [(name, _find_or_none(files, name)) for _, name in places]
        return {name: one.constant.source for name, one in located if one}


def seconds_per_step(ledger: Ledger) -> float:
    """The mean seconds of training that an iteration has taken so far, replicates included."""
    return fmean(iteration.measurement.seconds for iteration in ledger.iterations)


def _find_or_none(files: Mapping[str, bytes], name: str) -> Located | None:
    try:
        return constants.find(files, name)
    except GitexpError:
        return None


def _fitted(files: Mapping[str, bytes], dimension: Dimension) -> Dimension:
    """The dimension with its values as source that suits the constant. Raises GitexpError where none does."""
    located = constants.find(files, dimension.name)
    if isinstance(dimension, Choices):
        values = distinct(constants.literal(located, value) for value in dimension.values)
        for value in values:
            constants.rewritten(files, {located.name: value})  # refuses a value now, and not after hours
        return Choices(located.name, values)
    return _fitted_range(located, dimension)


def _fitted_range(located: Located, range_: Range) -> Range:
    constant = located.constant
    if not constant.is_number:
        raise GitexpError(
            f"{located.name} is {constant.source}, and a range takes numbers.",
            command("gitexp", "sweep", f"{located.name}=V1,V2,..."),
        )
    if isinstance(constant.value, float):
        return replace(range_, name=located.name, low=float(range_.low), high=float(range_.high))
    if not range_.whole:
        raise GitexpError(
            f"{located.name} is the int {constant.source}, and {range_.low}..{range_.high} is a range of floats.",
            f"{command('gitexp', 'sweep', located.name + '=1..8')}   "
            f"# or write it as a float first: {word(constant.source + '.0')}",
        )
    return replace(range_, name=located.name)
