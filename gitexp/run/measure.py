"""Run the post-run hook on a candidate, and read what it measured."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import write_file
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import RESULTS, Contract, Measurement, Sample
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.appended_rows import AppendedRows
from gitexp.run.curve import Pruner, Recorder, read, to_json_lines
from gitexp.run.interference import STOPPED, InterferenceMonitor, is_loaded, speed
from gitexp.run.interpret import check_usable, measurement, stopped_itself
from gitexp.run.monitor import PrunedError, RunMonitor, evaluator, tampered
from gitexp.run.processes import MARK
from gitexp.run.run_tree import Content, RunTree
from gitexp.run.runner import NotStarted, run
from gitexp.shell import command


@dataclass(frozen=True, slots=True)
class Run:
    """One replicate that is to be made."""

    iteration: str  # whose tree it is
    seed: int
    mark: str  # the step it is made for
    label: str  # what its log is called
    content: Content  # what it is to find
    test: bool = False  # whether the held-out split is to be scored too
    pruner: Pruner | None = None  # may end it early

    @property
    def title(self) -> str:
        """What it is called on the screen."""
        return f"{self.iteration}, seed {self.seed}" if "." in self.label else self.iteration


CURVE = "curve.jsonl"


def measure(
    where: RunTree,
    place: ExperimentFiles,
    contract: Contract,
    asked: Run,
    observer: Observer,
    usual: float | None = None,
) -> Measurement:
    """One replicate. ``usual`` is the incumbent's speed, if it is known.

    A run that did something to frozen files or the hook is a crash.

    A run that was spoiled from outside has no verdict: it is made again, at most as often as the contract allows. One
    whose processes are stopped each time has stopped itself, and is a crash.

    Raises :class:`GitexpError`, with nothing to record, when the run is spoiled each time, when the work tree does not
    hold its files any more, when the hook cannot run, or when it asks for this candidate to be skipped.
    """
    spoiled: list[str] = []
    before: float | None = None
    while True:
        where.hold(asked.content)
        watch = InterferenceMonitor()
        measured = _replicate(where, place, contract, asked, observer, watch)
        now = speed(dict(measured.metrics), measured.seconds)
        trouble = watch.trouble() or where.trouble(observer)
        if not trouble and is_loaded(now, usual, before, others := watch.others()):
            share = 100 * (now or 0) / (usual or 1)
            trouble = f"others used {100 * others:.0f} % of the CPUs, and it ran at {share:.0f} % of the usual speed"
        before = now
        if not trouble:
            return replace(measured, spoiled=tuple(spoiled))
        spoiled.append(trouble)
        if len(spoiled) > contract.retries:
            if len(spoiled) > 1 and all(each.startswith(STOPPED) for each in spoiled):
                return stopped_itself(measured, len(spoiled))
            raise GitexpError(
                f"{asked.title} was spoiled {len(spoiled)} times (at last: {trouble}): it has no verdict, and its "
                "edit stays.",
                "gitexp step -m '...'   # again, when the machine has time for it",
            )
        observer.say(f"{asked.title}: {trouble}: no verdict. Run again ({len(spoiled)} of {contract.retries}).")


def _replicate(
    where: RunTree,
    place: ExperimentFiles,
    contract: Contract,
    asked: Run,
    observer: Observer,
    watch: InterferenceMonitor,
) -> Measurement:
    path = where.hook
    run_dir = place.fresh_run_dir()
    cwd = where.repo.top / contract.directory
    if not cwd.is_dir():
        raise GitexpError(f"The folder {cwd} is gone: the hook runs there.", "git status")
    table = AppendedRows(cwd / RESULTS, run_dir / RESULTS)
    monitor = RunMonitor(where, place, contract, observer, watch, asked.pruner)
    log = place.log(asked.label)
    completed = False
    observer.run_starts(asked.title, contract.budget)
    try:
        execution = run(
            [str(path)],
            cwd=cwd,
            env=_environment(place, contract, asked, run_dir) | where.environment(),
            timeout=contract.timeout,
            log=log,
            on_line=monitor.line,
            on_start=monitor.start,
            on_tick=monitor.tick,
        )
        completed = True
    except PrunedError as pruned:
        return _pruned(asked, str(pruned), monitor)
    except NotStarted as error:
        raise GitexpError(f"The post-run hook {path} cannot be run: {error}.", command("head", "-1", path)) from None
    finally:
        observer.run_ends(completed)
    _keep_curve(place, asked, monitor.recorder, run_dir / CURVE)
    check_usable(execution, log)
    metrics = monitor.parser.result(run_dir / "metrics.json", table.written() if evaluator(contract) else table.rows())
    violation = monitor.tampered or tampered(where, place, contract)
    measured = measurement(execution, metrics, monitor.parser, contract, asked.iteration, asked.seed, violation)
    return replace(measured, curve=tuple(monitor.tenths.means))


def _pruned(asked: Run, why: str, monitor: RunMonitor) -> Measurement:
    curve = monitor.recorder.curve()
    sample = Sample(asked.iteration, asked.seed, (curve[-1].seconds if curve else None) or 0.0, None)
    return Measurement((sample,), reason=why, pruned=why, curve=tuple(monitor.tenths.means))


def _keep_curve(place: ExperimentFiles, asked: Run, recorder: Recorder, written: Path) -> None:
    """The curve that the run wrote itself, or else that of its lines. Without one nothing is lost but a picture."""
    with suppress(OSError):
        place.curve_file(asked.label).unlink(missing_ok=True)  # of a run that was spoiled or interrupted
        if curve := read(written) or recorder.curve():
            write_file(place.curve_file(asked.label), to_json_lines(curve).encode())


def _environment(place: ExperimentFiles, contract: Contract, asked: Run, run_dir: Path) -> dict[str, str]:
    """The post-run hook's environment."""
    return hooks.environment(contract, place.name, asked.iteration) | {
        "RANDOM_SEED": str(asked.seed),
        "GITEXP_TEST": "1" if asked.test else "",
        MARK: asked.mark,
        "RESULTS_TSV": str(run_dir / RESULTS),
        "GITEXP_METRICS": str(run_dir / "metrics.json"),
        "GITEXP_CURVE": str(run_dir / CURVE),
        "GITEXP_RUN_DIR": str(run_dir),
        "GITEXP_EVALUATE": evaluator(contract),
        "PYTHONUNBUFFERED": "1",  # progress as it happens
        # Bytecode is matched to its source by second and size: an edit within the second would run the old code.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
