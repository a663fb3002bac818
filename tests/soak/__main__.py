"""Take steps, kill some of them at a random moment, recover, and count what was lost.

Each proposed edit must end as exactly one sealed iteration, the branch's history may only grow, and nothing may stay
behind. What is looked at is looked at with plain git.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HOOK = """#!/bin/sh
sleep 0.0$((RANDOM_MS % 10))
score=$(sed -n 's/^SCORE = //p' train.py)
[ "$score" = crash ] && { echo "ValueError: crash"; exit 1; }
echo "val_bpb: $score"
"""
TRIP = 3
WAYS = ("gitexp", "gitexp and its group", "gitexp and its guard", "interrupt")


@dataclass
class Soak:
    folder: Path
    chance: random.Random
    took: float = 1.0  # seconds a step takes: what the moments of the kills are drawn from
    kills: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    crashes: int = 0  # in a row
    best: float = 1000.0
    tip: str = ""

    def git(self, *args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def gitexp(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gitexp", *args]
        return subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True)

    def begin(self) -> None:
        self.git("init", "-q")
        (self.folder / "train.py").write_text(f"SCORE = {self.best}\n")
        (self.folder / "other.txt").write_text("not gitexp's\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "start")
        hook = self.folder / ".git" / "hooks" / "post-run"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)
        started = time.monotonic()
        done = self.gitexp("init", "--budget", "5", "--rule", "single")
        assert done.returncode == 0, done.stderr
        self.took = time.monotonic() - started
        self.tip = self.git("rev-parse", "HEAD")

    def propose(self) -> str:
        """Make an edit that no other step made; its score."""
        kind = self.chance.choice(["better", "worse", "crash"])
        self.crashes = self.crashes + 1 if kind == "crash" else 0
        if self.crashes == TRIP:  # a third would open the circuit breaker
            kind, self.crashes = "worse", 0
        self.best -= kind == "better"
        score = {"better": str(self.best), "worse": str(self.best + 1000), "crash": "crash"}[kind]
        (self.folder / "train.py").write_text(f"SCORE = {score}\n# step {self.steps}\n")
        return score

    def step(self) -> None:
        """One edit, tried until it is sealed."""
        self.propose()
        text = (self.folder / "train.py").read_text()
        blob = self.git("hash-object", "train.py")
        os.environ["RANDOM_MS"] = str(self.chance.randrange(10))
        while not self._is_sealed(blob):
            assert (self.folder / "train.py").read_text() == text, "the edit is lost"
            if self.chance.random() < 0.6:
                self._killed_step()
                if self.chance.random() < 0.5:
                    self._recover()
            else:
                started = time.monotonic()
                done = self.gitexp("step", "-m", f"step {self.steps}")
                assert done.returncode == 0 or "was finished first" in done.stderr, done.stderr
                self.took = 0.9 * self.took + 0.1 * (time.monotonic() - started)
        self.steps += 1

    def _is_sealed(self, blob: str) -> bool:
        """Whether a commit holds the edit: then exactly one does, and the branch only grew."""
        pending = self.git("for-each-ref", "refs/gitexp/pending")
        if pending:
            self._recover()
        tip = self.git("rev-parse", "exp/train")
        self.git("merge-base", "--is-ancestor", self.tip, tip)
        new = self.git("rev-list", "--reverse", f"{self.tip}..{tip}").split()
        holding = [commit for commit in new if self.git("rev-parse", f"{commit}:train.py") == blob]
        if new:
            status = self.git("log", "-1", "--format=%(trailers:key=Exp-Status,valueonly)", new[0]).strip()
            assert holding == new[:1], f"{len(holding)} of {len(new)} new commits hold the edit"
            assert len(new) == (1 if status == "KEEP" else 2), "an iteration without its revert"
            self.tip = tip
        return bool(new)

    def _killed_step(self) -> None:
        way = self.chance.choice(WAYS)
        command = [sys.executable, "-m", "gitexp", "step", "-m", f"step {self.steps}"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=self.folder, start_new_session=True, **quiet)  # type: ignore[call-overload]
        try:
            process.wait(self.chance.uniform(0.3, 1.1) * self.took)
            return  # it was faster
        except subprocess.TimeoutExpired:
            self.kills[way] += 1
        if way == "interrupt":
            process.send_signal(signal.SIGINT)
        elif way == "gitexp and its group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            guards = psutil.Process(process.pid).children() if way == "gitexp and its guard" else []
            for child in guards:
                with contextlib.suppress(psutil.Error):
                    if "gitexp" in " ".join(child.cmdline()):  # a fork of gitexp: not the run
                        child.kill()
            process.kill()
        process.wait()

    def _recover(self) -> None:
        done = self.gitexp("recover")
        assert done.returncode == 0, done.stderr
        for word in ("sealed now", "given up", "was sealed", "was still going on", "Cleared"):
            self.recovered[word] += word in done.stderr

    def check(self) -> None:
        """What must hold at the end."""
        self._recover()
        subjects = self.git("log", "--reverse", "--first-parent", "--format=%s", "exp/train").splitlines()
        ids = [subject.split()[0] for subject in subjects if subject.startswith("exp")]
        assert ids == [f"exp{number:03d}" for number in range(self.steps + 1)], "ids"
        runs = self.git("log", "--format=%(trailers:key=Exp-Run,valueonly)", "exp/train").split()
        assert len(runs) == len(set(runs)) == self.steps + 1, "a run is recorded twice"
        assert self.git("status", "--porcelain") == "", "something is left in the work tree"
        assert self.git("for-each-ref", "refs/gitexp") == "", "a ref is left"
        left = [p for p in self.folder.rglob("*") if p.name.endswith((".lock", ".part"))]
        assert not [p for p in left if not p.name.startswith("gitexp")], left  # those two locks stay, unlocked
        assert self.git("fsck", "--no-dangling") == "", "git fsck"
        done = self.gitexp("fsck")
        assert done.returncode == 0, done.stdout
        assert not [p.pid for p in psutil.process_iter() if _works_in(p, self.folder)], "a process is left"


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.pid != os.getpid() and Path(process.cwd()) == folder and process.status() != "zombie"
    except (psutil.Error, OSError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    for who in ("AUTHOR", "COMMITTER"):
        os.environ |= {f"GIT_{who}_NAME": "Soak", f"GIT_{who}_EMAIL": "soak@example.org"}
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), random.Random(asked.seed))
        soak.begin()
        try:
            while soak.steps < asked.steps:
                soak.step()
            soak.check()
        except AssertionError as error:
            print(f"seed {asked.seed}, step {soak.steps}: {error}", file=sys.stderr)
            raise
    print("kills:", ", ".join(f"{count} {way}" for way, count in soak.kills.items()))
    print("recovery:", ", ".join(f"{count} {what}" for what, count in soak.recovered.items()))
    print(f"{soak.steps} steps, {sum(soak.kills.values())} kills, 0 lost")


if __name__ == "__main__":
    main()
