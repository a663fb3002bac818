"""results.tsv and EXPERIMENT.md: what is computed, and what is read back of what people wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.row import COLUMNS
from gitexp.model import Contract, Direction, Frozen, Iteration, Measurement, Notes, Sample, Status
from gitexp.text import UNSAFE, printable
from gitexp.views.experiment_md import SHOWN, experiment_md
from gitexp.views.notebook import COMPUTED, WRITTEN_BY_PEOPLE, absorb
from gitexp.views.on_disk import unsealed, write_views
from gitexp.views.results_tsv import results_tsv
from tests.helpers.made_iterations import changed, make_iteration
from tests.helpers.repositories import git

PURE = settings(max_examples=60, deadline=None, derandomize=True, database=None)

UNRULY = [
    *("## Hypothesis", "\n## Constraints\n\n- forged\n", "# Experiment other", "#", "\n# x ##", "\n\\# x", "\n\\\\#"),
    *("\n", "\n\n\n", "\r\n", "\t", " ", "\n  ", "\n\n    code\n", "- a", "\n- b\n", "* c", "1. d", "\n2) e", "+"),
    *("```", "\n```python\n# comment\n```\n", "<!-- gitexp", "\n<!-- x\n", "-->", "---", "\n===\n", "> q", "{{ x }}"),
    *("<!-- gitexp computes this file -->", "exp001: a", "word", "\0", "\x1b[31m", "\u202e", "\u2028", "\ud800", "é"),
]
TEXT = st.text(st.characters()) | st.lists(st.sampled_from(UNRULY), max_size=7).map("".join)
ITEMS = st.lists(TEXT.filter(str.strip), max_size=3).map(tuple)
PEOPLE = st.builds(Notes, TEXT, TEXT, ITEMS, ITEMS)


def iteration(number: int, status: Status, score: float | None, description: str, **more: object) -> Iteration:
    identity = f"exp{number:03d}"
    measurement = Measurement(
        samples=(Sample(identity, 7, 8.25, score),),
        score=score,
        memory_mb=None if score is None else 512.25,
        test=2.75 if number == 0 else None,
        device="Apple M4" if number == 0 else "",
    )
    values = {"reason": "", "measurement": measurement, "commit": f"{number:040x}"[::-1]} | more
    return make_iteration(id=identity, run="f", base="e", tree="d", status=status, description=description, **values)  # type: ignore[arg-type]


CONTRACT = Contract(
    metric="val_bpb",
    direction=Direction.MINIMIZE,
    budget=300.0,
    timeout=600.0,
    script="train.py",
    edit=("train.py", "model"),
    freeze=(Frozen("evaluate.py", "b" * 40), Frozen("prepare.py", "c" * 40)),
    rule="single",
    hook="a" * 40,
    seed=7,
)
LEDGER = Ledger(
    name="depth",
    tip="t",
    contract=CONTRACT,
    iterations=IterationTuple(
        (
            iteration(0, Status.KEEP, 2.667, "baseline", contract=CONTRACT),
            iteration(
                1, Status.KEEP, 2.5, "halve the batch", delta=-0.167, notes=Notes(note="It was too large.\n# really")
            ),
            iteration(2, Status.DISCARD, 2.75, "GeLU\tnot ReLU", delta=0.25),
            iteration(3, Status.CRASH, None, "depth 80", reason="exit 1: MemoryError"),
        )
    ),
    notes=Notes(
        goal="lowest val_bpb\n\nin a week",
        hypothesis="# of layers matters",
        constraints=("no downloads", "one GPU,\nthe small one"),
        next=(),
    ),
)

TABLE = """\
id metric val_score test_score memory_mb status description commit seconds samples
exp000 val_bpb 2.667000 2.750000 512.2 KEEP baseline 0000000000 8.2 1
exp001 val_bpb 2.500000  512.2 KEEP halve_the_batch 1000000000 8.2 1
exp002 val_bpb 2.750000  512.2 DISCARD GeLU_not_ReLU 2000000000 8.2 1
exp003 val_bpb    CRASH depth_80 3000000000 8.2 1
"""

DOCUMENT = """\
# Experiment depth

<!-- gitexp computes this file from the branch's history. Current goal, Hypothesis, Constraints and Next to try are
     yours: an edit there is sealed into the next iteration. Anything else you add is kept as a note. -->

## Current goal

lowest val_bpb

in a week

## Baseline

exp000 KEEP 2.667000: baseline

- metric: val_bpb (minimize), rule `single`, seed 7
- budget: 300 s of training with `train.py`, ended after 600 s
- may change: `train.py`, `model`; frozen: `evaluate.py`, `prepare.py`
- device: Apple M4

## Hypothesis

\\# of layers matters

## Constraints

- no downloads
- one GPU,
  the small one

## Next to try

## Results so far

4 iterations: 2 KEEP, 1 DISCARD, 1 CRASH. Incumbent: exp001 KEEP 2.500000: halve the batch

- exp000 KEEP 2.667000: baseline
- exp001 KEEP 2.500000: halve the batch
- exp002 DISCARD 2.750000: GeLU not ReLU
- exp003 CRASH: depth 80

## What was learned

Helped:

- exp001 halve the batch: -0.167000

Did not help:

- exp002 GeLU not ReLU: +0.250000

Crashed:

- exp003 depth 80: exit 1: MemoryError

## Notes

exp001: It was too large.
\\# really
"""


def bare(iterations: int = 1, notes: Notes = Notes()) -> Ledger:
    more = tuple(iteration(n, Status.DISCARD, 3.0 + n, f"idea {n}") for n in range(1, iterations))
    return replace(LEDGER, iterations=IterationTuple((LEDGER.baseline, *more)), notes=notes)


def tidy(text: str | None) -> str:
    """As it comes back, with no spaces at line ends, none around it, no two blank lines in a row."""
    lines = "\n".join(line.rstrip() for line in printable(text or "").strip().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines)


def tidy_items(items: tuple[str, ...] | None) -> tuple[str, ...]:
    """As a list comes back: no blank lines and no indentation in an item."""
    lines = ([line.strip() for line in printable(item).split("\n")] for item in items or ())
    return tuple("\n".join(filter(None, item)) for item in lines if any(item))


# -- what is computed ------------------------------------------------------------------------------------------------


def test_the_table_of_a_small_experiment() -> None:
    expected = [line.split(" ") for line in TABLE.splitlines()]
    assert results_tsv(LEDGER) == "".join("\t".join(row).replace("_", " ") + "\n" for row in expected).replace(
        "val bpb", "val_bpb"
    ).replace("val score\ttest score\tmemory mb", "val_score\ttest_score\tmemory_mb")


def test_the_document_of_a_small_experiment() -> None:
    assert experiment_md(LEDGER) == DOCUMENT


def test_the_document_of_a_baseline_has_every_section() -> None:
    headings = re.findall(r"(?m)^#+ .*", experiment_md(bare()))
    assert headings == [
        "# Experiment depth",
        *("## Current goal", "## Baseline", "## Hypothesis", "## Constraints", "## Next to try"),
        *("## Results so far", "## What was learned", "## Notes"),
    ]
    assert sorted(heading.removeprefix("## ") for heading in headings[1:]) == sorted(WRITTEN_BY_PEOPLE + COMPUTED)


def test_the_document_does_not_grow_with_the_history() -> None:
    ledger = bare(SHOWN + 300)
    text = experiment_md(ledger)
    assert text.count("\n- exp") == 2 * SHOWN
    assert f"The last {SHOWN} (all of them are in results.tsv):" in text
    assert "319 DISCARD" in text
    assert "- exp319 DISCARD 322.000000: idea 319\n" in text
    assert "exp299" not in text
    assert len(results_tsv(ledger).splitlines()) == 1 + SHOWN + 300


def test_a_delta_is_the_sealed_one() -> None:
    later = (
        *LEDGER.iterations,
        iteration(4, Status.DISCARD, 2.5, "again", delta=0.0),
        iteration(5, Status.KEEP, 2.25, "better", delta=-0.25),
        iteration(6, Status.DISCARD, 2.0, "more heads", reason="breaks the guard memory_mb<=8"),
    )
    text = experiment_md(replace(LEDGER, iterations=IterationTuple(later)))
    assert "- exp006 more heads: breaks the guard memory_mb<=8\n" in text
    assert "- exp001 halve the batch: -0.167000\n- exp005 better: -0.250000\n" in text
    assert "- exp004 again: +0.000000\n" in text


def test_unsealed_text_stands_in_place_of_the_sealed() -> None:
    text = experiment_md(LEDGER, Notes(goal="another", constraints=(), next=("x",), note="mine"))
    assert "## Current goal\n\nanother\n\n## Baseline" in text
    assert "## Constraints\n\n## Next to try\n\n- x\n" in text
    assert "\\# of layers matters" in text
    assert text.endswith("## Notes\n\nexp001: It was too large.\n\\# really\n\nmine\n")


@PURE
@given(PEOPLE, st.lists(TEXT, min_size=4, max_size=4))
def test_nobody_s_text_breaks_a_view_or_drives_a_terminal(notes: Notes, texts: list[str]) -> None:
    device, metric, path, description = texts
    measurement = replace(LEDGER.baseline.measurement, device=device)
    baseline = changed(
        LEDGER.baseline, measurement=measurement, description=description, notes=replace(notes, note=path)
    )
    frozen = (Frozen(path, "b" * 40),)
    contract = replace(CONTRACT, metric=metric, script=path, edit=(path,), freeze=frozen, rule=device)
    crash = changed(LEDGER.iterations[-1], reason=metric)
    ledger = replace(LEDGER, iterations=IterationTuple((baseline, crash)), contract=contract, notes=notes)
    table, document = results_tsv(ledger), experiment_md(ledger)
    assert [len(line.split("\t")) for line in table.split("\n")] == [len(COLUMNS)] * 3 + [1]
    assert not UNSAFE.search(re.sub(r"[\t\n]", "", table + document))
    assert len(re.findall(r"(?m)^#", document)) == 9


# -- nothing changed -------------------------------------------------------------------------------------------------


@PURE
@given(PEOPLE, TEXT)
def test_a_document_as_it_was_computed_says_nothing(notes: Notes, note: str) -> None:
    noted = changed(LEDGER.baseline, notes=Notes(note=note))
    document = experiment_md(replace(LEDGER, iterations=IterationTuple((noted,)), notes=notes))
    assert absorb(document, document) == Notes()
    assert absorb(document.replace("\n", "\r\n"), document) == Notes()
    assert absorb(document.replace("\n", " \t\n").rstrip(), document) == Notes()


@pytest.mark.parametrize("text", ["", "\n", "# Experiment depth\n", DOCUMENT.partition("## Current goal")[0]])
def test_a_document_without_its_sections_says_nothing(text: str) -> None:
    assert absorb(text, DOCUMENT) == Notes()


# -- what people wrote -----------------------------------------------------------------------------------------------


@PURE
@given(PEOPLE)
@example(Notes(goal="<!-- gitexp computes this file, they say -->", hypothesis="-->", constraints=(), next=()))
def test_people_s_text_is_read_back_as_it_was(notes: Notes) -> None:
    read = absorb(experiment_md(bare(notes=notes)), "")
    assert tidy(read.goal) == tidy(notes.goal)
    assert tidy(read.hypothesis) == tidy(notes.hypothesis)
    assert (read.constraints or ()) == tidy_items(notes.constraints)
    assert (read.next or ()) == tidy_items(notes.next)


@PURE
@given(PEOPLE, TEXT)
@example(Notes(), "#todo: look at the data")
@example(Notes(), "It was too large.\n```\ncode\n```\nmore\n```\ncode\n```")
def test_unsealed_text_survives_every_render(notes: Notes, note: str) -> None:
    computed = experiment_md(LEDGER)
    once = absorb(experiment_md(LEDGER, replace(notes, note=note)), computed)
    again = absorb(experiment_md(LEDGER, once), computed)
    assert (again.constraints, again.next) == (once.constraints, once.next)
    for before, after in ((once.goal, again.goal), (once.hypothesis, again.hypothesis), (once.note, again.note)):
        assert tidy(after) == tidy(before)
    assert (once.note or "").replace("\\", "").split() == printable(note).replace("\\", "").split()


@pytest.mark.parametrize(
    ("old", "new", "notes"),
    [
        ("lowest val_bpb\n\nin a week", "0.9", Notes(goal="0.9")),
        ("lowest val_bpb\n\nin a week", "0.9\n\n- and\n- fast", Notes(goal="0.9\n\n- and\n- fast")),
        ("lowest val_bpb\n\nin a week", "", Notes(goal="")),
        ("in a week", "in a month", Notes(goal="lowest val_bpb\n\nin a month")),
        ("\\# of layers matters", "width matters", Notes(hypothesis="width matters")),
        ("\\# of layers matters", "\\# of heads matters", Notes(hypothesis="# of heads matters")),
        ("- no downloads", "- any downloads", Notes(constraints=("any downloads", "one GPU,\nthe small one"))),
        ("- no downloads\n", "", Notes(constraints=("one GPU,\nthe small one",))),
        ("  the small one", "  the big one", Notes(constraints=("no downloads", "one GPU,\nthe big one"))),
        ("  the small one", "or two", Notes(constraints=("no downloads", "one GPU,", "or two"))),
        ("- no downloads\n- one GPU,\n  the small one\n", "", Notes(constraints=())),
        ("## Next to try\n", "## Next to try\n- wider\n* deeper\n+ both\n", Notes(next=("wider", "deeper", "both"))),
        ("## Next to try\n", "## Next to try\n1. a\n2) b\n- [ ] c\n- [x] d\n", Notes(next=("a", "b", "c", "d"))),
        ("## Next to try\n", "## Next to try\nwider\n\n deeper\n", Notes(next=("wider\ndeeper",))),
        ("## Next to try\n", "## Next to try\n-\n- wider\n- \n", Notes(next=("wider",))),
        ("## Current goal\n\nlowest", "# CURRENT GOAL ##\nhighest", Notes(goal="highest val_bpb\n\nin a week")),
        ("## Hypothesis\n\n", "### hypothesis\nSo: ", Notes(hypothesis="So: \\# of layers matters")),
        ("\n## Hypothesis", "\nor two\n## Hypothesis", Notes(note="or two")),
        ("- exp002 DISCARD", "- why?\n- exp002 DISCARD", Notes(note="- why?")),
        ("(minimize)", "(maximize)", Notes(note="- metric: val_bpb (maximize), rule `single`, seed 7")),
        ("Helped:", "Helped, I think:", Notes(note="Helped, I think:")),
        ("# Experiment depth\n", "# Experiment depth\n\nOn my laptop.\n", Notes(note="On my laptop.")),
        ("# Experiment depth\n", "On my laptop.\n# Experiment depth\n", Notes(note="On my laptop.")),
        ("\n## Baseline", "\n## Ideas\n\nMuon.\n## Baseline", Notes(note="Ideas:\nMuon.")),
        ("\n## Baseline", "\n## Ideas\n## Baseline", Notes(note="Ideas:")),
        ("\\# really\n", "\\# really\n\nNot quite.\n", Notes(note="Not quite.")),
        ("\\# really\n", "\\# really\n\n# Experiment ideas\n\nMuon.\n", Notes(note="Experiment ideas:\nMuon.")),
        ("\\# really\n", "\\# really\n<!-- mine -->\n", Notes(note="<!-- mine -->")),
        ("\\# really\n", "\\# really\n\nOn GeLU:\nIt was too large.\n", Notes(note="On GeLU:\nIt was too large.")),
        ("\\# really\n", "", Notes()),
    ],
)
def test_an_edit_is_seen(old: str, new: str, notes: Notes) -> None:
    assert DOCUMENT.count(old) == 1
    edited = DOCUMENT.replace(old, new)
    assert absorb(edited, DOCUMENT) == notes
    assert absorb(edited.replace("\n", "\r\n"), DOCUMENT) == notes


def test_sections_may_change_places() -> None:
    head, *sections = re.split(r"(?m)^(?=## )", DOCUMENT)
    assert absorb(head + "\n".join(reversed(sections)), DOCUMENT) == Notes()


def test_a_section_taken_out_is_not_a_section_emptied() -> None:
    without = re.sub(r"(?s)## Hypothesis.*?(?=## Constraints)", "", DOCUMENT)
    assert absorb(without, DOCUMENT) == Notes()


def test_a_repeated_line_in_a_new_note_is_kept() -> None:
    """A second block of code has the same fences as the first."""
    sealed = changed(LEDGER.baseline, notes=Notes(note="why:\n```\nx = 1\n```"))
    computed = experiment_md(replace(LEDGER, iterations=IterationTuple((sealed,))))
    assert absorb(computed + "\nand:\n```\nx = 2\n```\n", computed) == Notes(note="and:\n```\nx = 2\n```")


@PURE
@given(PEOPLE, st.text(st.characters()))
def test_any_file_can_be_read(notes: Notes, text: str) -> None:
    computed = experiment_md(replace(LEDGER, notes=notes))
    middle = len(computed) // 2
    absorb(text, computed)
    absorb(computed[:middle] + text + computed[middle:], computed)


# -- on disk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(repo: Repository) -> ExperimentFiles:
    return ExperimentFiles.of(repo, LEDGER.name)


def test_both_views_are_written_and_git_is_told_to_pass_them_by(repo: Repository, place: ExperimentFiles) -> None:
    write_views(repo, place, LEDGER)
    assert (repo.top / "EXPERIMENT.md").read_text() == DOCUMENT
    assert (repo.top / "results.tsv").read_text() == results_tsv(LEDGER)
    assert git("status", "--porcelain", cwd=repo.top) == ""
    once = (repo.git_dir / "info" / "exclude").read_bytes()
    write_views(repo, place, LEDGER)
    assert (repo.git_dir / "info" / "exclude").read_bytes() == once


@pytest.mark.parametrize("before", [b"*.bin", b"caf\xe9\n", b"a\r\n*.bin\r\n", b""])
def test_what_a_person_excluded_stays_excluded(repo: Repository, place: ExperimentFiles, before: bytes) -> None:
    exclude = repo.git_dir / "info" / "exclude"
    exclude.write_bytes(before)
    (repo.top / "x.bin").write_text("x")
    status = git("status", "--porcelain", cwd=repo.top)
    write_views(repo, place, LEDGER)
    assert exclude.read_bytes().startswith(before)
    assert git("status", "--porcelain", cwd=repo.top) == status


def test_an_edit_survives_further_renders_until_it_is_sealed(repo: Repository, place: ExperimentFiles) -> None:
    write_views(repo, place, LEDGER)
    file = repo.top / "EXPERIMENT.md"
    edited = DOCUMENT.replace("in a week", "in a month") + "\n#todo: the data\n\nNot quite.\n"
    file.write_text(edited)
    notes = Notes(goal="lowest val_bpb\n\nin a month", note="#todo: the data\n\nNot quite.")
    for _ in range(3):
        assert unsealed(repo, place, ".") == notes
        write_views(repo, place, LEDGER)
    last = changed(LEDGER.iterations[-1], notes=notes)
    iterations = LEDGER.iterations.before(3).plus([last])
    sealed = replace(LEDGER, iterations=iterations, notes=replace(LEDGER.notes, goal=notes.goal))
    assert experiment_md(sealed).endswith("\n\nexp003: \\#todo: the data\n\nNot quite.\n")


def test_a_file_with_dos_line_ends_keeps_its_edit(repo: Repository, place: ExperimentFiles) -> None:
    write_views(repo, place, LEDGER)
    edited = DOCUMENT.replace("in a week", "in a month").replace("\n", "\r\n")
    (repo.top / "EXPERIMENT.md").write_bytes(edited.encode())
    write_views(repo, place, LEDGER)
    assert (repo.top / "EXPERIMENT.md").read_bytes() == DOCUMENT.replace("in a week", "in a month").encode()


def test_a_file_that_is_no_text_can_be_read(repo: Repository, place: ExperimentFiles) -> None:
    write_views(repo, place, LEDGER)
    (repo.top / "EXPERIMENT.md").write_bytes(DOCUMENT.encode().replace(b"in a week", b"in a \xff week\0"))
    assert unsealed(repo, place, ".") == Notes(goal="lowest val_bpb\n\nin a \ufffd week\0")
    write_views(repo, place, LEDGER)
    assert b"\0" not in (repo.top / "EXPERIMENT.md").read_bytes()


def test_a_file_taken_away_is_written_again(repo: Repository, place: ExperimentFiles) -> None:
    write_views(repo, place, LEDGER)
    (repo.top / "EXPERIMENT.md").unlink()
    assert unsealed(repo, place, ".") == Notes()
    write_views(repo, place, LEDGER)
    assert (repo.top / "EXPERIMENT.md").read_text() == DOCUMENT


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_edits_for_another_experiment_are_not_taken_for_this_one(
    repo: Repository, place: ExperimentFiles, line_end: str
) -> None:
    write_views(repo, place, LEDGER)
    file = repo.top / "EXPERIMENT.md"
    file.write_bytes(DOCUMENT.replace("\n", line_end).encode())
    assert unsealed(repo, ExperimentFiles.of(repo, "other"), ".") == Notes()  # as it was computed
    file.write_bytes(DOCUMENT.replace("in a week", "in a month").replace("\n", line_end).encode())
    with pytest.raises(GitexpError, match="edits for the experiment depth, not for other") as refused:
        unsealed(repo, ExperimentFiles.of(repo, "other"), ".")
    assert refused.value.hint.startswith("git switch exp/depth ")


def test_a_file_from_elsewhere_becomes_the_first_edit(repo: Repository, place: ExperimentFiles, tmp_path: Path) -> None:
    assert unsealed(repo, place, ".") == Notes()
    (repo.top / "EXPERIMENT.md").write_text("Written before gitexp.\n\n## Current goal\n\nfast\n")
    assert unsealed(repo, place, ".") == Notes(goal="fast", note="Written before gitexp.")
