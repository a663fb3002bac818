"""Runs that are not worth their end: Optuna's median pruner, told the curves of all iterations anew each time."""

from __future__ import annotations

from statistics import median

from gitexp.errors import GitexpError
from gitexp.extras import extra
from gitexp.ledger.ledger import Ledger
from gitexp.run.curve import Pruner

LEAST = 4  # finished iterations with a curve, before any run is ended
WARM_UP = 3  # tenths of the budget that each run has at least


def check_prunable(ledger: Ledger) -> None:
    if not ledger.baseline.measurement.curve:
        raise GitexpError(
            "Pruning goes by the loss, and the baseline printed none (a line such as 'step 12 | loss 2.45').",
            "gitexp show exp000   # what it printed; or leave --prune out",
        )


def median_pruner(ledger: Ledger) -> Pruner:
    """Ends a run whose best mean loss so far is worse than the median of the earlier iterations at the same tenth."""
    optuna = extra("optuna", "--prune", "sweep")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rule = optuna.pruners.MedianPruner(n_startup_trials=LEAST, n_warmup_steps=WARM_UP)
    study = optuna.create_study(direction="minimize", pruner=rule)
    curves = [dict(i.measurement.curve) for i in ledger.iterations if i.score is not None and i.measurement.curve]
    finished = optuna.trial.TrialState.COMPLETE
    for curve in curves:
        last = curve[max(curve)]
        study.add_trial(optuna.trial.create_trial(state=finished, value=last, intermediate_values=curve))
    trial = study.ask()

    def prune(tenth: int, loss: float) -> str:
        trial.report(loss, tenth)
        if not trial.should_prune():
            return ""
        usual = median(curve[tenth] for curve in curves if tenth in curve)
        return f"pruned at {tenth * 10} % of the budget: its loss was {loss:.4g}, and usual there is {usual:.4g}"

    return prune
