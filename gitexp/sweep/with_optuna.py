"""What a sweep leaves to Optuna: the next setting by TPE, and the rule that ends a run early.

Optuna keeps nothing: each call tells it the whole history, so that the same history always gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING

from gitexp.errors import GitexpError
from gitexp.extras import needs_extra
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration
from gitexp.run.curve import Pruner
from gitexp.sweep.space import Dimension, Range, Setting, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

SUGGESTIONS = 50  # how often TPE is asked for a setting that was not tried yet
MIN_CURVES = 4  # finished iterations with a loss curve, before any run is ended early
WARM_UP = 3  # tenths of the budget that every run is given


def suggest(space: Space, ledger: Ledger, seed: int, is_new: Callable[[Setting], bool]) -> Setting | None:
    """A new setting by the tree-structured Parzen estimator; ``None`` when it suggests only old ones.

    The same history and seed give the same setting. Raises GitexpError where Optuna is not installed.
    """
    _import_for("The search tpe")
    import optuna

    distributions = {dimension.name: _distribution(dimension) for dimension in space.dimensions}
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction=ledger.contract.direction.value, sampler=sampler)
    study.add_trials(list(_trials(space, ledger, distributions)))
    for _ in range(SUGGESTIONS):
        trial = study.ask(distributions)
        setting = {dimension.name: _text(dimension, trial.params[dimension.name]) for dimension in space.dimensions}
        if is_new(setting):
            return setting
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _import_for(user: str) -> None:
    """``user``, the beginning of a sentence, needs Optuna."""
    with needs_extra(user, "sweep"):
        import optuna
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _distribution(dimension: Dimension) -> BaseDistribution:
    import optuna

    if not isinstance(dimension, Range):
        return optuna.distributions.CategoricalDistribution(dimension.values)
    if dimension.whole:
        return optuna.distributions.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _text(dimension: Dimension, value: float | str) -> str:
    """A value that Optuna chose, as source."""
    return dimension.text(value) if isinstance(dimension, Range) and not isinstance(value, str) else str(value)


def _trials(space: Space, ledger: Ledger, distributions: Mapping[str, BaseDistribution]) -> Iterator[FrozenTrial]:
    """One trial for each iteration that has a value in the space; Optuna would refuse values outside it."""
    import optuna

    for iteration, setting in _settings(space, ledger):
        values = {d.name: d.chosen(setting[d.name]) for d in space.dimensions if d.name in setting}
        params = {name: value for name, value in values.items() if value is not None}
        if params:
            yield optuna.trial.create_trial(
                state=_state(iteration),
                value=iteration.score,
                intermediate_values=dict(iteration.measurement.curve),
                params=params,
                distributions={name: distributions[name] for name in params},
            )


def _state(iteration: Iteration) -> TrialState:
    from optuna.trial import TrialState

    if iteration.measurement.pruned:
        return TrialState.PRUNED
    return TrialState.FAIL if iteration.score is None else TrialState.COMPLETE


def _settings(space: Space, ledger: Ledger) -> Iterator[tuple[Iteration, Setting]]:
    """What the constants were in each KEEP, and in each iteration of a sweep.

    A sweep's iteration has the values that it set, and for the other constants those of the incumbent it met.
    """
    incumbent: Setting = {}
    for iteration in ledger.iterations:
        incumbent = space.held.get(iteration.id, incumbent)
        if iteration.candidate.params or iteration.id in space.held:
            yield iteration, {**incumbent, **dict(iteration.candidate.params)}


def check_prunable(ledger: Ledger) -> None:
    """Raise GitexpError for an experiment whose baseline printed no loss."""
    if not ledger.baseline.measurement.curve:
        raise GitexpError(
            "Pruning compares losses, and the baseline printed none (a line such as 'step 12 | loss 2.45').",
            "gitexp show exp000   # shows what it printed; or leave --prune out",
        )


def median_pruner(ledger: Ledger) -> Pruner:
    """Optuna's median rule: end a run whose best loss so far is worse than the median of the earlier iterations.

    Losses are means over a tenth of the budget, and are compared at the same tenth. Raises GitexpError where Optuna is
    not installed.
    """
    _import_for("--prune")
    import optuna

    rule = optuna.pruners.MedianPruner(n_startup_trials=MIN_CURVES, n_warmup_steps=WARM_UP)
    study = optuna.create_study(direction="minimize", pruner=rule)
    curves = [dict(i.measurement.curve) for i in ledger.iterations if i.score is not None and i.measurement.curve]
    for curve in curves:
        finished = optuna.trial.TrialState.COMPLETE
        study.add_trial(optuna.trial.create_trial(state=finished, value=curve[max(curve)], intermediate_values=curve))
    trial = study.ask()

    def prune(tenth: int, loss: float) -> str:
        trial.report(loss, tenth)
        if not trial.should_prune():
            return ""
        usual = median(curve[tenth] for curve in curves if tenth in curve)
        return f"pruned at {tenth * 10} % of the budget: its loss was {loss:.4g}, and usual there is {usual:.4g}"

    return prune
