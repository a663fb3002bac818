"""Text from people, agents and runs, made safe to show and to keep on one line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.text import UNSAFE, from_bytes, one_line, printable

PURE = settings(max_examples=100, deadline=None, derandomize=True, database=None)
ANY = st.text(st.characters())  # surrogates too
UNRULY = ["\x1b[31m", "\r", "\n", "\t", "\x85", "\u2028", "\u202e", "\ud800", "é", "\xa0", " "]
HOSTILE = ANY | st.lists(st.sampled_from(UNRULY)).map("".join)


@PURE
@given(HOSTILE)
def test_one_line_is_one_line_and_safe(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not UNSAFE.search(line)
    assert line == " ".join(line.split())
    line.encode("utf-8")


@PURE
@given(HOSTILE)
def test_one_line_changes_nothing_the_second_time(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)


@PURE
@given(ANY.map(lambda text: UNSAFE.sub("", text)))
def test_one_line_keeps_every_word(text: str) -> None:
    assert one_line(text).split() == text.split()


@PURE
@given(HOSTILE, st.integers(1, 30))
def test_one_line_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    cut = one_line(text, limit)
    whole = one_line(text)
    assert len(cut) <= limit
    if len(whole) <= limit:
        assert cut == whole
    else:
        assert cut.endswith("…")
        assert whole.startswith(cut[:-1])


@PURE
@given(HOSTILE)
def test_printable_text_keeps_its_layout_and_nothing_that_drives_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not UNSAFE.search(shown.replace("\t", "").replace("\n", ""))
    assert shown.count("\n") == text.count("\n")
    assert shown.count("\t") == text.count("\t")
    assert printable(shown) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀\ttab\nline", "plain é 😀\ttab\nline"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\r\n", "a\\rb\\r\n"),
        ("\0\x07\x7f", "\\x00\\x07\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("x\u202ey\u2066z", "x\\u202ey\\u2066z"),
        ("\ud800", "\\ud800"),
        ("a\u2028b\x85c", "a\\u2028b\\x85c"),
    ],
)
def test_printable_spells_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_character_that_ends_a_line_or_turns_text_around_is_unsafe() -> None:
    turning = {"RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}
    marks = {"\u061c", "\u200e", "\u200f"}
    for code in range(0x110000):
        character = chr(code)
        ends_a_line = len(f"a{character}b".splitlines()) > 1
        if (
            ends_a_line
            or character in marks
            or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(character) in turning
        ):
            assert UNSAFE.fullmatch(character), f"U+{code:04X}"


def test_letters_of_every_script_are_safe() -> None:
    letters = "".join(filter(str.isalnum, map(chr, range(0x30000))))
    assert not UNSAFE.search(letters)
    assert printable(letters) == letters


@PURE
@given(st.binary())
def test_bytes_of_any_kind_become_text_that_can_be_written(data: bytes) -> None:
    from_bytes(data).encode("utf-8")


@PURE
@given(ANY.filter(lambda text: text == text.encode("utf-8", "replace").decode()))
def test_utf8_is_read_as_it_is(text: str) -> None:
    assert from_bytes(text.encode()) == text
