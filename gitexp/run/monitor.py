"""What is done while a run goes on: it is read, watched, and ended early; its training is kept from its evaluator."""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import write_file
from gitexp.git.worktree import changed_frozen
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.curve import Pruner, Recorder, Tenths
from gitexp.run.frozen_data import changed_data
from gitexp.run.interference import InterferenceMonitor, keep_awake
from gitexp.run.leader import Process, write_leader
from gitexp.run.processes import Strays, start_time
from gitexp.run.run_tree import RunTree
from gitexp.run.score import SummaryParser

PROGRESS_LINES = 256  # between two ticks: a curve needs no more, and a run must not wait for its reader
EVALUATE = "--- evaluate"  # the hook's line between the training and the frozen evaluator


class PrunedError(Exception):
    """The run is not worth its end; the message says why."""


class RunMonitor:
    """What is done while a run goes on: read it, watch it, and stand between its training and the evaluator."""

    def __init__(
        self,
        where: RunTree,
        place: ExperimentFiles,
        contract: Contract,
        observer: Observer,
        watch: InterferenceMonitor,
        pruner: Pruner | None,
    ) -> None:
        self._where, self._place, self._contract = where, place, contract
        self._observer, self._watch, self._pruner = observer, watch, pruner
        self._evaluator = evaluator(contract)
        self.parser = SummaryParser(contract.metric)
        self.recorder = Recorder()
        self.tenths = Tenths(contract.budget)
        self._looked_at = 0  # lines that were read for progress since the last tick
        self.tampered = ""  # what the training did that it must not

    def start(self, pid: int, leavings: Strays) -> None:
        self._pid, self._leavings = pid, leavings
        write_leader(self._place, Process(pid, start_time(pid)))
        self._watch.start(pid)
        keep_awake(pid)

    def tick(self) -> None:
        self._looked_at = 0
        self._watch.tick()
        self._observer.run_goes_on()

    def line(self, line: str) -> None:
        if self._evaluator and line == EVALUATE:
            self.parser.forget()
            self._hand_over()
        self.parser.feed(line)
        self._observer.run_prints(line)
        if self._looked_at == PROGRESS_LINES:
            return
        self._looked_at += 1
        point = self.recorder.take(line)
        ended = self.tenths.take(point) if point else None
        if ended and self._pruner and (why := self._pruner(*ended)):
            raise PrunedError(why)

    def _hand_over(self) -> None:
        """The hook waits: end what the training left running, look at the frozen files, and let it go on."""
        self._leavings.end_all_but(self._pid)
        self.tampered = self.tampered or tampered(self._where, self._place, self._contract)
        write_file(self._place.run_dir / "go", b"")


def tampered(where: RunTree, place: ExperimentFiles, contract: Contract) -> str:
    """What the run, or somebody during it, did to the measurement; empty when it can be trusted."""
    if path := changed_frozen(where.repo, contract) or changed_data(where.data_top, place, contract):
        return f"{path} is frozen, and was changed during the run"
    try:
        if hooks.blob(where.repo, where.hook) == contract.hook:
            return ""
    except (GitexpError, OSError):
        pass
    return "the post-run hook was changed during the run"


def evaluator(contract: Contract) -> str:
    """The frozen evaluator, as seen from where the hook runs; empty when there is none."""
    found = (frozen.path for frozen in contract.freeze if Path(frozen.path).name == "evaluate.py")
    return next((os.path.relpath(path, contract.directory) for path in found), "")
