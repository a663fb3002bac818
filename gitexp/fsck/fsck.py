"""Whether a history of iterations, its trailers and its files agree. It runs nothing of the repository's.

A history is cut into lineages (:mod:`gitexp.fsck.lineages`). Each is held to what steps leave behind:

- trailer blocks (:mod:`gitexp.fsck.trailer_blocks`),
- ids, bases, trees and reverts (:mod:`gitexp.fsck.branch`),
- verdicts (:mod:`gitexp.fsck.verdicts`),
- and files (:mod:`gitexp.fsck.paths`).

A review's KEEPs are copies, and are held to what copies can be (:mod:`gitexp.fsck.review_branch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.fsck.branch import audit
from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Kind, Lineage, Sealed, of_experiment, of_range
from gitexp.fsck.paths import check_contract, check_paths
from gitexp.fsck.review_branch import Origin, check_copies, origin
from gitexp.fsck.trailer_blocks import check_blocks
from gitexp.fsck.verdicts import retry
from gitexp.git import refs
from gitexp.git.commits import rev_list
from gitexp.git.repository import Repository
from gitexp.iteration import stale_locks
from gitexp.iteration.status import pending
from gitexp.ledger import cache, history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import NOTEBOOK, RESULTS, Iteration, Notes
from gitexp.run import hooks
from gitexp.text import short
from gitexp.views import notebook, on_disk
from gitexp.views.experiment_md import experiment_md
from gitexp.views.results_tsv import results_tsv


@dataclass(frozen=True, slots=True)
class Report:
    findings: tuple[Finding, ...]
    holds: str = ""  # what there was to check
    unchecked: tuple[str, ...] = ()  # what is in order as far as this clone can tell, and why it cannot tell more


def check(repo: Repository, name: str) -> Report:
    """Everything that is wrong with an experiment: its branch, and what lies in the work tree."""
    repo = repo.for_audit()
    place = ExperimentFiles.of(repo, name)
    findings = [*_check_rubbish(repo, place)]
    try:
        tip = history.tip(repo, name)
        lineage = of_experiment(repo, tip) or _none(repo, name, tip)
        findings += _check_objects(repo, tip, *(f"^{oid}" for oid in lineage.commits[0].commit.parents))
        report = _of_lineage(repo, lineage)
        findings += report.findings
        if lineage.kind is Kind.EXPERIMENT:
            ledger = history.read(repo, name, tip)
            findings += _check_kept(repo, place, ledger)
            if repo.root and refs.current_branch(repo) == place.branch:
                findings += _tried(_check_work_tree(repo, place, ledger))
        return Report(tuple(findings), report.holds, report.unchecked)
    except GitexpError as error:
        code = "shallow" if repo.is_shallow() else "history"
        return Report((*findings, Finding(code, error.sentence, error.hint or "git fsck")))


def _none(repo: Repository, name: str, tip: str) -> Lineage:
    history.read(repo, name, tip)  # raises, and says why there is no baseline
    raise AssertionError(f"{name} has a baseline")


def check_range(repo: Repository, text: str) -> Report:
    """Everything that is wrong with the iterations in a range, ``A..B``, or in the whole ancestry of one commit."""
    repo = repo.for_audit()
    revisions = _revisions(repo, text)
    findings = [*_check_shallow(repo, revisions), *_check_objects(repo, *revisions)]
    reports = [_of_lineage(repo, lineage) for lineage in of_range(repo, revisions, whole=len(revisions) == 1)]
    return Report(
        (*findings, *(finding for report in reports for finding in report.findings)),
        "; ".join(report.holds for report in reports) or "it holds no iteration",
        tuple(said for report in reports for said in report.unchecked),
    )


def _revisions(repo: Repository, text: str) -> tuple[str, ...]:
    """A range as commit ids in git's words: what is in it, and what is not."""
    base, dots, tip = text.partition("..")
    if tip.startswith("."):
        raise GitexpError(f"{text} is not a range of one side.", f"gitexp fsck {base}..{tip.lstrip('.')}")
    tips = [_commit(repo, revision or "HEAD") for revision in ((tip, base) if dots else (base,))]
    return (tips[0], *(f"^{oid}" for oid in tips[1:]))


def _commit(repo: Repository, revision: str) -> str:
    oid = None if revision.startswith("-") else repo.resolve(revision)
    if oid is None:
        shallow = repo.is_shallow()
        why = ", which is shallow" if shallow else ""
        hint = "git fetch --unshallow" if shallow else "git fetch --all   # in a workflow: fetch-depth: 0"
        raise GitexpError(f"There is no commit {revision} in this clone{why}.", hint)
    return oid


def _of_lineage(repo: Repository, lineage: Lineage) -> Report:
    holds = _names(lineage.iterations)
    if lineage.kind is Kind.REVIEW:
        source = origin(repo, lineage)
        lone = [copy for copy in lineage.iterations if source is None or not source.can_judge(copy)]
        said = f"the verdicts of {_names(lone)}, as what they were picked from is not in this clone"
        findings = tuple(_tried(_check_review(repo, lineage, source)))
        return Report(findings, f"{holds} picked for review", (said,) if lone else ())
    sound = _in_order(lineage)
    rest = lineage.iterations[len(sound) :]
    said = f"the verdicts of {_names(rest)}, as it is not sure what stood before them"
    return Report(tuple(_tried(_check_experiment(repo, lineage, sound))), holds, (said,) if rest else ())


def _names(iterations: list[Iteration]) -> str:
    ids = [iteration.id for iteration in iterations]
    return ", ".join(ids if len(ids) < 4 else [ids[0], "…", ids[-1]])


def _check_experiment(repo: Repository, lineage: Lineage, sound: list[Iteration]) -> Iterator[Finding]:
    yield from audit(lineage)
    yield from _tried(check_blocks(repo, lineage.commits, lineage.format))
    if lineage.kind is Kind.REBASED:
        return
    if contract := lineage.contract:
        yield from _tried(_check_founding(repo, lineage.commits[0]))
        yield from retry(contract, sound)
        yield from _tried(check_paths(repo, lineage, contract))
        yield from _tried(check_contract(repo, lineage, contract))
    else:
        said = f"{lineage.commits[0].name} has no baseline below it"
        yield Finding("history", f"{said}, so its contract is not known.", f"git log {short(lineage.commits[0].oid)}")


def _check_review(repo: Repository, lineage: Lineage, source: Origin | None) -> Iterator[Finding]:
    found: list[Finding] = []
    if source:
        found = list(_check_experiment(repo, source.lineage, _in_order(source.lineage)))
        yield from found
    yield from _tried(check_blocks(repo, lineage.commits, source.lineage.format if source else lineage.format))
    yield from _tried(check_copies(repo, lineage, source))
    if source and not found:
        for copy in filter(source.comes_next, lineage.iterations):
            sealed = source.lineage.iterations
            yield from retry(source.contract, [*sealed, copy], since=len(sealed))


def _in_order(lineage: Lineage) -> list[Iteration]:
    """The iterations of which it is sure what stood before them."""
    found: list[Iteration] = []
    for sealed in lineage.commits:
        if sealed.iteration and sealed.is_own and (not found or sealed.iteration.number == found[-1].number + 1):
            found.append(sealed.iteration)
        elif sealed.claim:
            break
    return found if lineage.contract else []


def _check_founding(repo: Repository, baseline: Sealed) -> Iterator[Finding]:
    """A contract holds for the whole branch: another stands below only where an experiment was begun from another."""
    look = f"git log --oneline {short(baseline.oid)}"
    if baseline.iteration and baseline.iteration.number:
        yield Finding("contract", f"{baseline.name} brings a contract of its own amid an experiment.", look)
        return
    below = [Sealed.of(commit) for commit in rev_list(repo, "--first-parent", "-2", baseline.parent)]
    sealed = below[0] if below[0].is_own else next((one for one in below[1:] if one.oid == below[0].reverts), None)
    if sealed is None or not sealed.is_own:
        return
    held = ("for-each-ref", f"--contains={sealed.oid}", f"--no-contains={baseline.oid}")
    if not repo.line(*held, "refs/heads/", "refs/remotes/"):
        said = f"{baseline.name} begins a second contract on this branch, and no other branch holds what is below it"
        yield Finding("contract", f"{said} ({sealed.name}).", look)


def _tried(findings: Iterable[Finding]) -> Iterator[Finding]:
    """A check that cannot come to its end says so."""
    try:
        yield from findings
    except GitexpError as error:
        yield Finding("unchecked", error.sentence, error.hint or "git fsck")


# -- what is here ------------------------------------------------------------------------------------------------------


def _check_objects(repo: Repository, *revisions: str) -> Iterator[Finding]:
    out = repo.line("rev-list", "--objects", "--missing=print", *revisions)
    missing = [line[1:] for line in out.splitlines() if line.startswith("?")]
    if missing and repo.is_partial():
        said = f"This clone is partial: {len(missing)} objects of these commits are not here, and were not looked at."
        yield Finding("partial", said, "git clone URL   # without --filter; then here: gitexp fsck")
        return
    for oid in missing:
        yield Finding("object", f"The object {oid} is missing.", "git fsck   # then fetch it from a clone")


def _check_shallow(repo: Repository, revisions: tuple[str, ...]) -> Iterator[Finding]:
    if not (ends := repo.shallow_commits()):
        return
    if cut := sorted(ends & set(repo.line("rev-list", *revisions).splitlines())):
        said = f"This clone is shallow: what lies before {short(cut[0])} is not here, and was not looked at."
        yield Finding("shallow", said, "git fetch --unshallow   # in a workflow: fetch-depth: 0")


def _check_rubbish(repo: Repository, place: ExperimentFiles) -> Iterator[Finding]:
    step = pending(repo, place)
    if step and not step.holder:
        yield Finding("pending", f"{place.branch}: {step}.", "gitexp recover")
    if refs.is_unreadable(repo, place.ref):
        yield Finding("pending-ref", f"{place.ref} is unreadable.", "gitexp recover")
    if not step or not step.holder:
        for lock in stale_locks.present(repo, place):
            yield Finding("lock", f"{lock} is there.", f"rm {quote(str(lock))}   # when no git runs here")


def _check_kept(repo: Repository, place: ExperimentFiles, ledger: Ledger) -> Iterator[Finding]:
    known = cache.load(repo, place)
    if known and not cache.agrees(known, ledger):
        yield Finding("kept", "What is kept of the history is not what its commits say.", "gitexp render --full")


def _check_work_tree(repo: Repository, place: ExperimentFiles, ledger: Ledger) -> Iterator[Finding]:
    """The hook and the views, where they are there: a fresh clone has none."""
    path = repo.hook_path(hooks.NAME)
    if path.is_file() and hooks.blob(repo, path) != ledger.contract.hook:
        yield Finding("hook", f"{path} is not the hook that the baseline was measured with.", "gitexp hook")
    edits = on_disk.unsealed(repo, place, ledger.name)
    wanted = {RESULTS: results_tsv(ledger), NOTEBOOK: experiment_md(ledger, edits if edits != Notes() else None)}
    for name, text in wanted.items():
        if (repo.top / name).exists() and notebook.read(repo.top / name) != text:
            yield Finding("views", f"{name} is not what the history gives.", "gitexp render")
