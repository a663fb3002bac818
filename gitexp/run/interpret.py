"""What a run brought: how it ended and what it reported, as a measurement, or as a crash with its reason.

Whether a run is a crash is decided here and nowhere else; the signature of its error is :mod:`gitexp.run.crash`'s.
"""

from __future__ import annotations

import math
import platform
import signal
from dataclasses import replace
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.model import Contract, Measurement, Sample
from gitexp.run import crash
from gitexp.run.runner import Execution
from gitexp.run.score import MEMORY_KEYS, Metrics, SummaryParser, memory_mb, test_score
from gitexp.shell import command
from gitexp.text import one_line

SKIPPED = 125  # as in git bisect run: this candidate cannot be judged
CANNOT_RUN = (126, 127)  # the shell's: not executable, not found
SIGNALLED = 128  # the shell's: this and the number of the signal that killed its child
CLOCK_SHARE, CLOCK_SECONDS = 1.1, 10.0  # by which a run may take longer than it says: starting Python and the like


def check_usable(execution: Execution, log: Path) -> None:
    less = command("less", log)
    last = one_line(execution.tail[-1], 200) if execution.tail else "it printed nothing"
    if execution.exit_code == SKIPPED:
        raise GitexpError(f"The hook asked to skip this candidate (exit 125: {last}). The edit stays.", less)
    if execution.exit_code in CANNOT_RUN:
        raise GitexpError(f"The hook cannot run (exit {execution.exit_code}: {last}). The edit stays.", less)


def measurement(
    execution: Execution,
    metrics: Metrics,
    parser: SummaryParser,
    contract: Contract,
    iteration: str,
    seed: int,
    violation: str = "",
) -> Measurement:
    """The measurement of one replicate; ``violation`` is what the run did to the measurement, if anything."""
    score = metrics.get(contract.metric)
    violation = violation or _stretched(metrics, execution.seconds)
    reason = violation or _crash_reason(execution, score, parser, contract)
    if reason:
        score = None
    others = tuple((name, value) for name, value in metrics.items() if name != contract.metric and math.isfinite(value))
    memory = memory_mb(dict(others))
    return Measurement(
        samples=(Sample(iteration, seed, execution.seconds, score),),
        score=score,
        metrics=tuple((name, value) for name, value in others if name not in MEMORY_KEYS),
        test=test_score(dict(others), contract.metric),
        memory_mb=None if memory is None else round(memory, 1),  # as it is sealed: guards are checked again later
        device=one_line(parser.device or f"{platform.system()} {platform.machine()}", 100),
        data=one_line(parser.data, 200),
        reason=reason,
        error=violation or (_error(execution, reason, contract) if reason else ""),
    )


def stopped_itself(last: Measurement, times: int) -> Measurement:
    """The crash of a run whose processes were stopped (SIGSTOP) each of so many ``times`` that it was made."""
    reason = f"the run was stopped each of {times} times that it was made: it stops itself"
    sample = replace(last.samples[0], score=None)
    return replace(last, samples=(sample,), score=None, test=None, reason=reason, error="the run stops itself")


def _crash_reason(execution: Execution, score: float | None, parser: SummaryParser, contract: Contract) -> str:
    """Why the run is a crash; empty when it is not one."""
    if execution.timed_out:
        return f"timeout: still running after {contract.timeout:g} s"
    if execution.exit_code < 0:
        return f"killed by {_signal_name(-execution.exit_code) or f'signal {-execution.exit_code}'}"
    if execution.exit_code > SIGNALLED and (name := _signal_name(execution.exit_code - SIGNALLED)):
        return f"killed by {name}"  # a child of the hook's shell
    if execution.exit_code > 0:
        last = one_line(crash.last_error(execution.tail), 300)
        return f"exit {execution.exit_code}" + (f": {last}" if last else "")
    return _no_score(score, parser, contract.metric)


def _no_score(score: float | None, parser: SummaryParser, metric: str) -> str:
    """Why a run that ended well has no score; empty when it has one."""
    if score is not None:
        return "" if math.isfinite(score) else f"no score: {metric} is {score}"
    if parser.word:
        return f"no score: {metric} is {parser.word}"
    printed = f"; it printed {', '.join(sorted(parser.seen)[:8])}" if parser.seen else ""
    return f"no score: {metric} was not printed{printed}"


def _signal_name(number: int) -> str:
    """Empty for what is no signal, or has no name: the real-time ones."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _error(execution: Execution, reason: str, contract: Contract) -> str:
    if execution.timed_out or execution.exit_code <= 0 or reason.startswith("killed by"):
        return crash.normalise(reason)
    return crash.signature(execution.tail, (contract.script, *contract.edit)) or f"exit {execution.exit_code}"


def _stretched(metrics: Metrics, seconds: float) -> str:
    """A run that says how long it took must be believed by the clock on the wall."""
    said = metrics.get("total_seconds")
    if said is None or seconds <= CLOCK_SHARE * said + CLOCK_SECONDS:
        return ""
    return f"the run took {seconds:.0f} s, and says {said:.0f} s"
