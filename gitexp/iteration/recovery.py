"""After a gitexp that died: finish what it had measured, or hand its edit back."""

from __future__ import annotations

from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import remove_part_files
from gitexp.git import refs
from gitexp.git.commits import remove_unfinished
from gitexp.git.kept_files import clear_kept
from gitexp.git.linked_worktrees import is_work_tree
from gitexp.git.repository import Repository
from gitexp.git.scratch import clear_scratch
from gitexp.iteration.finalize import (
    check_out,
    check_unmoved,
    conclude,
    conclude_baseline,
    finish,
    outcome_json,
    whereabouts,
)
from gitexp.iteration.journal import Snapshot, clear, read_journal, read_result
from gitexp.iteration.overlay import give_back
from gitexp.iteration.seal import drop_ref, give_up, hand_back, open_pending, save_if_lost
from gitexp.iteration.stale_locks import clear_stale
from gitexp.iteration.status import late_save, places
from gitexp.iteration.workspace import NOTE as UNFINISHED
from gitexp.iteration.workspace import keep_unfinished
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles, UnreadableNoteError
from gitexp.ledger.ledger import Ledger
from gitexp.model import Candidate, Iteration, Measurement, Verdict, score_text
from gitexp.observer import Observer
from gitexp.run.hooks import notify
from gitexp.run.leader import read_leader
from gitexp.run.processes import end_run
from gitexp.shell import word
from gitexp.text import visible, visible_list
from gitexp.verdict.rules import decide
from gitexp.views.json_schema import dumps


def recover(repo: Repository, place: ExperimentFiles, observer: Observer) -> Iteration | None:
    """Clear up after a gitexp that died; the iteration, if one was finished. Its caller holds the experiment's lock.

    Raises when a finished measurement cannot be sealed now; then it is kept.
    """
    clear_scratch(repo)
    _end_others(repo, place, observer)
    snapshot = _look(repo, place, observer)
    if snapshot is None:
        _keep_unfinished(repo, place, observer)
        return None
    candidate = snapshot.candidate
    measurement = read_result(place)
    ledger = _ledger(repo, place)
    place.forget_note(UNFINISHED)  # the step took the edit
    if sealed := _sealed(ledger, candidate):
        drop_ref(repo, place)
        if candidate.contract:
            check_out(repo, place, candidate.base)
        finish(repo, place, snapshot, observer)
        observer.say(f"{candidate.id} was sealed; what was left of its step is cleared.")
        return sealed
    if candidate.contract:
        return _recover_baseline(repo, place, snapshot, observer)
    if measurement is None or ledger is None:
        _give_up(repo, place, snapshot, observer)
        return None
    return _finish_measured(repo, place, ledger, snapshot, measurement, observer)


def _keep_unfinished(repo: Repository, place: ExperimentFiles, observer: Observer) -> None:
    if place.read_note(UNFINISHED, bool) is None:
        return
    if ref := keep_unfinished(repo, place, _ledger(repo, place)):
        observer.say(f"A loop died while its proposer edited; the unfinished edit is kept as {ref}.")


def _finish_measured(
    repo: Repository,
    place: ExperimentFiles,
    ledger: Ledger,
    snapshot: Snapshot,
    measurement: Measurement,
    observer: Observer,
) -> Iteration:
    """Judge and seal the candidate of a step that died after its last run."""
    candidate = snapshot.candidate
    _restore_ref(repo, place, snapshot)
    check_unmoved(repo, place, ledger, snapshot, measurement)
    verdict = decide(ledger, measurement, candidate.simpler)
    assert isinstance(verdict, Verdict)  # a result is kept when the rule asks for no more runs
    outcome = conclude(repo, place, ledger, snapshot, measurement, verdict, observer)
    notify(repo, place, ledger.contract, outcome.iteration.id, dumps(outcome_json(outcome)), observer)
    kept = f" {visible_list(outcome.left)} was changed since, and is left as it is." if outcome.left else ""
    observer.say(
        f"{candidate.id} had been measured when its step was interrupted; it is sealed now, as "
        f"{outcome.iteration.status.value}.{kept}"
    )
    return outcome.iteration


def _look(repo: Repository, place: ExperimentFiles, observer: Observer) -> Snapshot | None:
    """What was left, with its locks cleared, its half-written files swept and its run ended."""
    snapshot = read_journal(place)
    if snapshot and snapshot.work_tree not in ("", str(repo.top)) and is_work_tree(repo, Path(snapshot.work_tree)):
        raise GitexpError(
            f"{snapshot.candidate.id} of {visible(place.branch)} was interrupted in another work tree, "
            f"{visible(snapshot.work_tree)}.",
            f"cd {word(snapshot.work_tree)} && gitexp recover",
        )
    clear_stale(repo, place, observer)
    for saved in clear_kept(repo, place.kept):
        observer.say(late_save(*saved))
    _mend_ref(repo, place, observer)
    files = [repo.top / path for path in snapshot.files] if snapshot else []
    remove_unfinished(repo)
    ours = [repo.private_dir, *(place.directory / name for name in (".", "cache", "logs", "run"))]
    remove_part_files([*ours, repo.top, *(file.parent for file in files)])
    if left := give_back(repo, place):
        observer.say(f"{visible_list(left)} was changed since, and is left as it is.")
    if snapshot is None:
        _forget(repo, place, observer)
    else:
        _end_run(place, snapshot.candidate, observer)
    return snapshot


def _mend_ref(repo: Repository, place: ExperimentFiles, observer: Observer) -> None:
    """Remove gitexp's own ref if a power cut made it unreadable: the journal has what it stood for."""
    if refs.remove_unreadable(repo, place.ref):
        observer.say(f"{place.ref} was unreadable, and is removed.")


def _ledger(repo: Repository, place: ExperimentFiles) -> Ledger | None:
    """What the branch holds; ``None`` when it is gone, or is no experiment: then nothing can be sealed on it."""
    tip = repo.resolve(f"refs/heads/{place.branch}")
    try:
        return history.load(repo, place.name, tip) if tip else None
    except GitexpError:
        return None


def _sealed(ledger: Ledger | None, candidate: Candidate) -> Iteration | None:
    """The iteration that the candidate became, if it was sealed before its gitexp died."""
    iterations = reversed(ledger.iterations) if ledger else ()
    return next((iteration for iteration in iterations if iteration.candidate.run == candidate.run), None)


def _recover_baseline(
    repo: Repository, place: ExperimentFiles, snapshot: Snapshot, observer: Observer
) -> Iteration | None:
    measurement = read_result(place)
    free = repo.resolve(f"refs/heads/{place.branch}") is None and repo.resolve("HEAD") == snapshot.candidate.base
    if measurement is None or measurement.score is None or not free:
        _give_up(repo, place, snapshot, observer)
        return None
    _restore_ref(repo, place, snapshot)
    ledger = conclude_baseline(repo, place, snapshot, measurement, observer)
    observer.say(f"The interrupted baseline of {place.branch} is sealed: {score_text(ledger.baseline.score)}.")
    return ledger.baseline


def abort(repo: Repository, place: ExperimentFiles, observer: Observer) -> Candidate | None:
    """Hand the edit of a dead gitexp's step back, measured or not; the candidate, if there was one.

    Notes that cannot be read are set aside: this is the way out when nothing else knows what to do with them.
    """
    while True:
        try:
            return _abort(repo, place, observer)
        except UnreadableNoteError as note:
            observer.say(f"{note.path} could not be read, and is kept as {note.set_aside().name}.")


def _abort(repo: Repository, place: ExperimentFiles, observer: Observer) -> Candidate | None:
    snapshot = _look(repo, place, observer)
    if snapshot is None:
        return None
    candidate = snapshot.candidate
    if _sealed(_ledger(repo, place), candidate):
        raise GitexpError(f"{candidate.id} is sealed already; only clearing up is left.", "gitexp recover")
    score = _score(place)
    left = hand_back(repo, place, snapshot)
    observer.say(f"{candidate.id} is given up: {whereabouts(snapshot, left)}.{score}")
    return candidate


def _restore_ref(repo: Repository, place: ExperimentFiles, snapshot: Snapshot) -> None:
    if refs.read(repo, place.ref) is None:
        open_pending(repo, place, snapshot)


def _give_up(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, observer: Observer) -> None:
    """It died in its run, when nothing in the work tree is gitexp's to touch."""
    score = _score(place)
    left = save_if_lost(repo, place, snapshot)
    give_up(repo, place)
    observer.say(f"The interrupted step {snapshot.candidate.id} was given up; {whereabouts(snapshot, left)}.{score}")


def _score(place: ExperimentFiles) -> str:
    """What is lost with a measurement that cannot be sealed, said once."""
    measured = read_result(place)
    return f" Its score was {score_text(measured.score) or 'none, a crash'}." if measured else ""


def _forget(repo: Repository, place: ExperimentFiles, observer: Observer) -> None:
    """No journal: a power cut may have emptied it, or the step died before there was anything to lose."""
    if tree := refs.read(repo, place.ref):
        saved = refs.saved(tree[:12])
        refs.update(repo, "gitexp: saved", f"update {saved} {tree}")
        observer.say(f"The journal of a step is lost; the tree it was to try is kept as {saved}.")
        drop_ref(repo, place)
    clear(place)


def _end_others(repo: Repository, place: ExperimentFiles, observer: Observer) -> None:
    """A run of another experiment that lost its gitexp in this work tree would run beside the next one."""
    for other in places(repo):
        if other.branch == place.branch or other.holder()[0]:
            continue
        snapshot = read_journal(other)
        if snapshot and snapshot.work_tree == str(repo.top):
            _end_run(other, snapshot.candidate, observer)


def _end_run(place: ExperimentFiles, candidate: Candidate, observer: Observer) -> None:
    leader = read_leader(place)
    ended = end_run(candidate.run, leader.pid, leader.since) if leader else end_run(candidate.run)
    if ended:
        pids = ", ".join(map(str, ended))
        observer.say(
            f"The run of {candidate.id} was still going on without its gitexp, and was ended (process {pids})."
        )
