"""The short way of reading a message never says anything else than the long one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.ledger import fast_reader, trailer_block
from gitexp.ledger.fast_reader import QuickRead
from gitexp.ledger.messages import from_message, to_message
from gitexp.model import Iteration, Measurement, Notes, Sample, Status
from tests.helpers.iterations import CRASH, HASH, iterations
from tests.helpers.made_iterations import changed, make_iteration
from tests.helpers.properties import PURE, SLOW_DATA

USUAL = make_iteration(
    id="exp004",
    run="a" * 32,
    base="b" * 40,
    tree="d" * 40,
    status=Status.KEEP,
    description="depth 8 -> 4: é",
    reason="better than exp000 by 0.1",
    measurement=Measurement(
        (Sample("exp004", 0, 8.1, 1.8), Sample("exp000", 1, 8.25, -2e-05)),
        1.8,
        (("num_steps", 953.0), ("mfu_percent", 39.8)),
        test=1.9,
        memory_mb=812.5,
        device="cpu",
        data="tiny shakespeare",
        curve=((1, 2.5), (2, 2.25)),
    ),
    changes=("constant DEPTH", "function forward"),
    patch="e" * 40,
    params=(("DEPTH", "4 = 2 + 2"),),
    delta=-0.1,
    commit="c" * 40,
)

PLAIN = changed(USUAL, measurement=Measurement((Sample("exp004", 0, 8.1, 1.8),), 1.8), changes=(), patch="", params=())


def long_way(message: bytes) -> Iteration | None:
    return from_message(trailer_block.read(message), "c" * 40)


def check(message: bytes) -> None:
    """The short ways say nothing, or what the long way does."""
    iteration = long_way(message)
    read = fast_reader.read(message, "c" * 40)
    assert read in (None, iteration)
    assert read is None or (iteration and read.delta == iteration.delta)
    quick = fast_reader.quick_read(message, "c" * 40)
    assert quick is None or (iteration and quick == QuickRead.of(iteration)._replace(iteration=None))


def test_the_usual_message_is_read_the_short_way() -> None:
    for iteration in (USUAL, PLAIN, changed(USUAL, status=Status.DISCARD)):
        assert fast_reader.read(to_message(iteration), "c" * 40) == iteration == long_way(to_message(iteration))
        assert fast_reader.quick_read(to_message(iteration), "c" * 40)
        check(to_message(iteration))


def test_what_is_not_usual_is_left_to_the_long_way() -> None:
    for unusual in (
        changed(USUAL, notes=Notes(next=("a",))),
        changed(USUAL, body="more"),
        changed(USUAL, reason=" \x85quoted"),
        changed(USUAL, measurement=replace(USUAL.measurement, spoiled=("it slept",))),
        CRASH,
    ):
        check(to_message(unusual))
    assert fast_reader.read(to_message(changed(USUAL, notes=Notes(next=("a",)))), "c" * 40) is None


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("Exp-Device: cpu", "Exp-Device: cpu\xa0"),
        ("Exp-Device: cpu", "Exp-Device: \u3000cpu"),
        ("Exp-Param: DEPTH", "Exp-Param: \xa0DEPTH"),
        ("Exp-Change: constant", "Exp-Change: \x85constant"),
        (f"Exp-Run: {'a' * 32}", "Exp-Run: é"),
        ("exp004", "exp0004"),
        ("seed=0", "seed=\u0660"),
    ],
)
def test_both_ways_take_away_the_same_spaces(line: str, instead: str) -> None:
    message = to_message(USUAL).decode()
    assert line in message
    check(message.replace(line, instead).encode())


@SLOW_DATA
@given(iterations(), HASH)
def test_both_ways_read_the_same(iteration: Iteration, run: str) -> None:
    bare = changed(iteration, notes=Notes(), body="", contract=None, run=run)
    for each in (iteration, bare):
        check(to_message(each))


@PURE
@given(st.data())
def test_both_ways_read_the_same_of_what_somebody_changed(data: st.DataObject) -> None:
    lines = to_message(USUAL).split(b"\n")
    at, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    new = data.draw(
        st.sampled_from([lines[other], b"", b" x", b"x\r", b"Exp-Score: 1e999", b"Exp-Id: exp1", b'Exp-Run: "a"'])
    )
    change = data.draw(st.sampled_from(["replace", "insert", "delete", "swap", "byte"]))
    if change == "byte":
        where = data.draw(st.integers(0, max(0, len(lines[at]) - 1)))
        lines[at] = lines[at][:where] + bytes([data.draw(st.integers(0, 255))]) + lines[at][where + 1 :]
    elif change == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at : at + (change != "insert")] = [] if change == "delete" else [new]
    check(b"\n".join(lines))


def _spoiled(line: bytes) -> dict[str, bytes]:
    """A line of a message with other spaces, another key, or another end, by what was done to it."""
    key, colon, value = line.partition(b":")
    return {
        "CRLF": line + b"\r",
        "space before the key": b" " + line,
        "space before the colon": key + b" :" + value,
        "no space": key + colon + value.lstrip(),
        "tab": key + colon + b"\t" + value.lstrip(),
        "two spaces": key + colon + b" " + value,
        "space at the end": line + b" \t",
        "wide space": line + "\u3000".encode(),
        "wide space inside": line.replace(b" ", "\u2003".encode()),
        "vertical tab": line + b"\x0b",
        "file separator": line + b"\x1c",
        "next line": line + "\x85".encode(),
        "line separator": line + "\u2028".encode(),
        "byte order mark": "\ufeff".encode() + line,
        "NUL": line + b"\0",
        "lower case": key.lower() + colon + value,
        "upper case": key.upper() + colon + value,
        "underscore": line.replace(b"-", b"_", 1),
        "digits of another script": line.replace(b"1", "\u0661".encode()),
        "underscore in a number": line.replace(b"53", b"5_3"),
        "plus": line.replace(b": ", b": +", 1),
        "quoted": key + b': "' + value.strip() + b'"',
        "empty": key + b":",
        "none": key,
    }


CHANGES = tuple(_spoiled(b"Exp-Note: x"))
EXTRA_LINES = [
    b"",
    b" ",
    b"\r",
    b"\x0c",
    b"# a comment",
    b" continued",
    b"(cherry picked from commit " + b"c" * 40 + b")",
    b"Signed-off-by: Ada <ada@example.org>",
    b"Co-authored-by: Ada <ada@example.org>",
    b"exp-score: 0.5",
    b"EXP-STATUS: DISCARD",
    b"Exp-Remark: breaker exp004",
    b"Exp-Summary: train",
    b"Exp-Format: 2",
    b"Exp-Verdict: certain",
    b"---",
    b"prose",
]


@PURE
@given(st.data())
def test_both_ways_read_the_same_of_a_message_edited_by_an_enemy(data: st.DataObject) -> None:
    """Odd spaces and line ends, twins of a key, keys in another order, and a second block."""
    iteration = data.draw(st.sampled_from([USUAL, changed(USUAL, status=Status.DISCARD), PLAIN]))
    lines = to_message(iteration).split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        edit = data.draw(st.sampled_from(["spoil", "twin", "move", "insert", "all CRLF", "second block"]))
        if edit == "spoil":
            lines[at] = _spoiled(lines[at])[data.draw(st.sampled_from(CHANGES))]
        elif edit == "twin":
            lines.insert(at, _spoiled(lines[at])[data.draw(st.sampled_from(CHANGES))])
        elif edit == "move":
            lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif edit == "insert":
            lines.insert(at, data.draw(st.sampled_from(EXTRA_LINES)))
        elif edit == "all CRLF":
            lines = [line + b"\r" for line in lines]
        else:
            other = data.draw(st.sampled_from([iteration, changed(USUAL, id="exp005"), CRASH]))
            lines += [b"", *to_message(other).split(b"\n")[2:]]
    check(b"\n".join(lines))


@pytest.mark.parametrize("change", CHANGES)
def test_both_ways_read_the_same_of_each_line_spoiled(change: str) -> None:
    lines = to_message(USUAL).split(b"\n")
    for at, line in enumerate(lines):
        check(b"\n".join([*lines[:at], _spoiled(line)[change], *lines[at + 1 :]]))
        check(b"\n".join([*lines[:at], line, _spoiled(line)[change], *lines[at + 1 :]]))
