"""A person works in the repository in which a loop runs: neither keeps the other from anything."""

from __future__ import annotations

import random
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_loop
from tests.helpers.repositories import git, make_repository

pytestmark = pytest.mark.slow

ROUNDS = 60
PATIENCE = 10  # seconds in which a person types a command of git's again, which met the loop's
BASE = "SCORE = 2.0\n"
HOOK = "score=$(sed -n 's/^SCORE = //p' train.py)\n[ $score != crash ] && echo val_bpb: $score\n"
# Each third iteration is better than all before it, one in ten crashes, and the others are worse.
PROPOSER = """\
n=${EXPERIMENT_ID#exp}
score=3.$n
[ $((1$n % 3)) = 0 ] && score=1.$((999 - (1$n - 1000)))
[ $((1$n % 10)) = 5 ] && score=crash
echo "# $n\nSCORE = $score" > train.py
"""


@dataclass
class Person:
    """Does a thing at a time, at random, and knows what must be there afterwards."""

    folder: Path
    gitexp: Gitexp
    chance: random.Random
    branch: str = "main"
    files: dict[str, str] = field(default_factory=dict)  # uncommitted and untracked
    commits: list[str] = field(default_factory=list)  # on main, oldest first
    steps: int = 0  # of the second experiment
    turn: int = 0

    def act(self) -> None:
        self.turn += 1
        self.chance.choice(
            [self.edit, self.edit_the_script, self.switch, self.switch, self.commit, self.step, self.step_by_hand]
        )()
        self.check()

    def git(self, *args: str) -> str:
        """As a person types it: again, where the loop was writing the same thing."""
        until = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(["git", *args], cwd=self.folder, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < until, f"git {' '.join(args)}: {done.stderr}"
            time.sleep(0.05)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        self.files[name] = text

    def edit(self) -> None:
        self.write("notes.md", f"note {self.turn}\n")
        self.write(f"scratch-{self.turn % 4}", f"scratch {self.turn}\n")

    def edit_the_script(self) -> None:
        mine = f"# mine {self.turn}\n{BASE}"
        script = self.folder / "train.py"
        script.write_text(mine)
        time.sleep(self.chance.uniform(0, 0.3))
        assert script.read_text() == mine
        self.git("restore", "train.py")

    def switch(self, branch: str = "") -> None:
        self.branch = branch or self.chance.choice(["main", "exp/train", "exp/second"])
        self.git("switch", "-q", self.branch)

    def commit(self) -> None:
        self.switch("main")
        (self.folder / "paper.md").write_text(f"page {self.turn}\n")
        self.git("commit", "-qm", f"page {self.turn}", "paper.md")
        self.commits.append(self.git("rev-parse", "main").strip())

    def step(self) -> None:
        script = f"echo '# {self.turn}' >> train.py"
        self._step("--", "sh", "-c", script)

    def step_by_hand(self) -> None:
        if (
            self.branch == "exp/train"
        ):  # git reads HEAD before the files it stashes: a KEEP between would be stashed, too
            self.switch("main")
        self.git("stash", "-q")
        self.switch("exp/second")
        with (self.folder / "train.py").open("a") as script:
            script.write(f"# {self.turn}\n")
        self._step()
        if "notes.md" in self.files:
            self.git("stash", "pop", "-q")

    def _step(self, *command: str) -> None:
        self.steps += 1
        done = self.gitexp("step", "-e", "second", "-m", f"turn {self.turn}", "--share-device", *command)
        assert f"exp{self.steps:03d} DISCARD" in done.stdout

    def check(self) -> None:
        assert git("symbolic-ref", "--short", "HEAD", cwd=self.folder).strip() == self.branch
        for name, text in self.files.items():
            assert (self.folder / name).read_text() == text
        if self.branch != "exp/train":  # which moves
            self.check_status()

    def check_status(self) -> None:
        expected = {f"{' M' if name == 'notes.md' else '??'} {name}" for name in self.files}
        assert set(git("status", "--porcelain", cwd=self.folder).splitlines()) == expected


@pytest.fixture
def project(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two experiments, and a main branch."""
    folder = make_repository(tmp_path / "project", {"train.py": BASE, "notes.md": "", "paper.md": ""})
    monkeypatch.chdir(folder)
    hook_that(folder, HOOK)
    for name in ("train", "second"):
        gitexp("init", "--name", name, "--rule", "single", "--budget", "5")
        git("switch", "-q", "main")
    return folder


def test_a_loop_of_sixty_rounds(project: Path, gitexp: Gitexp, request: pytest.FixtureRequest) -> None:
    start = git("rev-parse", "main").strip()
    person = Person(project, gitexp, random.Random(11))
    loop = start_loop(project, "-e", "train", "--steps", str(ROUNDS), "--", "sh", "-c", PROPOSER)
    request.addfinalizer(loop.kill)
    while loop.poll() is None:
        person.act()
        time.sleep(person.chance.uniform(0, 0.1))
    _, said = loop.communicate()
    assert loop.returncode == 0, said
    assert "was not tried" not in said
    assert person.turn > ROUNDS / 5
    for branch in ("exp/train", "exp/second"):
        person.switch(branch)
        person.check()
        person.check_status()
        gitexp("render")  # the views on disk are those of the branch that was checked out before
        gitexp("fsck")
    git("fsck", "--strict")
    assert git("stash", "list") == ""
    assert git("rev-list", "--reverse", f"{start}..main").split() == person.commits
    assert len(ledger_of(project, "train").iterations) == 1 + ROUNDS
    assert len(ledger_of(project, "second").iterations) == 1 + person.steps
    assert git("for-each-ref", "refs/gitexp") == ""
