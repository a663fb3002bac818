"""What a sweep tries next: a function of the space and of what the ledger says was tried, and of nothing else.

So a sweep that was killed goes on where it was, in whatever clone.
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
from gitexp.sweep.tpe import suggest

ONE_AT_A_TIME, GRID, RANDOM, TPE = KINDS = ("one-at-a-time", "grid", "random", "tpe")
LISTED = (ONE_AT_A_TIME, GRID)  # their settings are known beforehand, and come to an end
DRAWS = 1000  # of a setting that was not tried yet


def next_setting(space: Space, kind: str, ledger: Ledger, tried: Iterable[Setting]) -> Setting | None:
    """What is to be tried next, but for what was ``tried``; ``None`` when nothing is left."""
    if kind in LISTED:
        return next(remaining(space, kind, tried), None)
    is_new = _is_new(space, tried)
    suggested = suggest(space, ledger, _seed(ledger), is_new) if kind == TPE else None
    return suggested or _drawn(space, ledger, is_new)


def remaining(space: Space, kind: str, tried: Iterable[Setting]) -> Iterator[Setting]:
    """What is left of a search that comes to an end, in order, should the incumbent stay."""
    return filter(_is_new(space, tried), _one_by_one(space) if kind == ONE_AT_A_TIME else _product(space))


def _one_by_one(space: Space) -> Iterator[Setting]:
    return ({dimension.name: value} for dimension in space.dimensions for value in dimension.values)


def _product(space: Space) -> Iterator[Setting]:
    names = [dimension.name for dimension in space.dimensions]
    return (dict(zip(names, values, strict=True)) for values in product(*(d.values for d in space.dimensions)))


def _is_new(space: Space, tried: Iterable[Setting]) -> Callable[[Setting], bool]:
    """Whether a setting was not tried: by a sweep, nor by an incumbent that had these values of its own."""
    known = {_key(setting) for setting in tried}
    held = [_key(setting) for setting in space.held.values()]
    return lambda setting: (key := _key(setting)) not in known and not any(key <= other for other in held)


def _key(setting: Setting) -> frozenset[tuple[str, object]]:
    return frozenset((name, canonical(value)) for name, value in setting.items())


def _drawn(space: Space, ledger: Ledger, is_new: Callable[[Setting], bool]) -> Setting | None:
    source = random.Random(_seed(ledger))  # noqa: S311  no secret
    draws = ({d.name: _draw(d, source) for d in space.dimensions} for _ in range(DRAWS))
    return next(filter(is_new, draws), None)


def _draw(dimension: Dimension, source: random.Random) -> str:
    if not isinstance(dimension, Range):
        return source.choice(dimension.values)
    margin = 0.5 if dimension.whole else 0.0  # so that the ends of a range of ints are as likely as the rest
    low, high = dimension.low - margin, dimension.high + margin
    if dimension.log:
        return dimension.text(math.exp(source.uniform(math.log(low), math.log(high))))
    return dimension.text(source.uniform(low, high))


def _seed(ledger: Ledger) -> int:
    words = f"{ledger.name}/{ledger.contract.seed}/{ledger.next_id}"
    return int.from_bytes(sha256(words.encode()).digest()[:4], "big")
