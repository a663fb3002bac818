"""Iterations as messages and back."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.git.commits import commit_tree
from gitexp.git.repository import Repository
from gitexp.ledger import trailer_block
from gitexp.ledger.messages import SUBJECT_LIMIT, describe, fault, from_message, revert_message, to_message
from gitexp.model import Iteration, Notes, Sample, Status, headline
from gitexp.text import UNSAFE, one_line
from tests.helpers.iterations import BASELINE, CRASH, TEXT, iterations
from tests.helpers.made_iterations import changed
from tests.helpers.properties import PURE, SLOW_DATA
from tests.helpers.repositories import git


def again(iteration: Iteration) -> Iteration | None:
    return from_message(trailer_block.read(to_message(iteration)), iteration.commit)


# -- iteration -> message -> iteration -------------------------------------------------------------------------------


@SLOW_DATA
@given(iterations())
@example(BASELINE)
@example(CRASH)
def test_an_iteration_is_read_back_as_it_was(iteration: Iteration) -> None:
    read = again(iteration)
    assert read is not None
    assert changed(read, body="") == changed(iteration, body="")
    assert read.candidate.body.split() == trailer_block.printable(iteration.candidate.body).split()
    assert again(read) == read


def test_the_baseline_is_written_as_specified() -> None:
    assert to_message(BASELINE).decode() == (
        "exp000 KEEP 2.667000: baseline\n\n"
        "Exp-Format: 1\n"
        "Exp-Id: exp000\n"
        f"Exp-Run: {'f' * 32}\n"
        f"Exp-Base: {'e' * 40}\n"
        f"Exp-Tree: {'d' * 40}\n"
        "Exp-Status: KEEP\n"
        "Exp-Score: 2.667\n"
        "Exp-Metric: mfu_percent=39.8\n"
        "Exp-Metric: a=b=1e-12\n"
        "Exp-Test: 2.7\n"
        "Exp-Memory-MB: 27545.5\n"
        "Exp-Seconds: 8.25\n"
        "Exp-Seed: 7\n"
        "Exp-Sample: exp000 seed=7 seconds=8.25 score=2.667\n"
        "Exp-Device: Apple M4\n"
        "Exp-Reason: the baseline\n"
        'Exp-Goal: "as low\\nas can be"\n'
        "Exp-Constraint: no downloads\n"
        'Exp-Next: ""\n'
        "Exp-Optimize: minimize val_bpb\n"
        "Exp-Budget: 300\n"
        "Exp-Timeout: 600\n"
        "Exp-Script: train.py\n"
        "Exp-Edit: train.py\n"
        "Exp-Edit: model\n"
        f"Exp-Freeze: {'b' * 40} evaluate it.py\n"
        "Exp-Rule: single\n"
        "Exp-One-Variable: warn\n"
        "Exp-Retries: 2\n"
        f"Exp-Hook: {'a' * 40}\n"
    )


def test_a_crash_is_written_without_a_score() -> None:
    message = to_message(CRASH).decode()
    assert message.startswith("exp001 CRASH: GeLU\n\nWhy not.\n\nExp-Id: exp001\n")
    assert "Exp-Score" not in message
    assert "Exp-Sample: exp001 seed=7 seconds=1.00 score=\n" in message
    assert "Exp-Error: ValueError: x\n" in message
    assert 'Exp-Param: LR=0.3\nExp-Param: model.act="a=b"\n' in message


def test_scores_keep_every_digit_seconds_and_memory_are_rounded() -> None:
    m = BASELINE.measurement
    precise = replace(m, score=0.1 + 0.2, memory_mb=1.26, samples=(Sample("exp000", 7, 1.23456, 0.1 + 0.2),))
    read = again(changed(BASELINE, measurement=precise))
    assert read
    assert read.score == 0.1 + 0.2
    assert read.measurement.memory_mb == 1.3
    assert read.measurement.samples == (Sample("exp000", 7, 1.23, 0.1 + 0.2),)


@pytest.mark.parametrize("delta", [None, 0.0, -0.1, 1e-12, 123456789.125])
def test_a_delta_is_read_back(delta: float | None) -> None:
    read = again(changed(BASELINE, delta=delta))
    assert read
    assert read.delta == delta


@pytest.mark.parametrize("notes", [Notes(goal=""), Notes(hypothesis=""), Notes(constraints=()), Notes(next=())])
def test_cleared_is_not_unchanged(notes: Notes) -> None:
    read = again(changed(CRASH, notes=notes))
    assert read
    assert read.notes == notes != Notes()


# -- subjects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "status", "text"),
    [
        (1.8079015, Status.KEEP, "exp004 KEEP 1.807902: x"),
        (0.0, Status.DISCARD, "exp004 DISCARD 0.000000: x"),
        (-12.5, Status.DISCARD, "exp004 DISCARD -12.500000: x"),
        (1.25e-7, Status.KEEP, "exp004 KEEP 1.25e-07: x"),
        (3.5e9, Status.KEEP, "exp004 KEEP 3.5e+09: x"),
        (None, Status.CRASH, "exp004 CRASH: x"),
    ],
)
def test_the_forms_of_a_subject(score: float | None, status: Status, text: str) -> None:
    measured = replace(BASELINE.measurement, score=score)
    iteration = changed(CRASH, id="exp004", status=status, description="x", measurement=measured)
    assert headline(iteration) == text
    read = again(iteration)
    assert read
    assert read.description == "x"


@pytest.mark.parametrize("description", ["KEEP 1.0: y", "a: b: c", "exp001 KEEP 1.0: y", "", ":", '"q"', "…"])
def test_a_description_may_look_like_a_subject(description: str) -> None:
    read = again(changed(BASELINE, description=description))
    assert read
    assert read.description == description


def test_another_subject_is_the_description() -> None:
    message = to_message(BASELINE).replace(b"exp000 KEEP 2.667000: baseline", b"reworded by a person")
    read = from_message(trailer_block.read(message), "c")
    assert read
    assert read.description == "reworded by a person"
    assert read.id == "exp000"


def test_a_revert_is_worded_as_git_does(repo: Repository) -> None:
    head = repo.resolve("HEAD")
    (repo.top / "train.py").write_text("LR = 1\n")
    git("add", "-A", cwd=repo.top)
    tree = git("write-tree", cwd=repo.top).strip()
    for description in ("GeLU", 'say "no"', "é 😀", "x" * SUBJECT_LIMIT):
        iteration = changed(CRASH, description=description)
        commit = commit_tree(repo, tree, head, to_message(iteration))
        git("reset", "-q", "--hard", commit, cwd=repo.top)
        git("revert", "--no-edit", "HEAD", cwd=repo.top)
        written = subprocess.run(
            ["git", "cat-file", "commit", "HEAD"], cwd=repo.top, capture_output=True, check=True
        ).stdout.partition(b"\n\n")[2]
        assert written == revert_message(iteration, commit)


# -- describe --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "description", "body"),
    [
        ("", "", ""),
        (" \n\t ", "", ""),
        ("depth 8 -> 4", "depth 8 -> 4", ""),
        ("  depth  8\t->  4  ", "depth 8 -> 4", ""),
        ("depth\n\nIt is faster.\nMuch.", "depth", "It is faster.\nMuch."),
        ("depth\nIt is faster.", "depth", "It is faster."),
        ("\n\nlate\n", "late", ""),
        ("a\x1b[31m\0b\u202ec", "a [31m b c", ""),
        ("to be continued…", "to be continued…", ""),
        ("to be continued…\nhere", "to be continued…", "here"),
        ("Exp-Status: KEEP\nExp-Id: exp999", "Exp-Status: KEEP", "Exp-Id: exp999"),
    ],
)
def test_describe(text: str, description: str, body: str) -> None:
    assert describe(text) == (description, body)


def test_ten_thousand_characters_stand_whole_below_their_beginning() -> None:
    text = "word " * 2000
    description, body = describe(text)
    assert description == one_line(text, SUBJECT_LIMIT)
    assert len(description) <= SUBJECT_LIMIT
    assert body == text.strip()


@PURE
@given(TEXT, st.integers(0, 2), st.sampled_from(["", "…", "x…\n", "\n…"]))
@example("x", 2, "…")
def test_describe_loses_nothing(text: str, longer: int, end: str) -> None:
    text = text + " word" * 100 * longer + end
    description, body = describe(text)
    assert description == one_line(text.strip().partition("\n")[0], SUBJECT_LIMIT)
    assert not UNSAFE.search(description)
    said = body if body == text.strip() else f"{description}\n{body}"
    assert one_line(said) == one_line(text)


# -- formats ---------------------------------------------------------------------------------------------------------


def test_a_contract_with_a_seed_of_its_own_is_of_format_2() -> None:
    """Format 1 has it from the first run."""
    assert BASELINE.contract
    other = changed(BASELINE, contract=replace(BASELINE.contract, seed=3))
    message = to_message(other).decode()
    assert message.startswith("exp000 KEEP 2.667000: baseline\n\nExp-Format: 2\nExp-Id: exp000\n")
    assert "Exp-Seed: 7\n" in message
    assert message.endswith(f"Exp-Hook: {'a' * 40}\nExp-Contract-Seed: 3\n")
    assert again(other) == other


def test_what_format_1_can_say_is_of_format_1() -> None:
    assert b"Exp-Format: 1\n" in to_message(BASELINE)
    assert b"Exp-Contract-Seed" not in to_message(BASELINE)


def test_each_format_has_its_own_key_for_the_seed() -> None:
    old, new = b"Exp-Format: 1\n", b"Exp-Format: 2\n"
    message = to_message(BASELINE)
    both = message + b"Exp-Contract-Seed: 3\n"
    for text, seed in ((message, 7), (both, 7), (both.replace(old, new), 3)):
        read = from_message(trailer_block.read(text), "c")
        assert read
        assert read.contract
        assert read.contract.seed == seed
    lacking = trailer_block.read(message.replace(old, new))
    assert from_message(lacking, "c") is None
    assert fault(lacking) == "Exp-Contract-Seed is missing"


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3", "1.1", "02", '""', "one"])
def test_another_format_is_refused_with_the_way_out(version: str) -> None:
    message = to_message(BASELINE).replace(b"Exp-Format: 1\n", f"Exp-Format: {version}\n".encode())
    with pytest.raises(GitexpError, match="this gitexp reads formats 1 and 2") as refused:
        from_message(trailer_block.read(message), "c")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("Exp-Score: 2.667", "Exp-Score: nan"),
        ("Exp-Score: 2.667", "Exp-Score: inf"),
        ("Exp-Score: 2.667", "Exp-Score: 1e999"),
        ("Exp-Score: 2.667", "Exp-Score: good"),
        ("Exp-Score: 2.667", 'Exp-Score: ""'),
        ("Exp-Score: 2.667", "Exp-Score: 2,667"),
        ("Exp-Score: 2.667\n", ""),
        ("Exp-Metric: a=b=1e-12", "Exp-Metric: a=b=nan"),
        ("Exp-Metric: a=b=1e-12", "Exp-Metric: a"),
        ("Exp-Metric: a=b=1e-12", "Exp-Metric: a="),
        ("Exp-Metric: a=b=1e-12", "Exp-Param: LR"),
        ("Exp-Test: 2.7", "Exp-Test: -inf"),
        ("Exp-Memory-MB: 27545.5", "Exp-Memory-MB: 27 GB"),
        ("score=2.667\n", "score=nan\n"),
        (" score=2.667\n", "\n"),
        ("seed=7 ", "seed=7.5 "),
        ("seed=7 ", ""),
        ("seconds=8.25 ", "seconds=inf "),
        ("seconds=8.25 ", "seconds "),
        ("Exp-Seed: 7", "Exp-Seed: seven"),
        ("Exp-Seed: 7", "Exp-Seed: " + "9" * 5000),
        ("Exp-Budget: 300", "Exp-Budget: nan"),
        ("Exp-Timeout: 600\n", ""),
        ("Exp-Optimize: minimize", "Exp-Optimize: lower"),
        ("Exp-Hook", "Exp-Note"),
        ("Exp-Script", "Exp-Note"),
        ("Exp-Rule", "Exp-Note"),
        ("Exp-Run", "Exp-Note"),
        ("Exp-Base", "Exp-Note"),
        ("Exp-Id: exp000", "Exp-Id: exp0"),
        ("Exp-Id: exp000", "Exp-Id: 000"),
        ("Exp-Id: exp000", "Exp-Id: exp000 and more"),
        ("Exp-Status: KEEP", "Exp-Status: keep"),
        ("Exp-Status: KEEP", "Exp-Status: CRASH"),
        ("Exp-Status: KEEP\n", ""),
    ],
)
def test_a_malformed_block_is_no_iteration(line: str, instead: str) -> None:
    message = to_message(BASELINE).decode()
    assert line in message
    assert again(BASELINE) == BASELINE
    assert from_message(trailer_block.read(message.replace(line, instead).encode()), "c") is None


@pytest.mark.parametrize(
    "message", [b"", b"x", b"x\n\nSigned-off-by: A <a@b>\n", to_message(CRASH).partition(b"\n\nExp")[0]]
)
def test_a_commit_without_a_block_is_no_iteration(message: bytes) -> None:
    assert from_message(trailer_block.read(message), "c") is None


@PURE
@given(st.data())
def test_a_damaged_message_is_an_iteration_or_none(data: st.DataObject) -> None:
    message = bytearray(to_message(data.draw(st.sampled_from([BASELINE, CRASH]))))
    for _ in range(data.draw(st.integers(1, 8))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = from_message(trailer_block.read(bytes(message)), "c")
    except GitexpError:
        return  # it hit the format
    if read:
        assert (read.score is None) == (read.status is Status.CRASH)
