"""The trailer codec against git itself, with hostile text: what is written is what git lists and what is read back."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitexp.git.commits import commit_tree, first_parents
from gitexp.git.repository import Repository
from gitexp.ledger import summary, trailer_block, trailers
from gitexp.model import Candidate, Contract, Measurement, Notes, Remark, Verdict
from gitexp.text import UNSAFE, one_line
from tests.helpers.repositories import git, make_repository

PURE = settings(max_examples=100, deadline=None, derandomize=True, database=None)
WITH_GIT = settings(PURE, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = settings(WITH_GIT, max_examples=8)

LONG = "0123456789" * 1000
UNRULY = [
    *("Exp-Status: KEEP", "\nExp-Id: exp999\nExp-Status: KEEP\n", "\n\nExp-Id: exp999\n\n", "EXP-ID: exp999"),
    *("Signed-off-by: A <a@b>", "(cherry picked from commit 0123)", "---", "\n---\n", "# comment", "\n# comment\n"),
    *("\r\n", "\r", "\n", "\n\n", "\t", "\0", "\f", "\v", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\u2066"),
    *('"', "'", "\\", "\\u0041", " ", "  ", "\xa0", "\u3000", "\ufeff", ":", "=", "é", "😀", "\ud83d", "\ude00", LONG),
]
TEXT = st.text(st.characters()) | st.lists(st.sampled_from(UNRULY), max_size=6).map("".join)
KEYS = sorted(trailers.keys())
PLANNED = (
    "Exp-Env Exp-Command Exp-Read Exp-Retract Exp-Belief Exp-Recheck Exp-Reapplied Exp-Artifact Exp-Cost Exp-Import"
).split()
PAIRS = st.lists(st.tuples(st.sampled_from(KEYS), TEXT), max_size=6).map(lambda pairs: [("Exp-Id", "exp004"), *pairs])
FORGED = "Exp-Id: exp999\nExp-Run: 0\nExp-Status: KEEP\nExp-Score: 0.1"


def held(text: str) -> str:
    """``text`` as UTF-8 and JSON can hold it: two halves of a character that stand side by side are the character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def read_back(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, held(value)) for key, value in pairs)


def block(pairs: list[tuple[str, str]]) -> bytes:
    return "".join(f"{key}: {trailer_block.encode(value)}\n" for key, value in pairs).encode()


def output(*args: str, cwd: Path | None = None, stdin: bytes = b"") -> bytes:
    """What git prints, byte for byte."""
    return subprocess.run(["git", *args], cwd=cwd, input=stdin, capture_output=True, check=True).stdout


def parsed(message: bytes) -> bytes:
    return output("interpret-trailers", "--parse", "--no-divider", stdin=message)


def picked(repo: Repository, messages: list[bytes], *options: str) -> list[bytes]:
    """The messages of commits on main, after ``git cherry-pick`` copied them to another branch."""
    start = tip = git("rev-parse", "main", cwd=repo.top).strip()
    tree = git("rev-parse", "main^{tree}", cwd=repo.top).strip()
    for message in messages:
        tip = commit_tree(repo, tree, tip, message)
    git("checkout", "-q", "-B", "other", start, cwd=repo.top)
    git("commit", "-q", "--allow-empty", "-m", "something else", cwd=repo.top)
    git("cherry-pick", *options, "--allow-empty", "--keep-redundant-commits", f"{start}..{tip}", cwd=repo.top)
    copies = [commit.message for commit in first_parents(repo, "other")]
    return copies[: len(messages)][::-1]


# -- one value ---------------------------------------------------------------------------------------------------------


@PURE
@given(TEXT)
def test_a_value_is_one_safe_line_and_is_read_back(value: str) -> None:
    encoded = trailer_block.encode(value)
    assert encoded == encoded.strip() != ""
    assert not UNSAFE.search(encoded)
    assert trailer_block.decode(encoded) == held(value)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("depth 8 -> 4", "depth 8 -> 4"),
        ('said "no"', 'said "no"'),
        ("", '""'),
        (" x", '" x"'),
        ("x\xa0", '"x\xa0"'),
        ('"quoted"', r'"\"quoted\""'),
        ("two\nlines\r\n", r'"two\nlines\r\n"'),
        ("\0\x1b\x7f", r'"\u0000\u001b\u007f"'),
        ("\u202e\u2028\ud800", r'"\u202e\u2028\ud800"'),
    ],
)
def test_a_value_stands_as_the_specification_says(value: str, encoded: str) -> None:
    assert trailer_block.encode(value) == encoded


@pytest.mark.parametrize("text", ['"', '"open', '"a" b', '"\\x"', '"bad \\u12"'])
def test_a_quoted_value_that_is_not_json_is_taken_as_it_stands(text: str) -> None:
    assert trailer_block.decode(text) == text


# -- whole messages ----------------------------------------------------------------------------------------------------


@PURE
@given(TEXT, TEXT, PAIRS)
@example("x", FORGED, [("Exp-Id", "exp004")])
@example("x", f"a\n\n{FORGED}\n", [("Exp-Id", "exp004")])
@example("x", f"{FORGED}\n \n", [("Exp-Id", "exp004")])
def test_exactly_the_pairs_put_in_are_read_back(subject: str, text: str, pairs: list[tuple[str, str]]) -> None:
    message = trailer_block.read(trailer_block.write(one_line(subject), text, pairs))
    assert message.trailers == read_back(pairs)
    assert message.subject == one_line(subject)
    assert not message.displaced


@PURE
@given(TEXT)
def test_no_word_of_the_text_is_lost(text: str) -> None:
    message = trailer_block.read(trailer_block.write("subject", text, [("Exp-Id", "exp004")]))
    assert message.text.split() == trailer_block.printable(text).split()


@PURE
@given(TEXT)
def test_the_text_of_a_message_does_not_change_when_it_is_written_again(text: str) -> None:
    once = trailer_block.read(trailer_block.write("subject", text, [("Exp-Id", "exp004")])).text
    assert trailer_block.read(trailer_block.write("subject", once, [("Exp-Id", "exp004")])).text == once


@PURE
@given(st.binary() | TEXT.map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_can_be_read(data: bytes) -> None:
    message = trailer_block.read(data)
    assert all(key.startswith("Exp-") for key, _ in message.trailers)
    assert not message.trailers or message.first("Exp-Id") is not None


@WITH_GIT
@given(TEXT, TEXT, PAIRS)
@example("x", FORGED, [("Exp-Id", "exp004")])
@example("x", "---\n# comment\nSigned-off-by: A <a@b>", [("Exp-Id", "exp004"), ("Exp-Note", "---\n# x")])
def test_git_lists_exactly_the_pairs_put_in(subject: str, text: str, pairs: list[tuple[str, str]]) -> None:
    assert parsed(trailer_block.write(one_line(subject), text, pairs)) == block(pairs)


@WITH_GIT
@given(text=TEXT, pairs=PAIRS)
def test_git_log_lists_exactly_the_pairs_of_a_commit(repo: Repository, text: str, pairs: list[tuple[str, str]]) -> None:
    head = repo.resolve("HEAD")
    commit = commit_tree(repo, repo.tree_of(head), head, trailer_block.write("subject", text, pairs))
    listed = output("log", "-1", "--format=%(trailers:only,unfold)", commit, cwd=repo.top)
    assert listed.removesuffix(b"\n") == block(pairs)


@FEW
@given(messages=st.lists(st.tuples(TEXT, PAIRS), min_size=1, max_size=5))
def test_a_cherry_pick_keeps_text_and_pairs(
    repo: Repository, messages: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    written = [trailer_block.write("subject", text, pairs) for text, pairs in messages]
    for before, after in zip(map(trailer_block.read, written), picked(repo, written, "-x"), strict=True):
        assert b"\n(cherry picked from commit " in after
        copy = trailer_block.read(after)
        assert (copy.subject, copy.trailers, copy.displaced) == (before.subject, before.trailers, False)
        assert copy.text.split() == before.text.split()  # git drops spaces at line ends


@FEW
@given(pairs=PAIRS)
def test_a_sign_off_goes_into_the_block_and_hides_nothing(repo: Repository, pairs: list[tuple[str, str]]) -> None:
    [signed] = picked(repo, [trailer_block.write("subject", "text", pairs)], "-x", "--signoff")
    assert b"\nSigned-off-by: Ada Lovelace" in signed
    assert trailer_block.read(signed).trailers == read_back(pairs)
    assert not trailer_block.read(signed).displaced
    assert parsed(signed).startswith(block(pairs))


# -- what a person's git does to it ------------------------------------------------------------------------------------

CONFIG = """\
[trailer]
    separators = "#=%"
    where = start
[trailer "run"]
    key = "Exp-Run = "
    command = echo forged
[core]
    commentChar = E
    abbrev = 4
[i18n]
    commitEncoding = ISO-8859-1
    logOutputEncoding = ISO-8859-1
[log]
    showSignature = true
    decorate = full
    follow = true
    showRoot = true
[commit]
    template = ~/template
    cleanup = strip
    verbose = true
[format]
    pretty = fuller
    notes = true
[color]
    ui = always
[pager]
    log = false
"""


@FEW
@given(text=TEXT, pairs=PAIRS)
def test_what_a_person_configured_does_not_matter(
    repo: Repository, tmp_path: Path, text: str, pairs: list[tuple[str, str]]
) -> None:
    home = Path.home()
    (home / "template").write_text("# Exp-Id: exp998\nExp-Id: exp997\n")
    (home / ".gitconfig").write_text(CONFIG)
    head = repo.resolve("HEAD")
    written = trailer_block.write("subject é 😀", text, pairs)
    commit = commit_tree(repo, repo.tree_of(head), head, written)
    assert git("log", "-1", "--format=%e", commit, cwd=repo.top) == "\n"  # not declared to be of another encoding
    read = next(iter(first_parents(repo, commit)))
    assert read.message.rstrip(b"\n") == written.rstrip(b"\n")
    assert trailer_block.read(read.message).trailers == read_back(pairs)


def test_a_squash_merge_is_no_iteration(repo: Repository) -> None:
    head = repo.resolve("HEAD")
    one = commit_tree(
        repo,
        repo.tree_of(head),
        head,
        trailer_block.write("exp001 KEEP 1.0: a", "", [("Exp-Id", "exp001"), ("Exp-Base", head)]),
    )
    (repo.top / "new").write_text("x")
    git("add", "new", cwd=repo.top)
    tree = git("write-tree", cwd=repo.top).strip()
    two = commit_tree(repo, tree, one, trailer_block.write("exp002 KEEP 0.9: b", "text", [("Exp-Id", "exp002")]))
    git("reset", "-q", "--hard", cwd=repo.top)
    git("merge", "-q", "--squash", two, cwd=repo.top)
    git("commit", "-q", "--no-edit", cwd=repo.top)
    squashed = output("log", "-1", "--format=%B", cwd=repo.top)
    assert b"    Exp-Id: exp002\n" in squashed
    assert trailer_block.read(squashed).trailers == ()


def test_what_git_reverts_is_no_iteration(repo: Repository) -> None:
    head = repo.resolve("HEAD")
    (repo.top / "new").write_text("x")
    git("add", "new", cwd=repo.top)
    tree = git("write-tree", cwd=repo.top).strip()
    commit = commit_tree(repo, tree, head, trailer_block.write("exp001 KEEP 1.0: a", "b", [("Exp-Id", "exp001")]))
    git("reset", "-q", "--hard", commit, cwd=repo.top)
    git("revert", "--no-edit", "HEAD", cwd=repo.top)
    assert trailer_block.read(output("log", "-1", "--format=%B", cwd=repo.top)).trailers == ()


# -- blocks that are not the last thing, or not ours -------------------------------------------------------------------

AFTER = [
    "Co-authored-by: Eve <eve@example.org>\n",
    "Some more words.\n",
    "Two\n\nparagraphs of words.\n",
    "Reviewed-by: Eve <eve@example.org>\nnot a trailer at all\nnor this\nnor that\n",
]


@pytest.mark.parametrize("after", AFTER)
def test_a_block_that_something_was_put_after_is_found_and_flagged(after: str) -> None:
    pairs = [("Exp-Id", "exp004"), ("Exp-Note", "two\nlines"), ("Exp-Status", "KEEP")]
    message = trailer_block.write("subject", "text", pairs) + b"\n" + after.encode()
    assert b"Exp-" not in parsed(message)
    read = trailer_block.read(message)
    assert read.trailers == tuple(pairs)
    assert read.displaced
    assert read.text == "text"


@PURE
@given(TEXT, PAIRS, st.sampled_from(AFTER))
def test_a_displaced_block_has_all_its_pairs(text: str, pairs: list[tuple[str, str]], after: str) -> None:
    read = trailer_block.read(trailer_block.write("subject", text, pairs) + b"\n" + after.encode())
    assert read.trailers == read_back(pairs)
    assert read.displaced


@pytest.mark.parametrize("case", [str, str.lower, str.upper])
@pytest.mark.parametrize("around", ["{}", "{}\n\nmore", "words\n{}\nwords", "words\n\n\n{}", "{}\n\xa0", "\r\n{}\r\n"])
def test_a_forged_block_in_the_body_is_not_taken(around: str, case: type[str]) -> None:
    pairs = [("Exp-Id", "exp004"), ("Exp-Status", "DISCARD")]
    message = trailer_block.write("subject", around.format(case(FORGED)), pairs)
    assert trailer_block.read(message).trailers == tuple(pairs)
    assert parsed(message) == block(pairs)
    # Nor when the true block is gone:
    assert trailer_block.read(message.replace(block(pairs), b"")).trailers == ()


def test_a_forged_value_is_one_value() -> None:
    pairs = [("Exp-Id", "exp004"), ("Exp-Note", f"x\n\n{FORGED}\n"), ("Exp-Reason", "y\r\nExp-Status: KEEP")]
    message = trailer_block.write("subject", "", pairs)
    assert trailer_block.read(message).all("Exp-Status") == ()
    assert parsed(message) == block(pairs)


def test_words_beside_trailers_are_no_block() -> None:
    assert trailer_block.read(b"subject\n\nExp-Id: exp004\nand then some words\n").trailers == ()
    assert trailer_block.read(b"Exp-Id: exp004\n").trailers == ()
    assert trailer_block.read(b"subject\nExp-Id: exp004\n").first("Exp-Id") == "exp004"


def test_a_message_with_dos_line_ends_is_read() -> None:
    pairs = [("Exp-Id", "exp004"), ("Exp-Note", "two\nlines")]
    message = trailer_block.write("subject", "text", pairs).replace(b"\n", b"\r\n")
    assert trailer_block.read(message).trailers == tuple(pairs)


def test_keys_may_repeat_and_keep_their_order() -> None:
    pairs = [("Exp-Id", "exp004"), ("Exp-Next", "b"), ("Exp-Goal", "x"), ("Exp-Next", "a"), ("Exp-Next", "b")]
    read = trailer_block.read(trailer_block.write("subject", "", pairs))
    assert read.trailers == tuple(pairs)
    assert read.all("Exp-Next") == ("b", "a", "b")
    assert read.first("Exp-Next") == "b"
    assert read.first("Exp-Note") is None


# -- the specification -------------------------------------------------------------------------------------------------


def test_the_specification_and_the_code_have_the_same_keys() -> None:
    assert trailers.__doc__
    specified = re.findall(r"Exp-[A-Za-z]+(?:-[A-Za-z]+)*", trailers.__doc__)
    assert sorted(set(specified)) == KEYS
    assert len(KEYS) > 25


def test_the_code_names_no_key_that_the_table_has_not() -> None:
    sources = [file.read_text() for file in Path(trailers.__file__).parent.parent.rglob("*.py")]
    named = {key for source in sources for key in re.findall(r"\bExp-[A-Z][A-Za-z]*(?:-[A-Za-z]+)*", source)}
    assert sorted(named) == KEYS


def test_each_field_has_one_trailer() -> None:
    """But those of the message's subject and text, and what is a part of its own, or is computed."""
    elsewhere: dict[str, tuple[type, set[str]]] = {
        "candidate": (Candidate, {"description", "body", "notes", "contract"}),
        "verdict": (Verdict, {"lead", "noise", "evidence"}),
        "measurement": (Measurement, {"reason"}),
        "notes": (Notes, set()),
        "contract": (Contract, {"metric", "direction"}),
        "remark": (Remark, {"kind", "of", "commit"}),
        "summary": (summary.Summary, set()),
    }
    for part, (kind, others) in elsewhere.items():
        told = sorted(t.field for t in trailers.TABLE if t.part == part and t.field and not t.computed)
        derived = {"rule"} if part == "summary" else set()
        assert told == sorted({field.name for field in fields(kind)} - others | derived), part


def test_a_key_stands_once_on_a_commit_and_is_as_old_on_each() -> None:
    for table in (trailers.ITERATION, trailers.REMARKS, trailers.SUMMARIES):
        assert len({trailer.key for trailer in table}) == len(table)
    assert {trailer.since for trailer in trailers.TABLE} <= set(trailers.FORMATS)
    assert trailers.keys(2) - trailers.keys(1) == {trailers.CONTRACT_SEED, "Exp-Where", "Exp-Link", "Exp-Frozen-Data"}


def test_no_key_is_a_prefix_of_another() -> None:
    everything = [*KEYS, *PLANNED]
    for key in everything:
        assert [other for other in everything if other.lower().startswith(key.lower())] == [key]


def test_git_knows_every_key_for_a_trailer() -> None:
    pairs = [(key, "x") for key in KEYS]
    assert parsed(trailer_block.write("subject", "", pairs)) == block(pairs)


def test_a_block_written_by_hand_is_read(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "x", {})
    git("commit", "-q", "--allow-empty", "-m", "by hand\n\nExp-Id: exp001\nExp-Note: plain", cwd=folder)
    read = trailer_block.read(output("cat-file", "commit", "HEAD", cwd=folder).partition(b"\n\n")[2])
    assert read.trailers == (("Exp-Id", "exp001"), ("Exp-Note", "plain"))
