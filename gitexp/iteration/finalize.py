"""After the verdict: seal what came of the candidate, and write the views."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.fsmonitor import changes
from gitexp.git.repository import Repository
from gitexp.git.worktree import covers, untracked_below
from gitexp.iteration.journal import Snapshot, clear, forget_evidence, read_result, write_result
from gitexp.iteration.moving import moving
from gitexp.iteration.seal import follow, hand_back, saved_ref, seal
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import BASELINE_REASON, Candidate, Contract, Iteration, Measurement, Status, Verdict, score_text
from gitexp.observer import Observer
from gitexp.run.runner import TAIL_LINES
from gitexp.shell import git_command, pathspecs
from gitexp.signals import signals_wait
from gitexp.text import short, visible, visible_list
from gitexp.verdict import breaker
from gitexp.verdict.diagnosis import Diagnosis, diagnose
from gitexp.views import on_disk
from gitexp.views.experiment_md import experiment_md
from gitexp.views.json_schema import DiagnosisJson, StepJson, iteration_json


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of one step."""

    experiment: str
    iteration: Iteration  # as it was sealed
    verdict: Verdict  # as the rule reached it, with its numbers
    incumbent: Iteration  # the one it was compared with
    log: Path
    left: tuple[str, ...]  # paths that somebody changed during the run, and that are left as they are
    diagnosis: Diagnosis | None  # of a CRASH
    opened: str = ""  # the circuit breaker's report, if this opened it


def outcome_json(outcome: StepResult) -> StepJson:
    """A step's result as ``--json`` and the post-step hook print it."""
    incumbent, verdict = outcome.incumbent, outcome.verdict
    assert incumbent.score is not None  # a KEEP was measured
    return {
        **iteration_json(outcome.iteration),
        "experiment": outcome.experiment,
        "incumbent": {"id": incumbent.id, "score": incumbent.score},
        "lead": verdict.lead,
        "noise": verdict.noise,
        "evidence": verdict.evidence,
        "log": str(outcome.log),
        "left_alone": list(outcome.left),
        "diagnosis": _diagnosis_json(outcome.diagnosis) if outcome.diagnosis else None,
        "breaker_open": bool(outcome.opened),
    }


def _diagnosis_json(diagnosis: Diagnosis) -> DiagnosisJson:
    return {
        "name": diagnosis.name,
        "cause": diagnosis.cause,
        "fix": diagnosis.fix,
        "environment": diagnosis.environment,
    }


def keep_result(place: ExperimentFiles, candidate: Candidate, measurement: Measurement, observer: Observer) -> None:
    """From here the measurement is safe."""
    try:
        write_result(place, measurement)
    except OSError as error:  # a full disk: then there is the more reason to try and seal it now
        observer.say(f"The result of {candidate.id} could not be written down: {error}")


def conclude(
    repo: Repository,
    place: ExperimentFiles,
    ledger: Ledger,
    snapshot: Snapshot,
    measurement: Measurement,
    verdict: Verdict,
    observer: Observer,
) -> StepResult:
    """Seal a candidate with its verdict.

    Raises :class:`GitexpError` when it cannot be sealed; then its measurement is kept, or its edit handed back.
    """
    candidate = snapshot.candidate
    iteration = Iteration(candidate, verdict, measurement)
    with signals_wait():
        left = _sealed(repo, place, snapshot, iteration)
        after = finish(repo, place, snapshot, observer)
        follow(repo, place, snapshot, iteration)
    if ledger.contract.in_place:
        _warn_of_leavings(repo, ledger.contract, observer)
    sealed = after.iterations[-1]
    tail = place.log_tail(candidate.label(len(measurement.samples)), TAIL_LINES)  # a crash is the last of them
    crashes = breaker.tripped(after)
    return StepResult(
        place.name,
        sealed,
        verdict,
        ledger.incumbent,
        place.log(candidate.label(1)),
        left,
        diagnose(sealed, tail) if sealed.status is Status.CRASH else None,
        breaker.report(crashes, tail) if crashes else "",
    )


def conclude_baseline(
    repo: Repository, place: ExperimentFiles, snapshot: Snapshot, measurement: Measurement, observer: Observer
) -> Ledger:
    """Seal the baseline on its new branch, and check that out."""
    iteration = Iteration(snapshot.candidate, Verdict(Status.KEEP, BASELINE_REASON), measurement)
    with signals_wait():
        _sealed(repo, place, snapshot, iteration)
        check_out(repo, place, snapshot.candidate.base)
        return finish(repo, place, snapshot, observer)


def _sealed(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, iteration: Iteration) -> tuple[str, ...]:
    try:
        return seal(repo, place, snapshot, iteration)
    except (GitexpError, OSError) as error:
        score = score_text(iteration.score) or "none"
        hint = "gitexp recover   # seals it, once that is mended; gitexp abort hands its edit back"
        if read_result(place) is None:
            hint = "gitexp abort   # hands its edit back; its result could not be written down"
        raise GitexpError(f"{iteration.id} is measured (score {score}), but cannot be sealed: {error}", hint) from error


def check_out(repo: Repository, place: ExperimentFiles, base: str) -> None:
    """Point HEAD from ``base`` to the experiment's branch: index and work tree are the baseline's already."""
    branch = f"refs/heads/{place.branch}"
    if refs.current_branch(repo) == place.branch or repo.resolve("HEAD") != base:
        return
    with moving(place):
        repo.run("symbolic-ref", "-m", f"gitexp: begin {place.branch}", "HEAD", branch)


def finish(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, observer: Observer) -> Ledger:
    """After the branch moved: what was absorbed of EXPERIMENT.md is sealed now, and the views show it."""
    ledger = history.load(repo, place.name)
    try:
        computed = experiment_md(ledger)
        if refs.current_branch(repo) == place.branch:
            if snapshot.notebook:  # none was read where another branch was checked out when the step began
                on_disk.mark_sealed(repo, place, ledger.contract.home, computed, snapshot.notebook)
            on_disk.write_views(repo, place, ledger, computed, after_run=True)
    except (GitexpError, OSError) as error:  # the verdict stands, whatever is in the way of the views
        observer.say(f"The views were not written: {error}. Later: gitexp render")
    forget_evidence(place)
    clear(place)
    return ledger


def _warn_of_leavings(repo: Repository, contract: Contract, observer: Observer) -> None:
    """What the run left that the next step would stumble over, or take for a part of its edit."""
    if new := untracked_below(repo, contract.edit):
        observer.say(
            f"New in an editable folder: {visible_list(new[:5])}. The next step seals it, unless .gitignore names it."
        )
    if changed := [c.path for c in changes(repo, compared=contract.edit) if not covers(contract.edit, c.path)]:
        observer.say(
            f"The run changed {visible_list(changed[:5])}, which git tracks: the next step will be refused. "
            f"Look at it, or restore it: git restore {pathspecs(changed)}"
        )


def check_unmoved(
    repo: Repository, place: ExperimentFiles, ledger: Ledger, snapshot: Snapshot, measurement: Measurement
) -> None:
    """Raises :class:`GitexpError` where a measured candidate is not the next step any more.

    Somebody may have committed, or deleted the branch, during the run; then its edit is handed back. Or, where it ran
    in place, they switched branches; then its measurement is kept.
    """
    candidate = snapshot.candidate
    tip = repo.resolve(f"refs/heads/{place.branch}")
    if tip and ledger.contract.in_place and refs.current_branch(repo) != place.branch:
        raise GitexpError(
            f"{candidate.id} is measured, but {visible(place.branch)} is no longer checked out. The next step on "
            "it seals it.",
            git_command("switch", place.branch),
        )
    if tip != candidate.base:
        left = hand_back(repo, place, snapshot)
        score = score_text(measurement.score) or "none"
        where = f"moved to {short(tip)}" if tip else "was deleted"
        raise GitexpError(
            f"{visible(place.branch)} {where} while {candidate.id} ran (score {score}). Nothing was recorded; "
            f"{whereabouts(snapshot, left)}.",
            git_command("log", place.branch) if tip else git_command("branch", place.branch, short(candidate.base)),
        )


def whereabouts(snapshot: Snapshot, left: tuple[str, ...]) -> str:
    """What became of a candidate that was handed back."""
    candidate = snapshot.candidate
    if not snapshot.work_tree:
        return f"its edit is kept as {saved_ref(candidate)}" if left else "a sweep makes its edit again"
    if not left:
        return "its edit is in the work tree"
    return (
        f"{visible_list(left)} was changed since and is left as it is, and the edit is kept as {saved_ref(candidate)}"
    )
