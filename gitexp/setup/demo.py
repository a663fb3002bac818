"""A small real experiment, start to end: the MLX template, its baseline, and four scripted iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git.repository import Repository
from gitexp.iteration.baseline import begin
from gitexp.iteration.finalize import StepResult
from gitexp.iteration.plan import Plan
from gitexp.iteration.proposal import Proposal
from gitexp.iteration.step import step
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Notes, score_text
from gitexp.observer import Observer
from gitexp.setup.templates import MLX

BUDGET = 8.0  # seconds of training in each run
NAME = "demo"


@dataclass(frozen=True, slots=True)
class Edit:
    """A new value for one constant of train.py, with the message and the hypothesis of its step."""

    constant: str
    value: str
    message: str
    hypothesis: str


# The experiment starts from a rate that is far too low, so that a few seconds suffice to find a better one.
HANDICAP = Edit("HEAD_LR", "0.0005", "", "")
EDITS = (
    Edit("HEAD_LR", "0.01", "head LR 0.0005 -> 0.01", "The output head learns too slowly for so short a budget."),
    Edit(
        "MATRIX_LR", "1.0", "matrix LR 0.02 -> 1.0", "Muon's updates are normalised: a much higher rate may be stable."
    ),
    Edit("HEAD_DIM", "48", "heads of 32 -> 48", "Fewer, wider heads see more at once."),
    Edit("MLP_RATIO", "3", "MLP ratio 4 -> 3", "A narrower MLP makes more steps in the same time."),
)


def make(directory: Path) -> Repository:
    """A new repository with the MLX template committed on main.

    Raises GitexpError when ``directory`` is not an empty or a new folder.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise GitexpError(f"{directory} exists and is not empty.", "gitexp demo SOME-NEW-FOLDER")
    directory.mkdir(parents=True, exist_ok=True)
    repo = Repository.create(directory, branch="main")
    if repo.lookup("var", "GIT_COMMITTER_IDENT", none=128) is None:
        repo.run("config", "user.name", "gitexp demo")
        repo.run("config", "user.email", "demo@example.org")
    for path, data in MLX.contents().items():
        write_file(directory / path, data)
    change(directory, HANDICAP)
    repo.run("add", "--", *MLX.paths)
    repo.run("commit", "--quiet", "-m", "Start from gitexp's MLX template")
    return repo


def change(directory: Path, edit: Edit) -> None:
    """Set a constant, in the line of train.py that begins with its name. Raises GitexpError where there is none."""
    file = directory / "train.py"
    lines = read_file(file).decode().splitlines(keepends=True)
    numbers = [number for number, line in enumerate(lines) if line.startswith(f"{edit.constant} = ")]
    if len(numbers) != 1:
        raise GitexpError(f"{file} has no constant {edit.constant}.", "gitexp demo SOME-NEW-FOLDER")
    _, hash_, comment = lines[numbers[0]].partition("  #")
    lines[numbers[0]] = f"{edit.constant} = {edit.value}{hash_}{comment or chr(10)}"
    write_file(file, "".join(lines).encode())


def play(repo: Repository, observer: Observer, on_outcome: Callable[[StepResult], None]) -> Ledger:
    """Run the experiment, with the code of ``init`` and ``step``; ``on_outcome`` is given the result of each step."""
    notes = Notes(
        goal="The lowest validation bits per byte within the budget.",
        hypothesis="The learning rate is too low to get anywhere in this budget.",
        constraints=("One constant at a time.",),
        next=tuple(edit.message for edit in EDITS),
    )
    plan = Plan(repo.top, script=MLX.script, name=NAME, budget=BUDGET, freeze=MLX.frozen, notes=notes)
    baseline = begin(repo, plan, observer).baseline
    observer.say(f"{baseline.id} {score_text(baseline.score)}: baseline")
    for at, edit in enumerate(EDITS):
        change(repo.top, edit)
        ideas = tuple(later.message for later in EDITS[at + 1 :])
        on_outcome(step(repo, NAME, Proposal(edit.message, Notes(hypothesis=edit.hypothesis, next=ideas)), observer))
    return history.load(repo, NAME)
