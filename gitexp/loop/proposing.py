"""A note that a proposer edits the work tree, and of what it leaves there: only that may be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from gitexp.git.fsmonitor import changes
from gitexp.git.objects import entries, file_entry, index_entries
from gitexp.git.repository import Repository
from gitexp.git.worktree import covers, untracked_below
from gitexp.iteration.journal import Files, to_files
from gitexp.ledger.experiment_files import ExperimentFiles

NOTE = "proposing"


@dataclass(frozen=True, slots=True)
class ProposedEdit:
    """The edit of a proposer, as the proposer left it."""

    can_be_made_again: bool  # then no ref needs to keep it
    files: Files | None  # by path; None while a proposer works whose edit is not known beforehand
    index: Files | None = None  # what git's index holds of these paths, where the proposer may have staged them


def begin_proposing(place: ExperimentFiles, foreseen: Files | None) -> None:
    """From now on the proposer edits the work tree, which held no edit before."""
    _write(place, ProposedEdit(foreseen is not None, foreseen))


def note_edit(repo: Repository, place: ExperimentFiles, editable: Iterable[str]) -> None:
    """The proposer is done: where its edit was not foreseen, it is whatever differs from HEAD now."""
    edit = proposing(place)
    if edit and edit.files is None:
        _write(place, edit_of(repo, _candidates(repo, editable)))


def note_gated_edit(repo: Repository, place: ExperimentFiles, editable: Iterable[str]) -> None:
    """The pre-run hook may have changed the edit. Then a ref must keep it: a person may have changed it too."""
    edit = proposing(place)
    if edit and edit.files is not None:
        now = edit_of(repo, dict.fromkeys([*edit.files, *_editable(repo, editable)]))
        if now.files != edit.files:
            _write(place, now)


def half_edit(repo: Repository, editable: Iterable[str]) -> ProposedEdit:
    """What a proposer may have left that died while it worked: every change of an ``editable`` path."""
    return edit_of(repo, _editable(repo, editable))


def edit_of(repo: Repository, paths: Iterable[str]) -> ProposedEdit:
    """What those of ``paths`` hold that differ from HEAD, as an edit that a ref must keep."""
    paths = dict.fromkeys(paths)
    old = entries(repo, "HEAD", paths) if paths else {}
    now = {path: file_entry(repo, path, old.get(path)) for path in paths}
    index = index_entries(repo, paths)
    files = {path: entry for path, entry in now.items() if {entry, index[path]} != {old.get(path)}}
    return ProposedEdit(False, files, {path: index[path] for path in files})


def proposing(place: ExperimentFiles) -> ProposedEdit | None:
    """The edit that a proposer has made or is making; ``None`` when the work tree holds none."""
    return place.read_note(NOTE, _decode)


def forget_proposing(place: ExperimentFiles) -> None:
    """From now on an edit in the work tree is a person's."""
    place.forget_note(NOTE)


def _candidates(repo: Repository, editable: Iterable[str]) -> list[str]:
    """The paths that may differ from HEAD. Editable files are among them, since git need not be asked for those."""
    editable = tuple(editable)
    files = [path for path in editable if not (repo.top / path).is_dir()]
    changed = [change.path for change in changes(repo, compared=files)]
    return [*files, *changed, *untracked_below(repo, editable)]


def _editable(repo: Repository, editable: Iterable[str]) -> list[str]:
    editable = tuple(editable)
    return [path for path in _candidates(repo, editable) if covers(editable, path)]


def _write(place: ExperimentFiles, edit: ProposedEdit) -> None:
    place.write_note(NOTE, asdict(edit))


def _decode(data: dict[str, Any]) -> ProposedEdit:
    files, index = (data[key] if data[key] is None else to_files(data[key]) for key in ("files", "index"))
    return ProposedEdit(data["can_be_made_again"], files, index)
