"""Whether an experiment's branch, its files on disk and its trailers say the same. Runs nothing of the repository's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from shlex import quote
from statistics import fmean

from gitexp import history, hook, locks, notebook, records, trailers
from gitexp.decide import decide
from gitexp.errors import GitexpError
from gitexp.git import Commit, Repository
from gitexp.model import Iteration, Ledger, Notes, Status, Verdict
from gitexp.pending import Place
from gitexp.recovery import pending
from gitexp.text import one_line
from gitexp.trailers import Message
from gitexp.views import NOTEBOOK, RESULTS, experiment_md, results_tsv
from gitexp.worktree import covers

ANEW = "gitexp init --name NAME   # starts anew from here"


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    sentence: str
    repair: str  # the command that mends it, or looks closer


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A commit of the branch since the baseline, oldest first."""

    commit: Commit
    message: Message
    iteration: Iteration | None

    @property
    def name(self) -> str:
        return f"{self.commit.oid[:10]} {one_line(self.message.subject, 60)}"


def check(repo: Repository, name: str) -> list[Finding]:
    """Everything that is wrong with an experiment; empty when nothing is."""
    place = Place.of(repo, name)
    findings = list(_check_rubbish(repo, place))
    try:
        ledger = history.load(repo, name)
        findings += _check_objects(repo, ledger)
        commits = _commits(repo, ledger)
        findings += _check_trailers(repo, ledger, commits)
        findings += _check_order(commits)
        findings += _check_reverts(repo, commits)
        findings += _check_verdicts(ledger)
        findings += _check_paths(repo, ledger, commits)
        if repo.root and repo.branch() == place.branch:
            findings += _check_work_tree(repo, place, ledger)
    except GitexpError as error:
        findings.append(Finding("history", error.sentence, error.hint or "git fsck"))
    return findings


def _commits(repo: Repository, ledger: Ledger) -> list[_Sealed]:
    found: list[_Sealed] = []
    for commit in repo.first_parent_log(ledger.tip):
        message = trailers.read(commit.message)
        found.append(_Sealed(commit, message, records.from_message(message, commit.oid)))
        if commit.oid == ledger.baseline.commit:
            break
    return found[::-1]


def _check_rubbish(repo: Repository, place: Place) -> Iterator[Finding]:
    step = pending(repo, place)
    if step and not step.holder:
        yield Finding("pending", f"{place.branch}: {step}.", "gitexp recover")
    if repo.unreadable(place.ref):
        yield Finding("pending-ref", f"{place.ref} is unreadable.", "gitexp recover")
    if not step or not step.holder:
        for lock in locks.present(repo, place):
            yield Finding("lock", f"{lock} is there.", f"rm {quote(str(lock))}   # when no git runs here")


def _check_objects(repo: Repository, ledger: Ledger) -> Iterator[Finding]:
    out = repo.line("rev-list", "--objects", "--missing=print", f"{ledger.baseline.base}..{ledger.tip}")
    for line in out.splitlines():
        if line.startswith("?"):
            yield Finding("object", f"The object {line[1:]} is missing.", "git fsck   # then fetch it from a clone")


def _check_trailers(repo: Repository, ledger: Ledger, commits: list[_Sealed]) -> Iterator[Finding]:
    """The block parses, is git's too, and stands on the commit that was sealed."""
    by_git = _trailers_by_git(repo, ledger)
    for sealed in commits:
        iteration, commit = sealed.iteration, sealed.commit
        look = f"git show {commit.oid[:10]}"
        if sealed.message.displaced:
            yield Finding("displaced", f"{sealed.name}: a paragraph after its trailers hides them from git.", look)
        elif any(key == "Exp-Id" for key, _ in sealed.message.trailers) and iteration is None:
            yield Finding("trailers", f"{sealed.name}: its trailers cannot be read as an iteration.", look)
        elif iteration and by_git.get(commit.oid) != len(sealed.message.trailers):
            yield Finding("trailers", f"{sealed.name}: git reads other trailers than gitexp.", look)
        if iteration and commit.parents[:1] != (iteration.base,):
            yield Finding("copied", f"{sealed.name} is a copy: it was sealed on {iteration.base[:10]}.", ANEW)
        elif iteration and commit.tree != iteration.tree:
            yield Finding("amended", f"{sealed.name} is not the tree that was measured.", ANEW)


def _trailers_by_git(repo: Repository, ledger: Ledger) -> dict[str, int]:
    """By commit: how many trailers of ours git finds."""
    form = "--format=%H%n%(trailers:only,unfold)"
    log = ("-c", "trailer.separators=:", "log", "-z", "--first-parent", "--no-show-signature", "--no-color", form)
    out = repo.line(*log, f"{ledger.baseline.base}..{ledger.tip}")
    counts: dict[str, int] = {}
    for record in out.split("\0"):
        oid, _, block = record.partition("\n")
        counts[oid] = sum(line.startswith("Exp-") for line in block.splitlines())
    return counts


def _check_order(commits: list[_Sealed]) -> Iterator[Finding]:
    runs: set[str] = set()
    expected = 0
    for sealed in commits:
        iteration = sealed.iteration
        if iteration is None:
            continue
        if iteration.run in runs:
            yield Finding("twice", f"{sealed.name}: the same run is recorded twice.", "gitexp log")
        elif iteration.number != expected:
            yield Finding("order", f"{sealed.name}: exp{expected:03d} was to come here.", "git reflog")
        runs.add(iteration.run)
        expected = iteration.number + 1


def _check_reverts(repo: Repository, commits: list[_Sealed]) -> Iterator[Finding]:
    """What is not kept is reverted at once; nothing but iterations and their reverts is on the branch."""
    undo: _Sealed | None = None
    before = ""
    for sealed in [*commits, None]:
        if undo:
            if sealed is None or sealed.iteration or sealed.commit.tree != before:
                yield Finding(
                    "unreverted", f"{undo.name} is not reverted right after it.", f"git revert {undo.commit.oid[:10]}"
                )
            else:
                undo = None
                continue
        if sealed is None:
            return
        undo = sealed if sealed.iteration and sealed.iteration.status is not Status.KEEP else None
        before = repo.line("rev-parse", f"{sealed.commit.oid}^^{{tree}}") if undo else ""
        if sealed.iteration is None and not records.remark_from(sealed.message, sealed.commit.oid):
            yield Finding("stranger", f"{sealed.name} was committed by no step.", f"git show {sealed.commit.oid[:10]}")


def _check_verdicts(ledger: Ledger) -> Iterator[Finding]:
    """The sealed verdict is what the sealed rule says of the sealed samples."""
    for iteration in ledger.iterations:
        own = [s.score for s in iteration.measurement.samples if s.iteration == iteration.id and s.score is not None]
        if iteration.score is not None and not (own and math.isclose(iteration.score, fmean(own), rel_tol=1e-9)):
            yield Finding(
                "score", f"{iteration.id}'s score is not the mean of its samples.", f"gitexp why {iteration.id}"
            )
    for at, iteration in enumerate(ledger.iterations[1:], 1):
        before = replace(ledger, iterations=ledger.iterations[:at])
        verdict = decide(before, iteration.measurement, iteration.simpler)
        by_rule = verdict.status.value if isinstance(verdict, Verdict) else "an open case"
        if by_rule != iteration.status.value:
            yield Finding(
                "verdict",
                f"{iteration.id} is sealed as {iteration.status.value}, and by its rule is {by_rule}.",
                f"gitexp why {iteration.id}",
            )


def _check_paths(repo: Repository, ledger: Ledger, commits: list[_Sealed]) -> Iterator[Finding]:
    """An iteration changes editable files only: no frozen one, and none that is computed."""
    contract, frozen = ledger.contract, {frozen.path for frozen in ledger.contract.freeze}
    log = ("log", "-z", "--first-parent", "--no-show-signature", "--no-color", "--no-renames", "--name-only")
    out = repo.line(*log, "--format=%x00%H", f"{ledger.baseline.commit}..{ledger.tip}")
    names = {sealed.commit.oid: sealed for sealed in commits}
    sealed: _Sealed | None = None
    for part in out.split("\0"):
        path = part.removeprefix("\n")
        if path in names:
            sealed = names[path]
        elif path and sealed and not (covers(contract.edit, path) and path not in (*frozen, RESULTS, NOTEBOOK)):
            code = "frozen" if path in frozen else "generated" if path in (RESULTS, NOTEBOOK) else "outside"
            what = {"frozen": "is frozen", "generated": "is computed", "outside": "may not change"}[code]
            yield Finding(code, f"{sealed.name} changes {path}, which {what}.", f"git show {sealed.commit.oid[:10]}")


def _check_work_tree(repo: Repository, place: Place, ledger: Ledger) -> Iterator[Finding]:
    path = repo.hook_path(hook.NAME)
    if not path.is_file():
        yield Finding("hook", f"There is no hook at {path}.", "gitexp hook --install")
    elif hook.blob(repo, path) != ledger.contract.hook:
        yield Finding("hook", f"{path} is not the hook that the baseline was measured with.", "gitexp hook")
    edits = notebook.unsealed(repo, place, ledger.name)
    wanted = {RESULTS: results_tsv(ledger), NOTEBOOK: experiment_md(ledger, edits if edits != Notes() else None)}
    for name, text in wanted.items():
        if notebook.read(repo.top / name) != text:
            yield Finding("views", f"{name} is not what the history gives.", "gitexp render")
