"""results.tsv and EXPERIMENT.md in the work tree: written together, and without losing an edit of EXPERIMENT.md."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import Any

from gitexp.errors import GitexpError
from gitexp.files import remove_part_files, write_file
from gitexp.git.repository import Repository
from gitexp.git.status import exclude
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, NOTEBOOK, RESULTS, VIEWS, Notes, view_path
from gitexp.paths import inside
from gitexp.shell import command, git_command
from gitexp.text import visible
from gitexp.views import results_tsv
from gitexp.views.experiment_md import experiment_md
from gitexp.views.notebook import absorb, current, owner, read

NOTE = "rendering"  # stands while EXPERIMENT.md is being replaced


def unsealed(repo: Repository, place: ExperimentFiles, home: str) -> Notes:
    """The edits that people made in EXPERIMENT.md, in the folder ``home``, since it was computed.

    Raises :class:`GitexpError` where the file is another experiment's, and holds edits for that one.
    """
    text, name = current(repo, home), place.name
    other = owner(text)
    others = _computed(repo, ExperimentFiles.of(repo, other), home) if other and other != name else ""
    if not others:
        computed = _computed(repo, place, home)
        return Notes() if text == computed else absorb(text, computed)
    if current(repo, home) != text:  # a step of the other experiment writes its views beside this
        return unsealed(repo, place, home)
    if other and text != others:
        raise GitexpError(
            f"{NOTEBOOK} holds edits for the experiment {visible(other)}, not for {visible(name)}.",
            f"{git_command('switch', BRANCH_PREFIX + other)}   # and seal them with a step there, or remove {NOTEBOOK}",
        )
    return Notes()


def mark_sealed(repo: Repository, place: ExperimentFiles, home: str, computed: str, notebook: str) -> None:
    """Take the edits in ``notebook`` for sealed: from now on only what differs from it is an edit."""
    if _computed(repo, place, home) != computed:  # else the views of that iteration are written already
        if read(place.rendered) != notebook:
            write_file(place.rendered, notebook.encode())
        place.forget_note(NOTE)


def write_views(
    repo: Repository, place: ExperimentFiles, ledger: Ledger, computed: str = "", after_run: bool = False
) -> None:
    """Write results.tsv and EXPERIMENT.md beside the script; people's unsealed edits stay in the latter.

    ``computed`` is the text of EXPERIMENT.md, where the caller has made it already. ``after_run``: a table of another
    form is the run's, and is replaced.
    """
    home = ledger.contract.home
    _check_plain(repo, home)
    if not after_run:
        check_free(repo, home)
    edits = unsealed(repo, place, home)
    remove_part_files([repo.top / home])
    exclude(repo, ledger.contract.views, "computed by gitexp")
    computed = computed or experiment_md(ledger)
    place.write_note(NOTE, [current(repo, home), computed])  # before it is replaced, and after
    results_tsv.write(repo, place, ledger)
    write_file(
        inside(repo.top, view_path(home, NOTEBOOK)),
        (experiment_md(ledger, edits) if edits != Notes() else computed).encode(),
    )
    write_file(place.rendered, computed.encode())
    place.forget_note(NOTE)


def check_free(repo: Repository, home: str) -> None:
    """Raise where somebody keeps a table of their own under gitexp's name. Ask before a run: that may write one."""
    table = repo.top / home / RESULTS
    if table.is_file() and not table.is_symlink() and not results_tsv.is_computed(table):
        raise GitexpError(
            f"{visible(view_path(home, RESULTS))} is kept by hand here, and is not overwritten.",
            f"{command('mv', table, table.with_name(f'old-{RESULTS}'))} && gitexp render",
        )


def _check_plain(repo: Repository, home: str) -> None:
    for name in VIEWS:
        file = inside(repo.top, view_path(home, name))
        if os.path.lexists(file) and (file.is_symlink() or not file.is_file()):
            clearing = command("rm", file) if file.is_symlink() else command("mv", file, file.with_name(f"old-{name}"))
            raise GitexpError(
                f"{name} is not a plain file here, and gitexp neither reads nor writes through it.",
                f"{clearing} && gitexp render",
            )


def _computed(repo: Repository, place: ExperimentFiles, home: str) -> str:
    """The computed text that EXPERIMENT.md is an edit of; empty if that is not known."""
    written = place.read_note(NOTE, _two_texts)
    if written:  # a gitexp died as it wrote: before it replaced the file, or after?
        before, after = (_shared(current(repo, home), text) for text in written)
        if after > before:
            return written[1]
    text = read(place.rendered)
    if not text and owner(current(repo, home)) == place.name:  # a power cut emptied it
        with suppress(GitexpError):
            return experiment_md(history.load(repo, place.name))
    return text


def _two_texts(data: Any) -> tuple[str, str]:
    before, computed = data
    return str(before), str(computed)


def _shared(text: str, other: str) -> int:
    """How many lines two texts have in common."""
    return sum((Counter(text.split("\n")) & Counter(other.split("\n"))).values())
