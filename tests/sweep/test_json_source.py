"""Constants of JSON without any extra: each value is found where it stands, in files as nasty as JSON allows."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.sweep import constants, json_source

PURE = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def edited(source: bytes, name: str, given_: str) -> bytes:
    """``source`` as a sweep leaves it that sets one constant."""
    files = {"a.json": source}
    return constants.rewritten(files, {name: constants.literal(constants.find(files, name), given_)})["a.json"]


@pytest.mark.parametrize("missing", ["yaml", "tomlkit", "optuna"])
def test_no_extra_is_needed(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert edited(b'{"a": 1}', "a", "2") == b'{"a": 2}'


@pytest.mark.parametrize(
    ("source", "name", "given_", "after"),
    [
        (b'{"a":1}', "a", "2", b'{"a":2}'),
        (b'\n\t {\r\n\t"a"\t:\t1\t,\t"b" : [ ] } \n', "a", "20", b'\n\t {\r\n\t"a"\t:\t20\t,\t"b" : [ ] } \n'),
        (b"[1, [2, 3]]", "1.0", "4", b"[1, [4, 3]]"),
        (b'{"a": [], "b": {}}', "a", "[1]", b'{"a": [1], "b": {}}'),
        (b'{"a": [], "b": {}}', "b", '{"c": 2}', b'{"a": [], "b": {"c": 2}}'),
        (b'{"a": {"b": [1, {"c": null}]}}', "a.b.1.c", "true", b'{"a": {"b": [1, {"c": true}]}}'),
        (b'{"a": "}]\\",\\\\", "b": 1}', "b", "2", b'{"a": "}]\\",\\\\", "b": 2}'),
        (b'{"a": "\\u0022:,{", "b": 1}', "b", "2", b'{"a": "\\u0022:,{", "b": 2}'),
        (b'{"\\u0061\\/b": 1}', "a/b", "2", b'{"\\u0061\\/b": 2}'),
        (b'{"gr\\u00f6\\u00dfe": 1}', "größe", "2", b'{"gr\\u00f6\\u00dfe": 2}'),
        ('{"größe😀": 1, "b": "ä"}'.encode(), "b", "ö", '{"größe😀": 1, "b": "ö"}'.encode()),
        (
            b'{"\\ud83d\\ude00": 1, "\\ud83d": 3, "b": "\\udc00"}',
            "b",
            "x",
            b'{"\\ud83d\\ude00": 1, "\\ud83d": 3, "b": "x"}',
        ),
        (b'{"a": -0.0E-0, "b": 1E+2}', "a", "1", b'{"a": 1, "b": 1E+2}'),
        (b'{"a": ' + b"7" * 5000 + b', "b": 1}', "b", "2", b'{"a": ' + b"7" * 5000 + b', "b": 2}'),
        (b'{"a": ' + b"7" * 5000 + b', "b": 1}', "a", "2", b'{"a": 2, "b": 1}'),
        (
            b'{"a": 1e999, "b": 0.1000000000000000000001}',
            "a",
            "1e-999",
            b'{"a": 1e-999, "b": 0.1000000000000000000001}',
        ),
        (b'{"a": 1, "a": 2, "b": 3}', "b", "4", b'{"a": 1, "a": 2, "b": 4}'),
        (b'{"": {"x": 1}, "x": 2}', "x", "3", b'{"": {"x": 1}, "x": 3}'),
        (b'{"a": "\\u2028\xe2\x80\xa8", "b": 1}', "b", "2", b'{"a": "\\u2028\xe2\x80\xa8", "b": 2}'),
    ],
)
def test_one_value_changes_and_no_other_byte(source: bytes, name: str, given_: str, after: bytes) -> None:
    assert edited(source, name, given_) == after


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        ('{"a": 1,\n"\\u0061": 2}', "a", "stands there more than once, on line 1 and on line 2"),
        ('{"a.b": 1,\n"a": {"b": 2}}', "a.b", "stands there more than once, on line 1 and on line 2"),
        ('{"a": {"x": 1}, "a": {"y": 2}}', "a.x", "is part of a, which stands there more than once"),
        ('{"o": {"a": [1], "a": [2, 3]}}', "o.a.1", "is part of o.a, which stands there more than once"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(source: str, name: str, words: str) -> None:
    with pytest.raises(GitexpError) as refused:
        constants.find({"a.json": source.encode()}, name)
    assert words in refused.value.sentence


@pytest.mark.parametrize(
    "source",
    [
        "",
        "{",
        '{"a": 1',
        '{"a": 1,}',
        '{"a" 1}',
        "[1 2]",
        "{'a': 1}",
        '{"a": 1} {}',
        '{"a": 01}',
        '{"a": .5}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": True}',
        '{"a": "\t"}',
        '{"a": "\\x"}',
        '{"a": 1} // c',
        '\u00a0{"a": 1}',
        "[" * 100_000 + "]" * 100_000,
        '{"a": ' * 700 + "1" + "}" * 700,
    ],
)
def test_what_is_not_json_is_refused_whole(source: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_source.names(source)


def test_a_document_that_is_one_value_has_no_names() -> None:
    assert [json_source.names(text) for text in ("1", '"a"', "{}", "[]", " null ")] == [[], [], [], [], []]


BLANKS = st.text(" \t\r\n", max_size=3)
NUMBER = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,4})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
STRING = st.builds(lambda text, ascii_: json.dumps(text, ensure_ascii=ascii_), st.text(max_size=4), st.booleans())
SCALAR = NUMBER | STRING | st.sampled_from(["true", "false", "null"])
Span = tuple[str, int, int]


def written(data: st.DataObject, text: str, name: str, depth: int) -> tuple[str, list[Span]]:
    """``text`` and one more value of JSON, with where that and each value inside it stands."""
    start, spans = len(text), list[Span]()
    kind = data.draw(st.sampled_from(["scalar", "object", "array"])) if depth else "scalar"
    if kind == "scalar":
        text += data.draw(SCALAR)
    else:
        text += "{" if kind == "object" else "["
        keys = data.draw(st.lists(st.text('ab\u00e9"\\', min_size=1, max_size=3), max_size=3, unique=True))
        for at, key in enumerate(keys):
            text += ("," if at else "") + data.draw(BLANKS)
            if kind == "object":
                text += json.dumps(key, ensure_ascii=data.draw(st.booleans())) + data.draw(BLANKS) + ":"
            inner = key if kind == "object" else str(at)
            text += data.draw(BLANKS)
            text, below = written(data, text, f"{name}.{inner}" if name else inner, depth - 1)
            text += data.draw(BLANKS)
            spans += below
        text += ("" if keys else data.draw(BLANKS)) + ("}" if kind == "object" else "]")
    return text, [*spans, (name, start, len(text))]


@PURE
@given(st.data())
def test_each_value_is_found_where_it_was_written(data: st.DataObject) -> None:
    text, spans = written(data, data.draw(BLANKS), "", 3)
    text += data.draw(BLANKS)
    json.loads(text)
    for name, start, end in spans[:-1]:  # the last is the document
        found = json_source.find(text, name)
        assert found is not None
        assert (found.start, found.end, found.source, found.trouble) == (start, end, text[start:end], "")
        assert json_source.differs_only_in(name, text, text[:start] + "[7]" + text[end:], "[7]")
        assert not json_source.differs_only_in(name, text, text[:start] + "[7]" + text[end:] + " ", "[7]")
    assert sorted(json_source.names(text)) == sorted(name for name, _, _ in spans[:-1])
