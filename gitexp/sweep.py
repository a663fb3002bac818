"""A systematic search over constants of the editable files: the next setting as a proposal for a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import fmean

from gitexp import constants, disk, editable, history
from gitexp.conclude import Outcome
from gitexp.constants import Located
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.model import Iteration, Ledger, Status
from gitexp.objects import Entry, entries
from gitexp.observer import Observer
from gitexp.pending import Place
from gitexp.proposal import Proposal
from gitexp.recovery import recover
from gitexp.search import LISTED, ONE_AT_A_TIME, next_setting, remaining
from gitexp.space import Choices, Dimension, Range, Setting, Space, distinct, parse
from gitexp.step import step
from gitexp.worktree import check_ready, edits, swap

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A space and how it is searched. Its constants are named as they can be found in the incumbent's files."""

    dimensions: tuple[Dimension, ...]
    kind: str


def open_sweep(repo: Repository, ledger: Ledger, asked: Iterable[str], kind: str) -> Sweep:
    """The sweep that is asked for, in words like ``DEPTH=2,4``. Raises for what the incumbent's files cannot take."""
    files = _files(repo, ledger)
    dimensions = tuple(_fitted(files, parse(words)) for words in asked)
    names = [dimension.name for dimension in dimensions]
    if twice := [name for name in names if names.count(name) > 1]:
        raise GitexpError(f"{twice[0]} is named twice.", f"gitexp sweep {twice[0]}=2,4,8   # all of its values in one")
    if len(names) > 1 and kind != ONE_AT_A_TIME and ledger.contract.one_variable == "strict":
        raise GitexpError(
            f"This experiment allows one change at a time, and {kind} changes {' and '.join(names)} together.",
            f"gitexp sweep --search {ONE_AT_A_TIME} ...",
        )
    return Sweep(dimensions, kind)


@dataclass(frozen=True, slots=True)
class Setter:
    """Makes the edit of one setting: a :data:`gitexp.proposal.Proposer`."""

    repo: Repository
    paths: tuple[str, ...]
    proposal: Proposal

    def __call__(self, place: Place, ledger: Ledger) -> Proposal:
        editable.write(self.repo, self.paths, dict(self.proposal.params))
        return self.proposal


def propose(repo: Repository, ledger: Ledger, sweep: Sweep, skipped: Iterable[Params] = ()) -> Setter | None:
    """What makes the next edit; ``None`` when nothing is left. ``skipped`` are the params of refused proposals."""
    files = _files(repo, ledger)
    space = _space(repo, ledger, sweep, files)
    setting = next_setting(space, sweep.kind, ledger, map(dict, skipped))
    if setting is None:
        return None
    found = {name: constants.find(files, name) for name in setting}
    written = {name: constants.literal(found[name], value) for name, value in setting.items()}
    return Setter(repo, tuple(files), Proposal(space.message(written), params=tuple(written.items())))


def attempt(repo: Repository, name: str, sweep: Sweep, setter: Setter, observer: Observer) -> Outcome:
    """One step of a sweep. When it comes to no verdict, its edit is taken back: it can be made again."""
    try:
        return step(repo, name, setter, observer)
    except BaseException:
        place = Place.of(repo, name)
        with suppress(GitexpError, OSError), place.locked(repo, "sweep"):
            if place.read_journal() is None:  # else it is measured, and is sealed later
                _take_back(repo, history.load(repo, name), sweep)
        raise


def planned(repo: Repository, ledger: Ledger, sweep: Sweep) -> list[tuple[str, Setting]]:
    """The messages and settings that are known beforehand, should the incumbent stay."""
    space = _space(repo, ledger, sweep, _files(repo, ledger))
    settings = remaining(space, sweep.kind, ledger) if sweep.kind in LISTED else ()
    return [(space.message(setting), setting) for setting in settings]


def seconds_per_step(ledger: Ledger) -> float:
    """What an iteration has taken so far, replicates included."""
    return fmean(iteration.measurement.seconds for iteration in ledger.iterations)


def settle(repo: Repository, name: str, sweep: Sweep, observer: Observer) -> None:
    """Clear up after a gitexp that died, and take back the edit of a sweep that was interrupted: it is made again."""
    place = Place.of(repo, name)
    with place.locked(repo, "sweep"):
        check_ready(repo)
        recover(repo, place, observer)
        ledger = history.load(repo, name)
        disk.sweep((repo.top / path).parent for path in _files(repo, ledger))
        if left := _take_back(repo, ledger, sweep):
            observer.say(f"{left} was left by an interrupted sweep, and is taken back: it will be tried again.")


def _take_back(repo: Repository, ledger: Ledger, sweep: Sweep) -> str:
    """Put the incumbent's files back if all that differs is a setting of the sweep; what it was, else empty."""
    made = edits(repo, ledger.contract.edit)
    old = entries(repo, "HEAD^{tree}", made) if made else {}
    left = _setting_in(repo, sweep, made, old)
    if left:
        swap(repo, made, {path: old[path] for path in made})
    return left


def _setting_in(repo: Repository, sweep: Sweep, made: Mapping[str, Entry | None], old: Mapping[str, Entry]) -> str:
    """What an edit sets, if it does nothing but give constants of the sweep values that are to be tried; else empty."""
    blobs = repo.blobs({entry.oid for entry in (*made.values(), *old.values()) if entry})
    now = {path: blobs[entry.oid] for path, entry in made.items() if entry}
    before = {path: blobs[entry.oid] for path, entry in old.items()}
    found = [(dimension, _found(now, dimension.name), _found(before, dimension.name)) for dimension in sweep.dimensions]
    edited = {
        new.name: (new.constant.source, was.constant.source)
        for dimension, new, was in found
        if new and was and new != was and dimension.chosen(new.constant.source) is not None
    }
    try:
        restored = now | constants.rewritten(now, {name: was for name, (_, was) in edited.items()})
    except GitexpError:
        return ""
    return ", ".join(f"{name} = {new}" for name, (new, _) in edited.items()) if restored == before else ""


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


def _files(repo: Repository, ledger: Ledger) -> dict[str, bytes]:
    return editable.sources(repo, ledger.incumbent.tree, ledger.contract.edit)


def _space(repo: Repository, ledger: Ledger, sweep: Sweep, files: Mapping[str, bytes]) -> Space:
    found = [constants.find(files, dimension.name) for dimension in sweep.dimensions]
    kept = [iteration for iteration in ledger.iterations if iteration.status is Status.KEEP]
    return Space(sweep.dimensions, {iteration.id: _values(repo, iteration, found) for iteration in kept})


def _values(repo: Repository, iteration: Iteration, found: Iterable[Located]) -> Setting:
    """What the constants are in an iteration; one that it did not have is left out."""
    files = editable.sources(repo, iteration.tree, {located.path for located in found})
    there = [(located.name, _found(files, located.name)) for located in found]
    return {name: one.constant.source for name, one in there if one}
