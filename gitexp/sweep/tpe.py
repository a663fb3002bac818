"""The next setting by a tree-structured Parzen estimator: Optuna, told the whole history anew each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitexp.extras import extra
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration
from gitexp.sweep.space import Dimension, Range, Setting, Space

ASKED = 50  # times, for a setting that was not tried yet


def suggest(space: Space, ledger: Ledger, seed: int, is_new: Callable[[Setting], bool]) -> Setting | None:
    """A setting that is new; ``None`` when Optuna names none. The same history and seed suggest the same."""
    optuna = extra("optuna", "The search tpe", "sweep")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spread = {dimension.name: _distribution(optuna, dimension) for dimension in space.dimensions}
    study = optuna.create_study(
        direction=ledger.contract.direction.value, sampler=optuna.samplers.TPESampler(seed=seed)
    )
    study.add_trials(list(_trials(optuna, space, ledger, spread)))
    for _ in range(ASKED):
        trial = study.ask(spread)
        setting = {dimension.name: _text(dimension, trial.params[dimension.name]) for dimension in space.dimensions}
        if is_new(setting):
            return setting
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    if not isinstance(dimension, Range):
        return optuna.distributions.CategoricalDistribution(dimension.values)
    if dimension.whole:
        return optuna.distributions.IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _text(dimension: Dimension, value: Any) -> str:
    return dimension.text(value) if isinstance(dimension, Range) else str(value)


def _trials(optuna: Any, space: Space, ledger: Ledger, spread: dict[str, Any]) -> Iterator[Any]:
    """What is known: each iteration of which a value is in the space. What is out of it Optuna would refuse."""
    for iteration, setting in _known(space, ledger):
        values = {d.name: d.chosen(setting[d.name]) for d in space.dimensions if d.name in setting}
        params = {name: value for name, value in values.items() if value is not None}
        if params:
            yield optuna.trial.create_trial(
                state=_state(optuna, iteration),
                value=iteration.score,
                intermediate_values=dict(iteration.measurement.curve),
                params=params,
                distributions={name: spread[name] for name in params},
            )


def _state(optuna: Any, iteration: Iteration) -> Any:
    states = optuna.trial.TrialState
    if iteration.measurement.pruned:
        return states.PRUNED
    return states.FAIL if iteration.score is None else states.COMPLETE


def _known(space: Space, ledger: Ledger) -> Iterator[tuple[Iteration, Setting]]:
    """What the constants were in each kept iteration, and in those that a sweep made: as it set them, and as it met
    the others."""
    incumbent: Setting = {}
    for iteration in ledger.iterations:
        incumbent = space.held.get(iteration.id, incumbent)
        if iteration.params or iteration.id in space.held:
            yield iteration, {**incumbent, **dict(iteration.params)}
