"""Storm over the commands of gitexp: strike them at random moments, and judge by plain git what is left.

Each edit must be somewhere, each history may only grow, what a person does beside it must stay, and nothing may be left
behind. A finding ends the storm, and its repository stays for a look.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.helpers.environment import PERSON, UNWANTED
from tests.soak.command_line import import_all
from tests.soak.judge import FindingError
from tests.soak.storm import Storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="end after so many kills (default: 200)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    _make_hermetic()
    import_all()
    storm, began, finding = Storm(asked.seed), time.monotonic(), ""
    try:
        storm.repositories(asked.kills)
    except FindingError as error:
        finding = str(error)
    print("\n".join(_table(storm, finding)))
    print(f"seed {asked.seed}, {storm.repository} repositories, {time.monotonic() - began:.0f} s")
    if finding:
        print(f"\n{finding}", file=sys.stderr)
    return 1 if finding else 0


def _make_hermetic() -> None:
    """Nothing of the environment of whoever starts the storm."""
    for name in list(os.environ):
        if name.startswith(UNWANTED):
            del os.environ[name]
    people = {f"GIT_{who}_{what}": PERSON[what] for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    plain = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    os.environ.update(people | plain | {"GIT_TEMPLATE_DIR": "", "COLUMNS": "120", "TZ": "UTC"})


def _table(storm: Storm, finding: str) -> list[str]:
    lines = [f"{'command':28}{'run':>8}{'struck':>8}"]
    lines += [f"{name:28}{count:8}{storm.struck[name]:8}" for name, count in storm.done.most_common()]
    lines += ["", f"{'killed':28}{'in it':>8}{'in its recovery':>17}"]
    kinds = dict.fromkeys([*storm.kills, *storm.again])
    lines += [f"{name:28}{storm.kills[name]:8}{storm.again[name]:17}" for name in kinds]
    lines += ["", f"{'a person':28}{'beside':>8}", *(f"{name:28}{n:8}" for name, n in storm.acted.most_common())]
    signals = ", ".join(f"{count} {name}" for name, count in storm.interrupts.items())
    commands = sum(storm.done.values())
    return [
        *lines,
        "",
        f"{commands} commands, {storm.killed} kills, signals: {signals or 0}",
        f"findings: {int(bool(finding))}",
    ]


if __name__ == "__main__":
    sys.exit(main())
