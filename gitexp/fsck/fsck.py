"""The audit of a history: whether its commits, their trailers and the files agree. It runs no code of the repository.

A history is cut into lineages (:mod:`gitexp.fsck.lineages`). Each is compared with what steps leave behind:

- trailer blocks (:mod:`gitexp.fsck.trailer_blocks`),
- ids, bases, trees and reverts (:mod:`gitexp.fsck.branch`),
- verdicts (:mod:`gitexp.fsck.verdicts`),
- files (:mod:`gitexp.fsck.paths`),
- what trailers say of edits (:mod:`gitexp.fsck.edits`),
- and, of an experiment, what is in this clone (:mod:`gitexp.fsck.clone`).

The KEEPs of a review are copies, and are checked as such (:mod:`gitexp.fsck.review_branch`). A new check goes into the
module of its family, or is a new family that is called here.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitexp.errors import GitexpError
from gitexp.fsck.branch import check_branch
from gitexp.fsck.clone import check_cache, check_leftovers, check_objects, check_shallow, check_work_tree
from gitexp.fsck.edits import check_edits
from gitexp.fsck.finding import Audit, Finding, until_refused
from gitexp.fsck.lineages import Kind, Lineage, ParsedCommit, of_experiment, of_range
from gitexp.fsck.paths import check_contract, check_paths
from gitexp.fsck.review_branch import Origin, check_copies, origin
from gitexp.fsck.trailer_blocks import check_blocks, check_computed
from gitexp.fsck.verdicts import check_verdicts
from gitexp.git import refs
from gitexp.git.commits import rev_list
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import BASELINE_REASON, Iteration, identity
from gitexp.shell import command
from gitexp.text import short

# After these the edits of later iterations stand on another tree, and samples are not those that ran: one thing is
# found once.
_CONFUSING = {"verdict", "guard", "sample", "amended", "unreverted", "revert-tree"}


def check(repo: Repository, name: str) -> Audit:
    """Audit an experiment: its branch, and its files in this clone. What goes wrong is a finding, never an error."""
    repo = repo.for_audit()
    place = ExperimentFiles.of(repo, name)
    findings = [*check_leftovers(repo, place)]
    try:
        tip = history.tip(repo, name)
        lineage = of_experiment(repo, tip)
        if lineage is None:
            history.read(repo, name, tip)  # raises, and says why there is no baseline
        assert lineage
        findings += check_objects(repo, tip, *(f"^{oid}" for oid in lineage.commits[0].parents))
        audit = _audit_lineage(repo, lineage)
        findings += audit.findings
        if lineage.kind is Kind.EXPERIMENT:
            ledger = history.read(repo, name, tip)
            findings += check_cache(repo, place, ledger)
            if repo.root and refs.current_branch(repo) == place.branch:
                findings += until_refused(check_work_tree(repo, place, ledger))
        return Audit(tuple(findings), audit.checked, audit.unchecked)
    except GitexpError as error:
        code = "shallow" if repo.is_shallow() else "history"
        return Audit((*findings, Finding(code, error.sentence, error.hint or "git fsck")))


def check_range(repo: Repository, text: str) -> Audit:
    """Audit the iterations in a range, ``A..B``, or in the whole ancestry of one commit.

    Raises GitexpError for a commit that is not in this clone.
    """
    repo = repo.for_audit()
    revisions = _revisions(repo, text)
    findings = [*check_shallow(repo, revisions), *check_objects(repo, *revisions)]
    audits = [_audit_lineage(repo, lineage) for lineage in of_range(repo, revisions, whole=len(revisions) == 1)]
    return Audit(
        (*findings, *(finding for audit in audits for finding in audit.findings)),
        "; ".join(audit.checked for audit in audits) or "no iteration is in it",
        tuple(clause for audit in audits for clause in audit.unchecked),
    )


def _revisions(repo: Repository, text: str) -> tuple[str, ...]:
    """A range as arguments of ``git rev-list``: its tip, and ``^`` before the commit that it starts after."""
    base, dots, tip = text.partition("..")
    if tip.startswith("."):
        raise GitexpError(
            f"{text} is a symmetric range, and fsck takes A..B.",
            command("gitexp", "fsck", f"{base}..{tip.lstrip('.')}"),
        )
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


def _audit_lineage(repo: Repository, lineage: Lineage) -> Audit:
    checked = _names(lineage.iterations)
    if lineage.kind is Kind.REVIEW:
        source = origin(repo, lineage)
        unjudged = [copy for copy in lineage.iterations if source is None or not source.can_judge(copy)]
        unchecked = f"the verdicts of {_names(unjudged)}, as the experiment they were picked from is not in this clone"
        findings = tuple(until_refused(_check_review(repo, lineage, source)))
        return Audit(findings, f"{checked} picked for review", (unchecked,) if unjudged else ())
    ordered = _in_order(lineage)
    unjudged = lineage.iterations[len(ordered) :]
    unchecked = f"the verdicts of {_names(unjudged)}, as the iterations before them are not certain"
    findings = tuple(until_refused(_check_experiment(repo, lineage, ordered)))
    return Audit(findings, checked, (unchecked,) if unjudged else ())


def _names(iterations: list[Iteration]) -> str:
    ids = [iteration.id for iteration in iterations]
    return ", ".join(ids if len(ids) < 4 else [ids[0], "…", ids[-1]])


def _check_experiment(repo: Repository, lineage: Lineage, ordered: list[Iteration]) -> Iterator[Finding]:
    findings = [*check_branch(lineage)]
    yield from findings
    yield from until_refused(check_blocks(repo, lineage.commits, lineage.format))
    if lineage.kind is Kind.REBASED:
        return
    if contract := lineage.contract:
        yield from until_refused(_check_contracts(repo, lineage.commits[0]))
        yield from until_refused(check_contract(repo, lineage, contract))
        verdicts = [*check_verdicts(contract, ordered)]
        yield from verdicts
        yield from until_refused(check_paths(repo, lineage, contract))
        if not _CONFUSING & {finding.code for finding in (*findings, *verdicts)}:
            yield from until_refused(check_edits(repo, lineage, contract))
            yield from check_computed(lineage.commits)
    else:
        first = lineage.commits[0]
        sentence = f"{first.name} has no baseline below it, so its contract is not known."
        yield Finding("history", sentence, f"git log {short(first.oid)}")


def _check_review(repo: Repository, lineage: Lineage, source: Origin | None) -> Iterator[Finding]:
    findings: list[Finding] = []
    if source:
        findings = list(_check_experiment(repo, source.lineage, _in_order(source.lineage)))
        yield from findings
    yield from until_refused(check_blocks(repo, lineage.commits, source.lineage.format if source else lineage.format))
    yield from until_refused(check_copies(repo, lineage, source))
    if source and not findings:
        for copy in filter(source.comes_next, lineage.iterations):
            sealed = source.lineage.iterations
            yield from check_verdicts(source.contract, [*sealed, copy], since=len(sealed))


def _in_order(lineage: Lineage) -> list[Iteration]:
    """The iterations from the baseline up to the first that is missing, or does not stand where it was sealed."""
    iterations: list[Iteration] = []
    for commit in lineage.commits:
        iteration = commit.iteration
        if iteration and commit.is_own and (not iterations or iteration.number == iterations[-1].number + 1):
            iterations.append(iteration)
        elif commit.claim:
            break
    return iterations if lineage.contract else []


def _check_contracts(repo: Repository, baseline: ParsedCommit) -> Iterator[Finding]:
    """Whether the branch has one contract; below its baseline may be another experiment, on a branch of its own."""
    look = f"git log --oneline {short(baseline.oid)}"
    if baseline.iteration and baseline.iteration.number:
        yield Finding("contract", f"{baseline.name} has a contract of its own inside an experiment.", look)
        return
    below = [ParsedCommit.of(commit) for commit in rev_list(repo, "--first-parent", "-2", baseline.parent)]
    last = below[0] if below[0].is_own else next((one for one in below[1:] if one.oid == below[0].reverts), None)
    if last is not None and last.is_own and not _is_elsewhere(repo, last, baseline):
        clause = f"{baseline.name} begins a second contract on this branch, and no other branch holds what is below it"
        yield Finding("contract", f"{clause} ({last.name}).", look)
    elif baseline.iteration and baseline.iteration.reason != BASELINE_REASON:
        yield Finding(
            "reason", f"{baseline.name} does not have the reason {BASELINE_REASON!r}.", f"gitexp why {identity(0)}"
        )


def _is_elsewhere(repo: Repository, last: ParsedCommit, baseline: ParsedCommit) -> bool:
    """Whether a branch that does not hold the baseline holds the commit below it."""
    holders = (
        "for-each-ref",
        f"--contains={last.oid}",
        f"--no-contains={baseline.oid}",
        "refs/heads/",
        "refs/remotes/",
    )
    return bool(repo.line(*holders))
