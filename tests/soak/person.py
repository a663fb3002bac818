"""What a person does beside a command: commit, save, stash, collect garbage, switch branches."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.soak.sandbox import STAYS, Sandbox, git


@dataclass
class Person:
    """One thing at a time: git is started, and what it did is noted when it has ended."""

    sandbox: Sandbox
    chance: random.Random
    moves_files: bool = False  # whether they changed index, HEAD or editable files beside the last command
    has_acted: bool = False
    process: subprocess.Popen[bytes] | None = None
    then: Callable[[], None] = field(default=lambda: None)

    def act(self, action: str) -> None:
        self.has_acted = True
        self.moves_files = self.moves_files or action in ("stash", "stage", "save editable", "switch", "pop")
        {
            "commit": self._commit,
            "save": self._save,
            "save tracked": self._save_tracked,
            "save editable": self.sandbox.save_in_editable,
            "stash": self._stash,
            "stash one": self._stash_one,
            "pop": self._pop,
            "stage": lambda: self._git("add", "--", f":/{self.sandbox.script}"),
            "switch": self._switch,
            "collect": self._collect,
            "look": lambda: self._git(*self.chance.choice([("status",), ("diff",), ("log", "--all")])),
        }[action]()

    def is_busy(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait(self) -> None:
        """Wait for git; note what it did."""
        if self.process:
            self.process.wait()
            if self.process.returncode == 0:
                self.then()
        self.process, self.then = None, lambda: None

    def _git(self, *args: str, then: Callable[[], None] = lambda: None, beside: bool = False) -> None:
        folder = self.sandbox.beside if beside else self.sandbox.top
        self.then = then
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(["git", *args], cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)

    def _commit(self) -> None:
        box, number = self.sandbox, self.sandbox.next_number()
        (box.beside / f"notes{number}.txt").write_text(f"note {number}\n")
        git(box.beside, "add", "-A")

        def note() -> None:
            box.main = git(box.beside, "rev-parse", "HEAD")

        self._git("commit", "-qm", f"note {number}", then=note, beside=True)

    def _save(self) -> None:
        number = self.sandbox.next_number()
        name = f"scratch{number % 5}.txt"
        self.sandbox.untracked[name] = f"{number}\n"
        (self.sandbox.top / name).write_text(f"{number}\n")

    def _save_tracked(self) -> None:
        box = self.sandbox
        mark = f"edit:o{box.next_number()}."
        box.dropped |= {box.other.strip()}
        box.edits.add(mark)
        box.other = f"{mark}\n"
        (box.top / "other.txt").write_text(box.other)

    def _stash(self) -> None:
        self._git("stash", "push", "-q", then=self._note_stash)

    def _stash_one(self) -> None:
        self._git("stash", "push", "-q", "--", "other.txt", then=self._note_stash)

    def _note_stash(self) -> None:
        newest = git(self.sandbox.top, "rev-parse", "-q", "--verify", "refs/stash", check=False)
        if newest and newest not in self.sandbox.stashes:
            self.sandbox.stashes.insert(0, newest)
            self.sandbox.other = STAYS

    def _pop(self) -> None:
        """Take the newest stash back, where it is of other.txt alone and that holds nothing else."""
        box = self.sandbox
        if not box.stashes or box.other != STAYS:
            return
        held = git(box.top, "diff", "--name-only", f"{box.stashes[0]}^", box.stashes[0])
        if held != "other.txt":
            return
        text = git(box.top, "show", f"{box.stashes[0]}:other.txt")

        def note() -> None:
            box.stashes.pop(0)
            box.other = f"{text}\n"

        self._git("stash", "pop", "-q", then=note)

    def _switch(self) -> None:
        box = self.sandbox
        name = f"side{box.next_number()}"

        def note() -> None:
            box.head = f"refs/heads/{name}"

        self._git("switch", "-q", "-c", name, then=note)

    def _collect(self) -> None:
        ways = [("gc", "-q", "--prune=now"), ("repack", "-adq"), ("prune", "--expire=now"), ("pack-refs", "--all")]
        self._git(*self.chance.choice(ways))


ACTIONS = {
    "commit": 4,
    "save": 3,
    "save tracked": 2,
    "save editable": 2,
    "stash": 1,
    "stash one": 2,
    "pop": 2,
    "stage": 1,
    "switch": 2,
    "collect": 5,
    "look": 3,
}


def choose(chance: random.Random, asks_files: bool) -> str:
    """What a person does; a file that a proposer edits at the same time they leave alone."""
    actions = {action: weight for action, weight in ACTIONS.items() if not (asks_files and action == "save editable")}
    return chance.choices(list(actions), list(actions.values()))[0]


def tidy(sandbox: Sandbox) -> None:
    """What a person does before the next step: the index and other.txt as in HEAD again."""
    top = sandbox.top
    git(top, "reset", "-q")
    if sandbox.other != STAYS:
        sandbox.dropped |= {sandbox.other.strip()}
        git(top, "restore", "--", "other.txt")
        sandbox.other = STAYS


def go_back(sandbox: Sandbox) -> None:
    """Check out what was before ``git switch``; edits come along, or are given up where git refuses that."""
    where = [sandbox.last_experiment] if sandbox.last_experiment else ["--detach", "main"]
    git(sandbox.top, "switch", "-q", *where, check=False)
    if "/side" in _head(sandbox):
        sandbox.dropped |= sandbox.marks_in_files() - sandbox.sealed
        git(sandbox.top, "switch", "-q", "--discard-changes", *where)
    sandbox.head = _head(sandbox)


def _head(sandbox: Sandbox) -> str:
    return git(sandbox.top, "symbolic-ref", "-q", "HEAD", check=False)
