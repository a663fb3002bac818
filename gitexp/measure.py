"""Run the post-run hook on the tree that lies in the work tree, and read what it measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from gitexp import hook
from gitexp.errors import GitexpError
from gitexp.git import LOCAL_VARIABLES, Repository
from gitexp.model import Contract, Measurement
from gitexp.observer import Observer
from gitexp.outcome import check_usable, measurement, stretched
from gitexp.pending import Place, Process
from gitexp.processes import MARK, Leavings, start_time
from gitexp.runner import NotStarted, run
from gitexp.summary import SummaryParser
from gitexp.views import RESULTS
from gitexp.watch import Watch, is_loaded, keep_awake, speed


@dataclass(frozen=True, slots=True)
class Run:
    """One replicate that is to be made of the tree in the work tree."""

    iteration: str  # whose tree it is
    seed: int
    mark: str  # the step it is made for
    label: str  # what its log is called
    test: bool = False  # whether the held-out split is to be scored too

    @property
    def title(self) -> str:
        """What it is called on the screen."""
        return self.iteration if self.label == self.iteration else f"{self.iteration}, seed {self.seed}"


EVALUATE = "--- evaluate"  # the hook's line between the training and the frozen evaluator


def measure(
    repo: Repository,
    place: Place,
    contract: Contract,
    asked: Run,
    observer: Observer,
    check: Callable[[], None],
    tampered: Callable[[], str],
    usual: float | None = None,
) -> Measurement:
    """One replicate of what lies in the work tree. ``usual`` is the incumbent's speed, if it is known.

    ``check`` raises when the work tree does not hold what is to be run; it is called before each run. ``tampered``
    says what a run did to frozen files or hook; then it is a crash.

    A run that was spoiled from outside is no verdict: it is made again, at most as often as the contract allows.
    Raises when it is spoiled each time, when the hook cannot run, or when it asks for this candidate to be skipped:
    then there is nothing to record.
    """
    spoiled: list[str] = []
    before: float | None = None
    while True:
        check()
        watch = Watch()
        measured = _replicate(repo, place, contract, asked, observer, watch, tampered)
        now = speed(dict(measured.metrics), measured.seconds)
        trouble = watch.trouble()
        if not trouble and is_loaded(now, usual, before, others := watch.others()):
            share = 100 * (now or 0) / (usual or 1)
            trouble = f"others used {100 * others:.0f} % of the CPUs, and it ran at {share:.0f} % of the usual speed"
        before = now
        if not trouble:
            return replace(measured, spoiled=tuple(spoiled))
        spoiled.append(trouble)
        if len(spoiled) > contract.retries:
            raise GitexpError(
                f"{asked.label} was spoiled {len(spoiled)} times (at last: {trouble}): it has no verdict, and its "
                "edit stays.",
                "gitexp step -m '...'   # again, when the machine has time for it",
            )
        observer.say(f"{asked.label}: {trouble}: no verdict. Run again ({len(spoiled)} of {contract.retries}).")


def _replicate(
    repo: Repository,
    place: Place,
    contract: Contract,
    asked: Run,
    observer: Observer,
    watch: Watch,
    tampered: Callable[[], str],
) -> Measurement:
    path = hook.find(repo)
    run_dir = place.fresh_run_dir()
    parser = SummaryParser(contract.metric)
    cwd = repo.top / contract.directory
    if not cwd.is_dir():
        raise GitexpError(f"The folder {cwd} is gone: the hook runs there.", "git status")
    table = _Appended(cwd / RESULTS, run_dir / RESULTS)
    evaluator = _evaluator(contract)
    handover = _Handover(run_dir / "go", tampered)

    def on_line(line: str) -> None:
        if evaluator and line == EVALUATE:
            parser.forget()
            handover.evaluate()
        parser.feed(line)
        observer.run_prints(line)

    def on_start(pid: int, leavings: Leavings) -> None:
        place.write_leader(Process(pid, start_time(pid)))
        watch.start(pid)
        keep_awake(pid)
        handover.start(pid, leavings)

    def on_tick() -> None:
        watch.tick()
        observer.run_goes_on()

    log = place.log(asked.label)
    completed = False
    observer.run_starts(asked.title, contract.budget)
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
    check_usable(execution, log)
    metrics = parser.result(run_dir / "metrics.json", table.written() if evaluator else table.rows())
    measured = measurement(execution, metrics, parser, contract, asked.iteration, asked.seed)
    if found := handover.found or tampered() or stretched(metrics, execution.seconds):
        sample = replace(measured.samples[0], score=None)
        return replace(measured, samples=(sample,), score=None, reason=found, error=found)
    return measured


class _Handover:
    """The moment between the training and the frozen evaluator: nothing of the training may go on, or have meddled."""

    def __init__(self, go: Path, tampered: Callable[[], str]) -> None:
        self._go = go
        self._tampered = tampered
        self.found = ""  # what the training did that it must not

    def start(self, pid: int, leavings: Leavings) -> None:
        self._pid, self._leavings = pid, leavings

    def evaluate(self) -> None:
        """The hook waits: end what the training left running, look at the frozen files, and let it go on."""
        self._leavings.end_all_but(self._pid)
        self.found = self.found or self._tampered()
        self._go.touch()


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
