"""The commands that the storm gives: how the work tree is prepared for each, its words, and how it may end."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.sandbox import Sandbox, git

Words = tuple[str, ...]
DONE = frozenset({0})
OPEN = 4  # the exit code where the circuit breaker is open


@dataclass(frozen=True)
class Operation:
    """A command of gitexp. ``words`` prepares the work tree for it, and gives what is typed after ``gitexp``."""

    name: str
    weight: int  # how often it is chosen
    words: Callable[[Sandbox, random.Random], Words]
    codes: frozenset[int] = DONE  # the exit codes where nothing disturbs it; besides OPEN
    usual: float = 0.2  # seconds that it takes; from the first one on the storm measures that
    asks_files: bool = False  # a proposer edits meanwhile: then a person does not edit the same file


def choose(sandbox: Sandbox, chance: random.Random) -> Operation:
    """An operation that can be tried now: the first experiment must be begun, others need not."""
    if not sandbox.experiment:
        return INIT
    return chance.choices(OPERATIONS, [operation.weight for operation in OPERATIONS])[0]


def _init(sandbox: Sandbox, chance: random.Random) -> Words:
    name = "train"
    if sandbox.experiment:
        sandbox.experiments += 1
        name = f"also{sandbox.experiments}"
        if chance.random() < 0.5:
            sandbox.drop()
    editable = [word for path in sandbox.editable for word in ("--edit", path)]
    goal = ("--goal", "as low as can be", "--next", "an idea")
    where = ("--in-place",) if sandbox.in_place else ()
    return ("init", "--name", name, "--budget", "5", "--rule", sandbox.rule, *where, *editable, *goal)


def _step(sandbox: Sandbox, chance: random.Random) -> Words:
    if chance.random() < 0.2:
        sandbox.drop()
        # In a clean tree such an edit is nobody's until the step has taken it: the command can make it again.
        made = "$SOAK_MADE" if sandbox.in_place else "/dev/null"
        return ("step", "-m", "by a command", "--", "sh", "-c", f"SOAK_MADE={made} exec {sandbox.proposer}")
    if chance.random() < 0.8 or not sandbox.marks_in_files() - sandbox.sealed:
        sandbox.edit()  # else the edit that was handed back is tried once more
    more = chance.choice([(), (), ("--json",), ("--exit-code",), ("--note", "text\nof two lines")])
    return ("step", "-m", f"step {sandbox.next_number()}", *more)


def _loop(sandbox: Sandbox, chance: random.Random) -> Words:
    if chance.random() < 0.6:  # else it meets what the last command left
        sandbox.drop()
    return ("loop", "--steps", str(chance.randint(1, 3)), "--", str(sandbox.proposer))


def _sweep(sandbox: Sandbox, chance: random.Random) -> Words:
    if chance.random() < 0.6:
        sandbox.drop()
    values = ",".join(f"0.{chance.randrange(10**6)}1" for _ in range(2))
    return ("sweep", f"LR={values}", "--steps", "2", *chance.choice([(), ("--search", "grid")]))


def _test(sandbox: Sandbox, chance: random.Random) -> Words:
    sandbox.drop()
    earlier = git(sandbox.top, "log", "--format=%s", "--grep=^Exp-Status: KEEP").splitlines()
    return ("test", *chance.choice([(), (earlier[-1].split()[0],)]))


def _pick(sandbox: Sandbox, chance: random.Random) -> Words:
    onto = f"results-{sandbox.experiment}"
    return ("pick", "--onto", onto, *chance.choice([(), (), ("--measure",)]))


def _plain(*choices: Words) -> Callable[[Sandbox, random.Random], Words]:
    return lambda sandbox, chance: chance.choice(choices)


def _render(sandbox: Sandbox, chance: random.Random) -> Words:
    if chance.random() < 0.3:
        (sandbox.cwd / "results.tsv").unlink(missing_ok=True)
    return ("render", *chance.choice([(), ("--full",), ("-o", str(sandbox.folder / "views"))]))


INIT = Operation("init", 2, _init, frozenset({0, 1}))
RESET = Operation("breaker reset", 0, _plain(("breaker", "reset", "--why", "a storm")))
RECOVER = Operation("recover", 2, _plain(("recover",)))
OPERATIONS = (
    INIT,
    Operation("step", 30, _step, frozenset({0, 1, 10, 11})),
    Operation("loop", 12, _loop, frozenset({0, 1}), asks_files=True),
    Operation("sweep", 8, _sweep, frozenset({0, 1})),
    Operation("pick", 6, _pick, frozenset({0, 1})),
    Operation("pr", 6, _plain(("pr",), ("pr", "--push", "origin")), frozenset({0, 1})),
    Operation("render", 5, _render),
    Operation("test", 5, _test),
    Operation("verify", 5, _plain(("verify", "--sample", "1"), ("verify", "--sample", "1", "--json"))),
    Operation("logs push", 4, _plain(("logs", "push"))),
    Operation("logs fetch", 2, _plain(("logs", "fetch")), frozenset({0, 1})),
    Operation("report", 2, _plain(("report",))),
    Operation("report --watch", 3, _plain(("report", "--watch")), usual=1.5),
    Operation("log, status", 3, _plain(("log",), ("status",), ("brief",), ("best",))),
    Operation("fsck", 2, _plain(("fsck",)), frozenset({0, 1})),
    Operation("abort", 2, _plain(("abort",))),
    RECOVER,
)
