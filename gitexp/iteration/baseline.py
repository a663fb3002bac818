"""Begin an experiment: run the script as it is, and seal the baseline with the contract."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git import refs
from gitexp.git.objects import GITLINK, SYMLINK, entries
from gitexp.git.repository import Repository
from gitexp.git.worktree import check_ready, is_repository
from gitexp.iteration import stale_locks
from gitexp.iteration.finalize import conclude_baseline, keep_result
from gitexp.iteration.journal import Snapshot
from gitexp.iteration.plan import Plan, contract_of, inside_work_tree, link_name
from gitexp.iteration.recovery import recover
from gitexp.iteration.replicates import gather_baseline
from gitexp.iteration.seal import give_up, open_pending
from gitexp.iteration.snapshot import check_imported, take_snapshot
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import RESULTS, VIEWS, Contract, Measurement, view_path
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.device import Busy, check_device, device_held
from gitexp.run.links import name_targets
from gitexp.run.missing import LINES, check_output
from gitexp.shell import command, git_command, pathspec
from gitexp.signals import signals_wait
from gitexp.text import visible
from gitexp.verdict.guards import broken
from gitexp.verdict.rules import baseline_runs
from gitexp.views import results_tsv

BASELINE = "exp000"


def begin(repo: Repository, plan: Plan, observer: Observer, busy: Busy = Busy.REFUSE) -> Ledger:
    """Create ``exp/<name>`` from HEAD with the sealed baseline, and check it out.

    Raises when the baseline cannot be measured; then everything is as it was.
    """
    check_ready(repo)
    place = ExperimentFiles.of(repo, plan.experiment)
    if repo.lookup("check-ref-format", "--branch", place.branch, none=128) is None or place.name.startswith("-"):
        raise GitexpError(f"{place.name!r} cannot be part of a branch name.", "gitexp init --name NAME")
    with place.locked(repo, "init"):
        if recovered := recover(repo, place, observer):
            raise GitexpError(f"{recovered.id} was finished first; nothing new was begun.", "gitexp status")
        stale_locks.check_none(repo, place)
        _check_free(repo, place)
        check_device("init", busy)
        _check_views(repo, posixpath.dirname(inside_work_tree(repo, plan, plan.script)) or ".")
        made: dict[Path, bytes] = {}
        try:
            _write_files(plan, made)
            if hooked := hooks.install(repo):
                made[hooked] = read_file(hooked)
            snapshot, measurement = _measure(repo, place, plan, observer, busy)
        except BaseException:
            with signals_wait():
                give_up(repo, place)
                _take_back(made)
            raise
        with signals_wait():
            keep_result(place, snapshot.candidate, measurement, observer)
            return conclude_baseline(repo, place, snapshot, measurement, observer)


def _take_back(made: dict[Path, bytes]) -> None:
    """Remove what was put there for this baseline, where it still is that."""
    for file, data in made.items():
        if file.is_file() and read_file(file) == data:
            file.unlink()


def _check_free(repo: Repository, place: ExperimentFiles) -> None:
    name = place.name
    if repo.resolve(f"refs/heads/{place.branch}"):
        raise GitexpError(
            f"The experiment {visible(name)} exists already.",
            f"{git_command('switch', place.branch)}   # or: {command('gitexp', 'init', '--name', name + '-2')}",
        )
    # git keeps no branch a/b beside a branch a: better said now than after the baseline's run.
    parts = place.branch.split("/")
    above = ["refs/heads/" + "/".join(parts[:length]) for length in range(1, len(parts))]
    below = repo.line("for-each-ref", "--format=%(refname)", f"refs/heads/{place.branch}/").splitlines()
    if clash := [ref for ref in above if refs.read(repo, ref)] + below:
        raise GitexpError(
            f"The branch {visible(place.branch)} cannot be: {visible(clash[0])} is in its way.",
            "gitexp init --name NAME",
        )


def _check_views(repo: Repository, home: str) -> None:
    """Both views are computed: what somebody keeps by hand under these names is not overwritten."""
    for path in (view_path(home, name) for name in VIEWS):
        file = repo.top / path
        if repo.line("ls-files", "--", path):
            raise GitexpError(
                f"{visible(path)} is tracked here, and gitexp computes it from the branch's history.",
                f"git rm --cached {pathspec(path)} && git commit -m 'Leave {file.name} to gitexp'",
            )
        aside = command("mv", file, file.with_name(f"old-{file.name}"))
        if os.path.lexists(file) and (file.is_symlink() or not file.is_file()):
            raise GitexpError(f"{visible(path)} is not a plain file here; gitexp writes it.", aside)
        if file.name == RESULTS and file.exists() and not results_tsv.is_computed(file):
            raise GitexpError(f"{visible(path)} is kept by hand here; move it away first.", aside)


def _write_files(plan: Plan, made: dict[Path, bytes]) -> None:
    """Write the plan's files, and note each in ``made``. Raises GitexpError rather than overwrite another file."""
    files = {plan.directory / path: data for path, data in plan.files.items()}
    missing = {file: data for file, data in files.items() if not (file.is_file() and read_file(file) == data)}
    for file in missing:
        if os.path.lexists(file):
            raise GitexpError(
                f"{file} exists, and the template would overwrite it.",
                f"{command('mv', '--', file.name, 'old-' + file.name)}   # or use it: gitexp init SCRIPT",
            )
    for file, data in missing.items():
        made[file] = data
        write_file(file, data)


def _measure(
    repo: Repository, place: ExperimentFiles, plan: Plan, observer: Observer, busy: Busy
) -> tuple[Snapshot, Measurement]:
    contract = contract_of(repo, plan, observer)
    name_targets(place, {link_name(repo, plan, path): target for path, target in plan.links.items() if target})
    # The baseline's tree: HEAD, with the editable and frozen files as they lie in the work tree.
    paths = (*contract.edit, *(frozen.path for frozen in contract.freeze))
    snapshot = take_snapshot(
        repo,
        place,
        BASELINE,
        base=repo.line("rev-parse", "HEAD"),
        paths=paths,
        home=contract.home,
        description="baseline",
        notes=plan.notes,
        contract=contract,
    )
    _check_held(repo, contract, snapshot.candidate.tree)
    check_imported(repo, contract, snapshot, contract.edit)
    open_pending(repo, place, snapshot)
    branch = refs.current_branch(repo)
    runs = baseline_runs(contract.rule)
    with device_held(place, "init", busy, observer):
        measurement = gather_baseline(repo, place, contract, snapshot, runs, observer)
    if measurement.score is None and not contract.in_place:
        check_output(repo, contract, snapshot.candidate.tree, place.log_tail(snapshot.candidate.label(1), LINES))
    _check_measured(measurement, place.log(snapshot.candidate.label(1)))
    if reason := broken(contract, measurement):
        raise GitexpError(f"With this baseline nothing could ever be kept: {reason}.", "gitexp init -h")
    if (refs.current_branch(repo), repo.resolve("HEAD")) != (branch, snapshot.candidate.base):
        raise GitexpError("Another commit was checked out while the baseline ran; nothing was sealed.", "git status")
    return snapshot, measurement


def _check_held(repo: Repository, contract: Contract, tree: str) -> None:
    """git must hold the content of every path the contract names, or its commits would not say what ran."""
    for path in (contract.script, *contract.edit, *(frozen.path for frozen in contract.freeze)):
        held = entries(repo, tree, [path])
        linked = path in held and held[path].mode in (SYMLINK, GITLINK)
        if (not held and path != ".") or linked or _is_elsewhere(repo, path):
            raise GitexpError(
                f"{visible(path)} cannot be committed here: it is ignored, a link, or in another repository.",
                f"git add {pathspec(path)}",
            )


def _is_elsewhere(repo: Repository, path: str) -> bool:
    """Below a link to a folder, or in a repository of its own."""
    above = [folder for folder in (repo.top / path).parents if repo.top in folder.parents]
    return any(folder.is_symlink() or is_repository(folder) for folder in above)


def _check_measured(measurement: Measurement, log: Path) -> None:
    if measurement.score is None:
        hint = command("less", log)
        if measurement.reason.startswith("no score"):
            hint += "   # or name the score: gitexp init --metric NAME"
        raise GitexpError(
            f"The baseline crashed ({measurement.reason}); nothing was sealed and everything is as it was.", hint
        )
