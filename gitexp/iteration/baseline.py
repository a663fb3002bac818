"""Begin an experiment: run the script as it is, and seal the baseline with the contract."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git import refs
from gitexp.git.objects import GITLINK, SYMLINK, entries
from gitexp.git.repository import Repository
from gitexp.git.worktree import check_ready, freeze, is_repository
from gitexp.iteration import stale_locks
from gitexp.iteration.finalize import conclude_baseline, keep_result
from gitexp.iteration.journal import Snapshot
from gitexp.iteration.recovery import recover
from gitexp.iteration.replicates import gather_baseline
from gitexp.iteration.seal import give_up, open_pending
from gitexp.iteration.snapshot import take_snapshot
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import CLEAN_TREE, IN_PLACE, RESULTS, VIEWS, Contract, Direction, Measurement, Notes, view_path
from gitexp.observer import Observer
from gitexp.paths import link_place
from gitexp.run import hooks
from gitexp.run.device import Busy, check_device, device_held
from gitexp.run.links import find_links, name_targets, named_texts
from gitexp.run.named_paths import elsewhere, links_beside
from gitexp.shell import command, git_command, pathspec
from gitexp.signals import signals_wait
from gitexp.text import visible
from gitexp.verdict.guards import broken, parse
from gitexp.verdict.rules import baseline_runs
from gitexp.verdict.rules import parse as parse_rule
from gitexp.views import results_tsv

BASELINE = "exp000"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person asks of a new experiment. Paths are relative to ``directory``, where the command was typed."""

    directory: Path
    script: str = "train.py"
    name: str = ""
    metric: str = "val_bpb"
    direction: Direction = Direction.MINIMIZE
    budget: float = 300.0
    timeout: float | None = None
    edit: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    rule: str = "confirm"
    seed: int = 0
    guards: tuple[str, ...] = ()
    one_variable: str = "warn"
    retries: int = 2
    in_place: bool = False
    links: Mapping[str, str] = field(default_factory=dict)  # what git ignores and a run needs; a target, or nothing
    unlinked: tuple[str, ...] = ()  # what is not to be linked
    notes: Notes = Notes()
    files: Mapping[str, bytes] = field(default_factory=dict)  # contents to write first, by path

    @property
    def experiment(self) -> str:
        return self.name or Path(self.script).stem


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
        _check_views(repo, posixpath.dirname(_inside(repo, plan, plan.script)) or ".")
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
    contract = _contract(repo, plan, observer)
    name_targets(place, {_link_name(repo, plan, path): target for path, target in plan.links.items() if target})
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
    open_pending(repo, place, snapshot)
    branch = refs.current_branch(repo)
    runs = baseline_runs(contract.rule)
    with device_held(place, "init", busy, observer):
        measurement = gather_baseline(repo, place, contract, snapshot, runs, observer)
    _check_measured(measurement, place.log(snapshot.candidate.label(1)))
    if reason := broken(contract, measurement):
        raise GitexpError(f"With this baseline nothing could ever be kept: {reason}.", "gitexp init -h")
    if (refs.current_branch(repo), repo.resolve("HEAD")) != (branch, snapshot.candidate.base):
        raise GitexpError("Another commit was checked out while the baseline ran; nothing was sealed.", "git status")
    return snapshot, measurement


def _contract(repo: Repository, plan: Plan, observer: Observer) -> Contract:
    script = _inside(repo, plan, plan.script)
    if not (repo.top / script).is_file():
        raise GitexpError(
            f"There is no {visible(plan.script)} here.", "gitexp init --template mlx   # or: gitexp init YOUR.py"
        )
    frozen = [file for path in plan.freeze for file in _files(repo, _existing(repo, plan, path))]
    edit = tuple(dict.fromkeys(_existing(repo, plan, path) for path in plan.edit or (plan.script,)))
    if both := sorted(set(edit) & set(frozen)):
        raise GitexpError(f"{visible(both[0])} cannot be both editable and frozen.", "gitexp init -h")
    return Contract(
        metric=plan.metric,
        direction=plan.direction,
        budget=plan.budget,
        timeout=plan.timeout or 2 * plan.budget + 60,
        script=script,
        directory=os.path.relpath(plan.directory, repo.top),
        edit=edit,
        freeze=freeze(repo, dict.fromkeys(frozen)),
        rule=str(parse_rule(plan.rule)),
        hook=hooks.blob(repo, hooks.find(repo)),
        seed=plan.seed,
        guards=tuple(str(parse(guard)) for guard in plan.guards),
        one_variable=plan.one_variable,
        retries=plan.retries,
        runs_in=IN_PLACE if plan.in_place else CLEAN_TREE,
        links=() if plan.in_place else _links(repo, plan, (script, *edit, *frozen), observer),
    )


def _links(repo: Repository, plan: Plan, files: Iterable[str], observer: Observer) -> tuple[str, ...]:
    """What is to be linked into the clean tree: what a run seems to need, and what the plan names.

    Says which paths are read elsewhere.
    """
    directory = os.path.normpath(os.path.relpath(plan.directory, repo.top))
    texts = named_texts(repo, directory, [*files, "Makefile"], hooks.find(repo))
    for sentence in elsewhere(repo, directory, texts):
        observer.say(sentence)
    named = [_link_name(repo, plan, path) for path in plan.links]
    unlinked = {_link_name(repo, plan, path) for path in plan.unlinked}
    found = [*find_links(repo, directory, texts.values()), *links_beside(repo, directory, texts)]
    return tuple(path for path in dict.fromkeys([*named, *found]) if path not in unlinked)


def _link_name(repo: Repository, plan: Plan, path: str) -> str:
    """``path`` as a contract names a link: as git does, or ``../NAME`` for what lies beside the work tree."""
    relative = os.path.relpath(os.path.abspath(plan.directory / path), repo.top)
    link_place(repo.top, relative)
    return relative if relative.startswith("../") else _inside(repo, plan, path)


def _existing(repo: Repository, plan: Plan, path: str) -> str:
    inside = _inside(repo, plan, path)
    if not os.path.lexists(repo.top / inside):
        raise GitexpError(f"There is no {visible(path)} here.", "ls")
    return inside


def _files(repo: Repository, path: str) -> list[str]:
    """A folder's tracked files; a file is itself."""
    if not (repo.top / path).is_dir():
        return [path]
    files = list(filter(None, repo.line("ls-files", "-z", "--", path).split("\0")))
    if not files:
        raise GitexpError(
            f"{visible(path)} holds no file that git tracks, so nothing in it can be frozen.",
            git_command("add", "--", path),
        )
    return files


def _inside(repo: Repository, plan: Plan, path: str) -> str:
    """``path`` as git names it: relative to the top level. Raises for one outside the work tree."""
    relative = os.path.relpath(os.path.abspath(plan.directory / path), repo.top)
    if relative == ".." or relative.startswith("../"):
        raise GitexpError(f"{visible(path)} is outside this work tree ({repo.top}).", "gitexp init -h")
    try:
        relative.encode()
    except UnicodeEncodeError:
        raise GitexpError(f"The name of {path!r} is not UTF-8 text.", "mv OLD NEW") from None
    return relative


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
