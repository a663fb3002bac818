"""DISCARDs in one process, watched as a loop's are: prints the milliseconds of each, the first one's first, as JSON.

python tests/bench/steps.py FOLDER COUNT   # as a file, so that the gitexp that is imported is the installed one
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from gitexp.git.fsmonitor import watching
from gitexp.git.repository import Repository
from gitexp.iteration.proposal import Proposal
from gitexp.iteration.step import step
from gitexp.model import Status


class Silent:
    def say(self, sentence: str) -> None: ...
    def run_starts(self, identity: str, budget: float) -> None: ...
    def run_prints(self, line: str) -> None: ...
    def run_goes_on(self) -> None: ...
    def run_ends(self, completed: bool) -> None: ...


def main(folder: str, count: int) -> list[float]:
    os.chdir(folder)
    repo, observer = Repository.discover(Path.cwd()), Silent()
    times = []
    with watching(repo):
        for number in range(count):
            Path("train.py").write_text(f"LR = {time.time_ns()}\n")
            started = time.perf_counter()
            outcome = step(repo, "train", Proposal(f"idea {number}"), observer)
            times.append(1000 * (time.perf_counter() - started))
            if outcome.iteration.status is not Status.DISCARD:
                sys.exit(f"{outcome.iteration.id} is {outcome.iteration.status.value}; it was to be a DISCARD.")
    return times


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
