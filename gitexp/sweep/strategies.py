"""The order of a search: what a sweep tries next, computed from the space and from the ledger alone.

So a sweep that was killed goes on where it was, in any clone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import product

from gitexp.ledger.ledger import Ledger
from gitexp.sweep.literals import canonical
from gitexp.sweep.space import Dimension, Range, Setting, Space
from gitexp.sweep.with_optuna import suggest

ONE_AT_A_TIME, GRID, RANDOM, TPE = KINDS = ("one-at-a-time", "grid", "random", "tpe")
LISTED = (ONE_AT_A_TIME, GRID)  # searches whose settings are known beforehand, and come to an end
DRAWS = 1000  # how often a setting is drawn until one is new


def next_setting(space: Space, kind: str, ledger: Ledger, tried: Iterable[Setting]) -> Setting | None:
    """The next setting of the search ``kind`` that was not ``tried``; ``None`` when nothing is left.

    Raises GitexpError where the search needs Optuna, which is not installed.
    """
    if kind in LISTED:
        return next(remaining(space, kind, tried), None)
    is_new = _novelty(space, tried)
    suggested = suggest(space, ledger, _seed(ledger), is_new) if kind == TPE else None
    return suggested or _drawn(space, ledger, is_new)


def remaining(space: Space, kind: str, tried: Iterable[Setting]) -> Iterator[Setting]:
    """The settings of a listed search that were not ``tried``, in order, as long as the incumbent stays."""
    return filter(_novelty(space, tried), _one_by_one(space) if kind == ONE_AT_A_TIME else _product(space))


def _one_by_one(space: Space) -> Iterator[Setting]:
    return ({dimension.name: value} for dimension in space.dimensions for value in dimension.values)


def _product(space: Space) -> Iterator[Setting]:
    names = [dimension.name for dimension in space.dimensions]
    return (dict(zip(names, values, strict=True)) for values in product(*(d.values for d in space.dimensions)))


def _novelty(space: Space, tried: Iterable[Setting]) -> Callable[[Setting], bool]:
    """A test that is true of a setting that no sweep tried, and whose values no incumbent had."""
    tried_keys = {_key(setting) for setting in tried}
    held_keys = [_key(setting) for setting in space.held.values()]
    return lambda setting: (key := _key(setting)) not in tried_keys and not any(key <= held for held in held_keys)


def _key(setting: Setting) -> frozenset[tuple[str, object]]:
    return frozenset((name, canonical(value)) for name, value in setting.items())


def _drawn(space: Space, ledger: Ledger, is_new: Callable[[Setting], bool]) -> Setting | None:
    source = random.Random(_seed(ledger))  # noqa: S311  not a secret
    draws = ({d.name: _draw(d, source) for d in space.dimensions} for _ in range(DRAWS))
    return next(filter(is_new, draws), None)


def _draw(dimension: Dimension, source: random.Random) -> str:
    if not isinstance(dimension, Range):
        return source.choice(dimension.values)
    margin = 0.5 if dimension.whole else 0.0  # rounding then gives both ends of a range of ints their full share
    low, high = dimension.low - margin, dimension.high + margin
    if dimension.log:
        return dimension.text(math.exp(source.uniform(math.log(low), math.log(high))))
    return dimension.text(source.uniform(low, high))


def _seed(ledger: Ledger) -> int:
    words = f"{ledger.name}/{ledger.contract.seed}/{ledger.next_id}"
    return int.from_bytes(sha256(words.encode()).digest()[:4], "big")
