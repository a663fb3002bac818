"""Run the post-run hook on the tree that lies in the work tree, and read what it measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.files import write_file
from gitexp.git.objects import Entry, file_entry
from gitexp.git.repository import Repository
from gitexp.git.worktree import changed_frozen
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import RESULTS, Contract, Measurement, Sample
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.curve import Pruner, Recorder, Tenths, read, to_json_lines
from gitexp.run.interference import InterferenceMonitor, is_loaded, keep_awake, speed
from gitexp.run.interpret import check_usable, measurement, stretched
from gitexp.run.leader import Process, write_leader
from gitexp.run.processes import MARK, Strays, start_time
from gitexp.run.runner import NotStarted, run
from gitexp.run.score import SummaryParser


@dataclass(frozen=True, slots=True)
class Run:
    """One replicate that is to be made of the tree in the work tree."""

    iteration: str  # whose tree it is
    seed: int
    mark: str  # the step it is made for
    label: str  # what its log is called
    files: Mapping[str, Entry | None]  # what the work tree must hold, by path
    test: bool = False  # whether the held-out split is to be scored too
    pruner: Pruner | None = None  # may end it early

    @property
    def title(self) -> str:
        """What it is called on the screen."""
        return self.iteration if self.label == self.iteration else f"{self.iteration}, seed {self.seed}"


CURVE = "curve.jsonl"
END = 1024  # bytes at the end of a table by which it is known again: a long one is not read for each run
EVALUATE = "--- evaluate"  # the hook's line between the training and the frozen evaluator


def measure(
    repo: Repository,
    place: ExperimentFiles,
    contract: Contract,
    asked: Run,
    observer: Observer,
    usual: float | None = None,
) -> Measurement:
    """One replicate of what lies in the work tree. ``usual`` is the incumbent's speed, if it is known.

    A run that did something to frozen files or the hook is a crash.

    A run that was spoiled from outside is no verdict: it is made again, at most as often as the contract allows.
    Raises when it is spoiled each time, when the work tree does not hold the run's files any more, when the hook cannot
    run, or when it asks for this candidate to be skipped: then there is nothing to record.
    """
    spoiled: list[str] = []
    before: float | None = None
    while True:
        _check_held(repo, asked.files)
        watch = InterferenceMonitor()
        measured = _replicate(repo, place, contract, asked, observer, watch)
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


def _check_held(repo: Repository, files: Mapping[str, Entry | None]) -> None:
    """What is about to be run is what will be sealed: somebody may have saved a file since."""
    if changed := [path for path, entry in files.items() if file_entry(repo, path, entry) != entry]:
        raise GitexpError(
            f"{', '.join(changed)} was changed before it could be run again; nothing was recorded.", "git diff"
        )


def _replicate(
    repo: Repository,
    place: ExperimentFiles,
    contract: Contract,
    asked: Run,
    observer: Observer,
    watch: InterferenceMonitor,
) -> Measurement:
    path = hooks.find(repo)
    run_dir = place.fresh_run_dir()
    cwd = repo.top / contract.directory
    if not cwd.is_dir():
        raise GitexpError(f"The folder {cwd} is gone: the hook runs there.", "git status")
    table = _Appended(cwd / RESULTS, run_dir / RESULTS)
    attending = RunMonitor(repo, place, contract, observer, watch, asked.pruner)
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
            on_line=attending.line,
            on_start=attending.start,
            on_tick=attending.tick,
        )
        completed = True
    except _PrunedError as pruned:
        return _pruned(asked, str(pruned), attending)
    except NotStarted as error:
        raise GitexpError(f"The post-run hook {path} cannot be run: {error}.", f"head -1 {quote(str(path))}") from None
    finally:
        observer.run_ends(completed)
    _keep_curve(place, asked, attending.recorder, run_dir / CURVE)
    check_usable(execution, log)
    metrics = attending.parser.result(
        run_dir / "metrics.json", table.written() if _evaluator(contract) else table.rows()
    )
    measured = measurement(execution, metrics, attending.parser, contract, asked.iteration, asked.seed)
    measured = replace(measured, curve=tuple(attending.tenths.means))
    if found := attending.tampered or _tampered(repo, contract) or stretched(metrics, execution.seconds):
        sample = replace(measured.samples[0], score=None)
        return replace(measured, samples=(sample,), score=None, reason=found, error=found)
    return measured


class _PrunedError(Exception):
    """The run is not worth its end."""


def _pruned(asked: Run, why: str, attending: RunMonitor) -> Measurement:
    curve = attending.recorder.curve()
    sample = Sample(asked.iteration, asked.seed, (curve[-1].seconds if curve else None) or 0.0, None)
    return Measurement((sample,), reason=why, pruned=why, curve=tuple(attending.tenths.means))


def _keep_curve(place: ExperimentFiles, asked: Run, recorder: Recorder, written: Path) -> None:
    """The curve that the run wrote itself, or else that of its lines. Without one nothing is lost but a picture."""
    with suppress(OSError):
        place.curve_file(asked.label).unlink(missing_ok=True)  # of a run that was spoiled or interrupted
        if curve := read(written) or recorder.curve():
            write_file(place.curve_file(asked.label), to_json_lines(curve).encode())


class RunMonitor:
    """What is done while a run goes on: read it, watch it, and stand between its training and the evaluator."""

    def __init__(
        self,
        repo: Repository,
        place: ExperimentFiles,
        contract: Contract,
        observer: Observer,
        watch: InterferenceMonitor,
        pruner: Pruner | None,
    ) -> None:
        self._repo, self._place, self._contract = repo, place, contract
        self._observer, self._watch, self._pruner = observer, watch, pruner
        self._evaluator = _evaluator(contract)
        self.parser = SummaryParser(contract.metric)
        self.recorder = Recorder()
        self.tenths = Tenths(contract.budget)
        self.tampered = ""  # what the training did that it must not

    def start(self, pid: int, leavings: Strays) -> None:
        self._pid, self._leavings = pid, leavings
        write_leader(self._place, Process(pid, start_time(pid)))
        self._watch.start(pid)
        keep_awake(pid)

    def tick(self) -> None:
        self._watch.tick()
        self._observer.run_goes_on()

    def line(self, line: str) -> None:
        if self._evaluator and line == EVALUATE:
            self.parser.forget()
            self._hand_over()
        self.parser.feed(line)
        self._observer.run_prints(line)
        point = self.recorder.take(line)
        ended = self.tenths.take(point) if point else None
        if ended and self._pruner and (why := self._pruner(*ended)):
            raise _PrunedError(why)

    def _hand_over(self) -> None:
        """The hook waits: end what the training left running, look at the frozen files, and let it go on."""
        self._leavings.end_all_but(self._pid)
        self.tampered = self.tampered or _tampered(self._repo, self._contract)
        (self._place.run_dir / "go").touch()


def _tampered(repo: Repository, contract: Contract) -> str:
    """What the run, or somebody during it, did to the measurement; empty when it can be trusted."""
    if path := changed_frozen(repo, contract):
        return f"{path} is frozen, and was changed during the run"
    hooked = repo.hook_path(hooks.NAME)
    if not hooked.is_file() or hooks.blob(repo, hooked) != contract.hook:
        return "the post-run hook was changed during the run"
    return ""


def _evaluator(contract: Contract) -> str:
    """The frozen evaluator, as seen from where the hook runs; empty when there is none."""
    found = (frozen.path for frozen in contract.freeze if Path(frozen.path).name == "evaluate.py")
    return next((os.path.relpath(path, contract.directory) for path in found), "")


def _environment(place: ExperimentFiles, contract: Contract, asked: Run, run_dir: Path) -> Mapping[str, str]:
    """The post-run hook's environment."""
    return hooks.environment(contract, place.name, asked.iteration) | {
        "RANDOM_SEED": str(asked.seed),
        "GITEXP_TEST": "1" if asked.test else "",
        MARK: asked.mark,
        "RESULTS_TSV": str(run_dir / RESULTS),
        "GITEXP_METRICS": str(run_dir / "metrics.json"),
        "GITEXP_CURVE": str(run_dir / CURVE),
        "GITEXP_RUN_DIR": str(run_dir),
        "GITEXP_EVALUATE": _evaluator(contract),
        "PYTHONUNBUFFERED": "1",  # progress as it happens
        # Bytecode is matched to its source by second and size: an edit within the second would run the old code.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class _Appended:
    """The rows a run leaves: in the scratch table it was given, or appended to the results.tsv it found."""

    def __init__(self, found: Path, scratch: Path) -> None:
        self._found = found
        self._scratch = scratch
        self._size, self._header, self._end = 0, b"", b""
        if found.is_file():
            with found.open("rb") as file:
                self._header = file.readline()
                self._size = os.fstat(file.fileno()).st_size
                file.seek(max(0, self._size - END))
                self._end = file.read(END)

    def written(self) -> bytes:
        """What was written to the scratch table."""
        return self._scratch.read_bytes() if self._scratch.is_file() else b""

    def rows(self) -> bytes:
        """What was written to the scratch table, or else appended to the one that was found, below its first line."""
        if written := self.written():
            return written
        if not self._found.is_file() or self._found.stat().st_size <= self._size:
            return b""
        with self._found.open("rb") as file:
            same = file.readline().startswith(self._header)
            file.seek(self._size - len(self._end))
            same = same and file.read(len(self._end)) == self._end
            return self._header.rstrip(b"\n") + b"\n" + file.read() if same else b""
