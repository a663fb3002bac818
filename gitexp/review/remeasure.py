"""Code of a temporary work tree, measured again under an experiment's contract."""

from __future__ import annotations

import os

from gitexp.errors import GitexpError
from gitexp.git.objects import differing_entries
from gitexp.git.repository import Repository
from gitexp.git.worktree import changed_frozen, covers, untracked_below
from gitexp.iteration.checks import check_hook, check_terms
from gitexp.iteration.replicates import check_comparable, usual_speed
from gitexp.iteration.run_trees import run_tree
from gitexp.iteration.status import pending
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import VIEWS, Contract, Measurement, Sample
from gitexp.observer import Observer
from gitexp.run.device import Busy, device_held
from gitexp.run.frozen_data import check_data
from gitexp.run.in_place import InPlace
from gitexp.run.measure import Run, measure
from gitexp.run.run_tree import Content, RunTree
from gitexp.shell import command, git_command, pathspec
from gitexp.text import short, visible, visible_list
from gitexp.verdict.rules import holds_against

RUNS = 2  # one run may be bad luck
PICK = "pick"  # the label of the runs of picked code


def remeasure(
    repo: Repository, ledger: Ledger, work: Repository, label: str, observer: Observer, busy: Busy
) -> tuple[list[Sample], Measurement]:
    """Run the code of ``work`` twice, with the contract's seed and the next one; the samples, and the last measurement.

    A crash is the last run. Files that ``repo`` does not track are linked into ``work``; ``label`` names the logs.
    Raises GitexpError where the contract cannot be kept there, and where the scores cannot be compared.
    """
    place, contract = ExperimentFiles.of(work, ledger.name), ledger.contract
    if interrupted := pending(repo, place):
        raise GitexpError(f"{place.branch}: {interrupted}.", "gitexp status")
    held = device_held(place, "pick" if label == PICK else "verify", busy, observer)
    with place.locked(work, f"run of {label}"), held:
        check_terms(work, contract)
        data_top = repo.top if repo.root else work.top  # in ``work`` there is a link at most
        check_data(data_top, place, contract)
        if contract.in_place or repo.root is None:
            check_hook(work, contract)
            _link_untracked(repo, work, contract)
            return _measure(InPlace(work, place, contract, data_top), work, place, ledger, label, observer)
        if contract.links:
            observer.say(f"Linked into the clean tree: {visible_list(contract.links)}.")
        check_hook(repo, contract)
        return _measure(run_tree(repo, place, contract), work, place, ledger, label, observer)


def check_picked(
    repo: Repository, ledger: Ledger, work: Repository, branch: str, observer: Observer, busy: Busy
) -> None:
    """Measure the picked code of ``work``, which is to become ``branch``, and compare it with the incumbent.

    Raises GitexpError where it crashes, or scores worse than the incumbent by more than the noise.
    """
    if path := changed_frozen(work, ledger.contract):
        raise GitexpError(
            f"{visible(path)} is frozen in this experiment and differs on {visible(branch)}: the scores could "
            "not be compared.",
            f"{git_command('diff', short(ledger.baseline.commit), branch)} -- {pathspec(path)}",
        )
    samples, last = remeasure(repo, ledger, work, PICK, observer, busy)
    less = command("less", ExperimentFiles.of(work, ledger.name).log(PICK))
    if last.score is None:
        raise GitexpError(f"The picked code crashed: {last.reason}. Nothing was moved.", less)
    holds, why = holds_against(ledger, {sample.seed: sample.score for sample in samples}, ledger.incumbent.id)
    if not holds:
        raise GitexpError(
            f"The picked code does not hold the score: {why}. Nothing was moved.",
            f"{less}   # to pick it all the same: leave --measure out",
        )
    observer.say(f"The picked code holds the score: {why}.")


def _link_untracked(repo: Repository, work: Repository, contract: Contract) -> None:
    """Link the files that git does not track (data, a .venv), as a run needs them too.

    Left out are those that a step would seal, and a .venv that ``uv`` made: through the link ``uv`` would install the
    temporary copy of the project into it.
    """
    if repo.root is None:
        return
    listed = os.fsdecode(repo.run("ls-files", "-z", "--others", "--directory", "--no-empty-directory")).split("\0")
    edits = untracked_below(repo, contract.edit)
    for path in (name.rstrip("/") for name in listed if name):
        link = work.top / path
        unwanted = (*VIEWS, "__pycache__", ".venv" if (link.parent / "uv.lock").exists() else "")
        if link.name not in unwanted and not any(covers([path], edit) for edit in edits) and not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(repo.top / path)


def _measure(
    where: RunTree, work: Repository, place: ExperimentFiles, ledger: Ledger, label: str, observer: Observer
) -> tuple[list[Sample], Measurement]:
    contract = ledger.contract
    _, files = differing_entries(work, ledger.baseline.tree, "HEAD", contract.edit)
    content = Content(work.tree_of("HEAD"), work.resolve("HEAD") or "", files)
    samples: list[Sample] = []
    for at in range(RUNS):
        log = label if at == 0 else f"{label}.{at + 1}"
        run = Run(label, contract.seed + at, f"{label}-{work.top.name}", log, content)
        measurement = measure(where, place, contract, run, observer, usual_speed(ledger))
        check_comparable(ledger, measurement)
        samples += measurement.samples
        if measurement.score is None:
            break
    return samples, measurement
