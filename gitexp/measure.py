"""Run the post-run hook on the tree that lies in the work tree, and read what it measured."""

from __future__ import annotations

import math
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from gitexp import crash, hook
from gitexp.errors import GitexpError
from gitexp.git import LOCAL_VARIABLES, Repository
from gitexp.model import Contract, Measurement, Sample
from gitexp.observer import Observer
from gitexp.pending import Place, Process
from gitexp.processes import MARK, start_time
from gitexp.runner import Execution, NotStarted, run
from gitexp.summary import MEMORY_KEYS, Metrics, SummaryParser, memory_mb, test_score
from gitexp.text import one_line
from gitexp.views import RESULTS
from gitexp.watch import Watch, is_loaded, keep_awake, speed


@dataclass(frozen=True, slots=True)
class Run:
    """One replicate that is to be made of the tree in the work tree."""

    iteration: str  # whose tree it is
    seed: int
    mark: str  # the step it is made for
    label: str  # what it is called on the screen, and its log
    test: bool = False  # whether the held-out split is to be scored too


SKIPPED = 125  # as in git bisect run: this candidate cannot be judged
EVALUATE = "--- evaluate"  # the hook's line between the training and the frozen evaluator
CANNOT_RUN = (126, 127)  # the shell's: not executable, not found
SIGNALLED = 128  # the shell's: this and the number of the signal that killed its child


def measure(
    repo: Repository,
    place: Place,
    contract: Contract,
    asked: Run,
    observer: Observer,
    check: Callable[[], None],
    usual: float | None = None,
) -> Measurement:
    """One replicate of what lies in the work tree. ``usual`` is the incumbent's speed, if it is known.

    ``check`` raises when the work tree does not hold what is to be run; it is called before each run.

    A run that was spoiled from outside is no verdict: it is made again, at most as often as the contract allows.
    Raises when it is spoiled each time, when the hook cannot run, or when it asks for this candidate to be skipped:
    then there is nothing to record.
    """
    spoiled: list[str] = []
    before: float | None = None
    while True:
        check()
        watch = Watch()
        measurement = _replicate(repo, place, contract, asked, observer, watch)
        now = speed(dict(measurement.metrics), measurement.seconds)
        trouble = watch.trouble()
        if not trouble and is_loaded(now, usual, before, others := watch.others()):
            share = 100 * (now or 0) / (usual or 1)
            trouble = f"others used {100 * others:.0f} % of the CPUs, and it ran at {share:.0f} % of the usual speed"
        before = now
        if not trouble:
            return replace(measurement, spoiled=tuple(spoiled))
        spoiled.append(trouble)
        if len(spoiled) > contract.retries:
            raise GitexpError(
                f"{asked.label} was spoiled {len(spoiled)} times (at last: {trouble}): it has no verdict, and its "
                "edit stays.",
                "gitexp step -m '...'   # again, when the machine has time for it",
            )
        observer.say(f"{asked.label}: {trouble}: no verdict. Run again ({len(spoiled)} of {contract.retries}).")


def _replicate(
    repo: Repository, place: Place, contract: Contract, asked: Run, observer: Observer, watch: Watch
) -> Measurement:
    path = hook.find(repo)
    run_dir = place.fresh_run_dir()
    parser = SummaryParser(contract.metric)
    cwd = repo.top / contract.directory
    if not cwd.is_dir():
        raise GitexpError(f"The folder {cwd} is gone: the hook runs there.", "git status")
    table = _Appended(cwd / RESULTS, run_dir / RESULTS)
    evaluator = _evaluator(contract)

    def on_line(line: str) -> None:
        if evaluator and line == EVALUATE:
            parser.forget()
        parser.feed(line)
        observer.run_prints(line)

    def on_start(pid: int) -> None:
        place.write_leader(Process(pid, start_time(pid)))
        watch.start(pid)
        keep_awake(pid)

    def on_tick() -> None:
        watch.tick()
        observer.run_goes_on()

    log = place.log(asked.label)
    completed = False
    observer.run_starts(asked.label, contract.budget)
    try:
        execution = run(
            [str(path)],
            cwd=cwd,
            env=_environment(place, contract, asked, run_dir),
            timeout=contract.timeout,
            log=log,
            on_line=on_line,
            on_start=on_start,
            on_tick=on_tick,
        )
        completed = True
    except NotStarted as error:
        raise GitexpError(f"The post-run hook {path} cannot be run: {error}.", f"head -1 {quote(str(path))}") from None
    finally:
        observer.run_ends(completed)
    _check_usable(execution, log)
    metrics = parser.result(run_dir / "metrics.json", table.written() if evaluator else table.rows())
    return _measurement(execution, metrics, parser, contract, asked)


def _evaluator(contract: Contract) -> str:
    """The frozen evaluator, as seen from where the hook runs; empty when there is none."""
    found = (frozen.path for frozen in contract.freeze if Path(frozen.path).name == "evaluate.py")
    return next((os.path.relpath(path, contract.directory) for path in found), "")


def _environment(place: Place, contract: Contract, asked: Run, run_dir: Path) -> Mapping[str, str]:
    """The hook's environment: the caller's, less what git sets for its own children, and the contract."""
    inherited = {key: value for key, value in os.environ.items() if key not in LOCAL_VARIABLES}
    return inherited | {
        "TIME_BUDGET": f"{contract.budget:.10g}",
        "RANDOM_SEED": str(asked.seed),
        "METRIC": contract.metric,
        "GITEXP_TEST": "1" if asked.test else "",
        "EXPERIMENT_ID": asked.iteration,
        MARK: asked.mark,
        "EXPERIMENT_NAME": place.name,
        "RESULTS_TSV": str(run_dir / RESULTS),
        "GITEXP_METRICS": str(run_dir / "metrics.json"),
        "GITEXP_RUN_DIR": str(run_dir),
        "GITEXP_SCRIPT": os.path.relpath(contract.script, contract.directory),
        "GITEXP_EVALUATE": _evaluator(contract),
        "GITEXP_OWN_PYTHON": sys.executable,
        "PYTHONUNBUFFERED": "1",  # progress as it happens
        # Bytecode is matched to its source by second and size: an edit within the second would run the old code.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _check_usable(execution: Execution, log: Path) -> None:
    less = f"less {quote(str(log))}"
    last = one_line(execution.tail[-1], 200) if execution.tail else "it printed nothing"
    if execution.exit_code == SKIPPED:
        raise GitexpError(f"The hook asked to skip this candidate (exit 125: {last}). The edit stays.", less)
    if execution.exit_code in CANNOT_RUN:
        raise GitexpError(f"The hook cannot run (exit {execution.exit_code}: {last}). The edit stays.", less)


def _measurement(
    execution: Execution, metrics: Metrics, parser: SummaryParser, contract: Contract, asked: Run
) -> Measurement:
    score = metrics.get(contract.metric)
    reason = _crash_reason(execution, score, parser, contract)
    if reason:
        score = None
    others = tuple((name, value) for name, value in metrics.items() if name != contract.metric and math.isfinite(value))
    memory = memory_mb(dict(others))
    return Measurement(
        samples=(Sample(asked.iteration, asked.seed, execution.seconds, score),),
        score=score,
        metrics=tuple((name, value) for name, value in others if name not in MEMORY_KEYS),
        test=test_score(dict(others), contract.metric),
        memory_mb=memory,
        device=one_line(parser.device or f"{platform.system()} {platform.machine()}", 100),
        data=one_line(parser.data, 200),
        reason=reason,
        error=_error(execution, reason, contract) if reason else "",
    )


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
    if score is None:
        printed = f"; it printed {', '.join(sorted(parser.seen)[:8])}" if parser.seen else ""
        return f"no score: {contract.metric} was not printed{printed}"
    return "" if math.isfinite(score) else f"no score: {contract.metric} is {score}"


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


class _Appended:
    """The rows a run leaves: in the scratch table it was given, or appended to the results.tsv it found."""

    def __init__(self, found: Path, scratch: Path) -> None:
        self._found = found
        self._scratch = scratch
        self._before = found.read_bytes() if found.is_file() else b""

    def written(self) -> bytes:
        """What was written to the scratch table."""
        return self._scratch.read_bytes() if self._scratch.is_file() else b""

    def rows(self) -> bytes:
        """What was written to the scratch table, or else appended to the one that was found, below its first line."""
        if written := self.written():
            return written
        after = self._found.read_bytes() if self._found.is_file() else b""
        header = self._before.partition(b"\n")[0]
        if after == self._before or not after.startswith(self._before):
            return b""
        return header + b"\n" + after[len(self._before) :]
