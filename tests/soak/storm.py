"""The storm: one command after another, struck at random moments, its recovery too; then the judge."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak import branch, kills, operations, person
from tests.soak.command_line import Running, start
from tests.soak.judge import FindingError, check, judge
from tests.soak.operations import RECOVER, RESET, Operation
from tests.soak.person import Person
from tests.soak.sandbox import Sandbox, git

RENEWED = 60  # operations after which a new repository is made: long histories are slow
DEEPEST = 4  # recoveries of one command that are struck
BUG, INTERRUPTED = 3, 130


@dataclass
class Storm:
    """All that a seed decides, and the tally."""

    seed: int
    repository: int = 0  # which one this is
    operation: int = 0  # in it
    done: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)  # by operation
    kills: Counter[str] = field(default_factory=Counter)  # by kind, of a command
    again: Counter[str] = field(default_factory=Counter)  # by kind, of the recovery after it
    interrupts: Counter[str] = field(default_factory=Counter)
    acted: Counter[str] = field(default_factory=Counter)  # by what a person did
    usual: dict[str, float] = field(default_factory=dict)
    chance: random.Random = field(default_factory=random.Random)
    doing: str = ""
    begins: bool = False  # whether this operation begins an experiment

    @property
    def killed(self) -> int:
        return sum(self.kills.values()) + sum(self.again.values())

    def repositories(self, kills_wanted: int) -> None:
        """Storm until there were so many kills. A finding leaves its repository where it is."""
        while self.killed < kills_wanted:
            folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="gitexp-soak-")))
            self.repository, self.operation = self.repository + 1, 0
            os.environ["HOME"] = str(folder / "home")
            try:
                self._reseed()
                sandbox = Sandbox.make(folder, self.chance)
                while self.operation < RENEWED and self.killed < kills_wanted:
                    self.operation += 1
                    self._reseed()
                    self._one(sandbox)
                self.doing = "the views at the end"
                self._check_views(sandbox)
            except (FindingError, AssertionError) as finding:
                raise FindingError(
                    f"seed {self.seed}, repository {self.repository}, operation {self.operation} ({self.doing}), "
                    f"in {folder}:\n{finding}"
                ) from finding
            shutil.rmtree(folder)
            print(f"repository {self.repository}: {self.killed} kills so far", file=sys.stderr, flush=True)

    def _reseed(self) -> None:
        """Each operation has a seed of its own: timing does not shift the choices of later ones."""
        self.chance = random.Random(f"{self.seed}/{self.repository}/{self.operation}")

    def _one(self, sandbox: Sandbox) -> None:
        """One operation, from a tidy work tree to the judge."""
        sandbox.chance = self.chance
        operation = operations.choose(sandbox, self.chance)
        self.begins = operation is operations.INIT
        words = operation.words(sandbox, self.chance)
        beside = Person(sandbox, self.chance)
        running, kind = self._strike(sandbox, operation, words, beside, self.kills)
        depth = 0
        while kind and kind.is_deadly and depth < DEEPEST and self.chance.random() < 0.6:
            depth += 1
            again = self.chance.choice([RECOVER, RECOVER, operation])
            running, kind = self._strike(
                sandbox, again, words if again is operation else ("recover",), beside, self.again
            )
        if running.code == operations.OPEN:
            self._strike(sandbox, RESET, RESET.words(sandbox, self.chance), beside, self.kills)
        self._clear_up(sandbox, beside)
        judge(sandbox, person_moved=beside.moves_files, proposer_ran=operation.asks_files or "--" in words)
        person.tidy(sandbox)
        if beside.moves_files:
            sandbox.drop()
        if self.chance.random() < 0.1:
            self._check_views(sandbox)

    def _strike(
        self, sandbox: Sandbox, operation: Operation, words: tuple[str, ...], beside: Person, tally: Counter[str]
    ) -> tuple[Running, kills.Kind | None]:
        """Run a command, and strike it in most cases; how it was struck, if it was."""
        kind = kills.choose(self.chance) if self.chance.random() < 0.9 or "--watch" in words else None
        usual = self.usual.get(operation.name, operation.usual)
        after, acts = kills.moment(self.chance, usual), kills.moment(self.chance, usual)
        action = person.choose(self.chance, "--" in words) if self.chance.random() < 0.25 else ""
        self.doing = f"gitexp {' '.join(words)}; {kind.name if kind else 'unharmed'} after {after:.3f} s; {action}"
        running = start(words, sandbox.cwd, sandbox.environment(), sandbox.folder / "output")

        def act(now: float) -> None:
            nonlocal action
            if action and now >= acts:
                self.acted[action] += 1
                beside.act(action)
                action = ""

        was_struck = kills.strike(running, kind, after, act)
        beside.wait()
        self._note(sandbox, running, operation, kind if was_struck else None, tally)
        if not was_struck:
            self._check_undisturbed(running, operation, beside.has_acted)
        self._check_end(running, kind if was_struck else None)
        return running, kind if was_struck else None

    def _note(
        self, sandbox: Sandbox, running: Running, operation: Operation, kind: kills.Kind | None, tally: Counter[str]
    ) -> None:
        self.done[operation.name] += 1
        if kind:
            self.struck[operation.name] += 1
            (tally if kind.is_kill else self.interrupts)[kind.name] += 1
        elif running.seconds:
            old = self.usual.get(operation.name, running.seconds)
            self.usual[operation.name] = 0.8 * old + 0.2 * running.seconds
        head = git(sandbox.top, "symbolic-ref", "-q", "HEAD", check=False)
        if self.begins and head.startswith("refs/heads/exp/"):
            sandbox.head = head  # init, and the recovery of one, check out another branch
        sandbox.last_experiment = (
            sandbox.head.removeprefix("refs/heads/") if "/exp/" in sandbox.head else sandbox.last_experiment
        )

    def _check_end(self, running: Running, kind: kills.Kind | None) -> None:
        """No command ends by a bug, or by a signal that nobody sent it."""
        code, output = running.code, running.output
        assert code is not None
        # Python prints a traceback, and goes on, where ^C comes while it collects an object.
        shown = "Traceback" in output and not ("Exception ignored in" in output and kind and not kind.is_kill)
        died = code < 0 and not (kind and (kind.is_deadly or not kind.is_kill))
        check(code not in (BUG, 99, 120) and not shown and not died, f"exit {code}: {output}")

    def _check_undisturbed(self, running: Running, operation: Operation, acted: bool) -> None:
        if not acted and running.code not in operation.codes | {operations.OPEN}:
            output = running.output
            check("was finished first" in output or "gitexp recover" in output, f"exit {running.code}: {output}")

    def _clear_up(self, sandbox: Sandbox, beside: Person) -> None:
        """What a person does after a crash: go back to the branch, and recover. That must be enough."""
        for lock in (sandbox.folder / "origin.git").rglob("*.lock"):
            lock.unlink()  # of a git that was killed in another repository, which gitexp only reaches through git
        if "/side" not in sandbox.head and self._recover(sandbox).code == 0:
            return
        git(sandbox.top, "reset", "-q")
        if "/side" in sandbox.head:
            person.go_back(sandbox)
        running = self._recover(sandbox)
        check(running.code == 0, f"gitexp recover, exit {running.code}: {running.output}")

    def _recover(self, sandbox: Sandbox) -> Running:
        running = start(("recover",), sandbox.cwd, sandbox.environment(), sandbox.folder / "output-of-recover")
        running.wait()
        self._note(sandbox, running, RECOVER, None, self.kills)
        self._check_end(running, None)
        return running

    def _check_views(self, sandbox: Sandbox) -> None:
        """What ``gitexp render`` writes is what the trailers say."""
        if not sandbox.experiment:
            return
        running = start(("render",), sandbox.cwd, sandbox.environment(), sandbox.folder / "output")
        running.wait()
        check(running.code == 0, f"gitexp render, exit {running.code}: {running.output}")
        sealed = branch.table(sandbox.top, "HEAD")
        shown = branch.rows((sandbox.cwd / "results.tsv").read_text())
        check(sealed == shown, f"results.tsv: {sorted(set(shown) ^ set(sealed))}")
