"""DISCARDs in one process, as a sweep takes them; prints the seconds of each: python -m tests.bench.steps FOLDER N."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from gitexp.git import Repository
from gitexp.proposal import Proposal
from gitexp.step import step


class Silent:
    def say(self, sentence: str) -> None: ...
    def run_starts(self, identity: str, budget: float) -> None: ...
    def run_prints(self, line: str) -> None: ...
    def run_goes_on(self) -> None: ...
    def run_ends(self, completed: bool) -> None: ...


def main(folder: str, count: int) -> float:
    os.chdir(folder)
    repo, observer = Repository.discover(Path.cwd()), Silent()
    times = []
    for number in range(count + 1):
        Path("train.py").write_text(f"LR = {time.time_ns()}\n")
        started = time.perf_counter()
        step(repo, "train", Proposal(f"idea {number}"), observer)
        times.append(time.perf_counter() - started)
    return sum(times[1:]) / count  # the first one fills caches


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
