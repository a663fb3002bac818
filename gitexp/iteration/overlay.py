"""Other files in the work tree for a while: the incumbent's, to run it again, or those of an iteration to be tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from gitexp.errors import GitexpError
from gitexp.git.objects import Entry
from gitexp.git.replacement import replace_unchanged
from gitexp.git.repository import Repository
from gitexp.iteration.journal import Files, to_files
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.signals import signals_wait
from gitexp.text import visible_list

NOTE = "borrowed"


@contextmanager
def borrowed(
    repo: Repository, place: ExperimentFiles, held: Mapping[str, Entry | None], wanted: Mapping[str, Entry | None]
) -> Iterator[None]:
    """The work tree holds ``wanted`` instead of ``held``; what it held comes back however this is left.

    Raises when somebody changes one of the files meanwhile; that change stays.
    """
    _write_loan(place, held, wanted)
    try:
        _check_all(replace_unchanged(repo, place.kept, held, wanted))
        yield
    finally:
        with signals_wait():
            left = give_back(repo, place)
    _check_all(left)


def give_back(repo: Repository, place: ExperimentFiles) -> tuple[str, ...]:
    """Put back what was borrowed, also by a gitexp that died; the paths left alone, because somebody changed them."""
    loan = read_loan(place)
    if loan is None:
        return ()
    held, wanted = loan
    left = replace_unchanged(repo, place.kept, wanted, held)
    place.forget_note(NOTE)
    return left


def _write_loan(place: ExperimentFiles, held: Mapping[str, Entry | None], wanted: Mapping[str, Entry | None]) -> None:
    sides = ({path: asdict(entry) if entry else None for path, entry in side.items()} for side in (held, wanted))
    place.write_note(NOTE, dict(zip(("held", "wanted"), sides, strict=True)))


def read_loan(place: ExperimentFiles) -> tuple[Files, Files] | None:
    """What the work tree held, and what it holds instead for a while."""
    return place.read_note(NOTE, lambda data: (to_files(data["held"]), to_files(data["wanted"])))


def _check_all(left: tuple[str, ...]) -> None:
    if left:
        raise GitexpError(
            f"{visible_list(left)} was changed while another version of it was to be run; nothing was recorded.",
            "git diff",
        )
