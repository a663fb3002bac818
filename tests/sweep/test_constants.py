"""A constant is found by name and rewritten in place: that value differs, and every other byte stays."""

from __future__ import annotations

import ast
import json
import keyword
import string

import pytest
import tomlkit
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.sweep import constants
from gitexp.sweep.literals import canonical, float_text, read

PURE = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def edited(path: str, source: bytes, name: str, given_: str) -> bytes:
    """``source`` as a sweep leaves it that sets one constant."""
    value = constants.literal(constants.find({path: source}, name), given_)
    return constants.rewritten({path: source}, {name: value}).get(path, source)


def refusal(path: str, source: bytes, name: str, given_: str = "1") -> GitexpError:
    with pytest.raises(GitexpError) as refused:
        edited(path, source, name, given_)
    assert refused.value.hint
    return refused.value


# -- Python ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "name", "given_", "after"),
    [
        (b"LR = 0.1\n", "LR", "0.3", b"LR = 0.3\n"),
        (b"LR=0.1", "LR", "0.3", b"LR=0.3"),
        (b"LR   =  0.1   # was 0.1\nWD = 0.1\n", "LR", "3e-4", b"LR   =  3e-4   # was 0.1\nWD = 0.1\n"),
        (b"A = 1\r\nLR = 0.1 # x\r\n\r\nB = 2\r\n", "LR", "1", b"A = 1\r\nLR = 1 # x\r\n\r\nB = 2\r\n"),
        (b"A = 1\rLR = 0.1\rB = '''\r'''\rC = 3", "C", "4", b"A = 1\rLR = 0.1\rB = '''\r'''\rC = 4"),
        (b"\xef\xbb\xbfLR = 0.1\n", "LR", "0.2", b"\xef\xbb\xbfLR = 0.2\n"),
        (b"LR: float = 0.1  # rate\n", "LR", "0.2", b"LR: float = 0.2  # rate\n"),
        (b"LR: float\nLR = 0.1\n", "LR", "0.2", b"LR: float\nLR = 0.2\n"),
        (b"X = -1\n", "X", "-2", b"X = -2\n"),
        (b"X = -1\n", "X", "3", b"X = 3\n"),
        (b"X = 2 ** 14\n", "X", "2 ** 15", b"X = 2 ** 15\n"),
        (b"X = 3 * (2 + 1)  # n\n", "X", "12", b"X = 12  # n\n"),
        (b"X = 1e-3\n", "X", "0.01", b"X = 0.01\n"),
        (b"X = (0.1)\n", "X", "0.2", b"X = (0.2)\n"),
        (b"X = (\n    1 +  # one\n    2\n)\nY = 1\n", "X", "7", b"X = (\n    7\n)\nY = 1\n"),
        (b"B = (0.9, 0.95)\n", "B", "(0.8, 0.99)", b"B = (0.8, 0.99)\n"),
        (b"B = 0.9, 0.95  # t\n", "B", "(0.8, 0.99)", b"B = (0.8, 0.99)  # t\n"),
        (b"B = [\n  1,\n  2,\n]\n", "B", "[3]", b"B = [3]\n"),
        (b"B = {'a': 1}\n", "B", "{'a': 2}", b"B = {'a': 2}\n"),
        (b"X = None\n", "X", "3", b"X = 3\n"),
        (b"X = True\n", "X", "False", b"X = False\n"),
        (b"A = 1; X = 2; B = 3\n", "X", "9", b"A = 1; X = 9; B = 3\n"),
        ("S = 'ä😀'; X = 2  # é\n".encode(), "X", "9", "S = 'ä😀'; X = 9  # é\n".encode()),
        ("# coding: latin-1\nS = 'ä'; X = 2 # ä\n".encode("latin-1"), "X", "9", None),
        (b"if True:\n\tpass\n\x0cX = 2\n", "X", "9", b"if True:\n\tpass\n\x0cX = 9\n"),
        (b"class C:\n    d = 1  # c\nd = 2\n", "C.d", "5", b"class C:\n    d = 5  # c\nd = 2\n"),
        (b"class C:\n    d = 1\nd = 2\n", "d", "5", b"class C:\n    d = 1\nd = 5\n"),
        (
            b"class C:\n    class D:\n        w: int = 1\n",
            "C.D.w",
            "5",
            b"class C:\n    class D:\n        w: int = 5\n",
        ),
        (b"def f():\n    LR = 1\n    return LR\nLR = 2\n", "LR", "5", b"def f():\n    LR = 1\n    return LR\nLR = 5\n"),
        (b"X = [LR for LR in ()]\nLR = 2\n", "LR", "5", b"X = [LR for LR in ()]\nLR = 5\n"),
        (b'OPT = "adam"\n', "OPT", "sgd", b'OPT = "sgd"\n'),
        (b"OPT = 'adam'  # o\n", "OPT", "sgd", b"OPT = 'sgd'  # o\n"),
        (b"OPT = 'adam'\n", "OPT", '"sgd"', b'OPT = "sgd"\n'),
        (b'OPT = """a\nb"""\n', "OPT", "sgd", b'OPT = """sgd"""\n'),
        (b"OPT = r'a\\d'\n", "OPT", "a\\d'", b"OPT = 'a\\\\d\\''\n"),
        (b"OPT = 'a' 'b'\n", "OPT", "c", b"OPT = 'c'\n"),
        (b"OPT = 'a'\n", "OPT", "4", b"OPT = '4'\n"),
        (b"OPT = 'a'\n", "OPT", "None", b"OPT = 'None'\n"),
        (b"OPT = 'a'\n", "OPT", "f(1, 2)", b"OPT = 'f(1, 2)'\n"),
        (b"X = 1\n", "X", "'a'", b"X = 'a'\n"),
        (b"X = 1\n", "X", "1", b"X = 1\n"),
    ],
)
def test_an_exact_edit_of_python(before: bytes, name: str, given_: str, after: bytes | None) -> None:
    expected = before.replace(b"X = 2", b"X = 9") if after is None else after
    assert edited("train.py", before, name, given_) == expected


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        ("X = 1\nY = 2\nX = 3\n", "X", "assigned more than once, on line 1 and on line 3"),
        ("X = 1\nX = 2\nX += 3\n", "X", "on line 1 and on line 2 and on line 3"),
        ("X = 1\nX += 1\n", "X", "on line 1 and on line 2"),
        ("X = 1\nif A:\n    X = 2\n", "X", "on line 1 and on line 3"),
        ("X = 1\ndel X\n", "X", "on line 1 and on line 2"),
        ("X = 1\nfor X in range(3): pass\n", "X", "on line 1 and on line 2"),
        ("X = 1\nfrom a import b as X\n", "X", "on line 1 and on line 2"),
        ("X = 1\nimport X.y\n", "X", "on line 1 and on line 2"),
        ("X = 1\ndef X(): pass\n", "X", "on line 1 and on line 2"),
        ("X = 1\ndef f():\n    global X\n    X = 2\n", "X", "on line 1 and on line 3"),
        ("X = {}\nX['a'] = 2\n", "X", "on line 1 and on line 2"),
        ("X = 1\nprint(X := 2)\n", "X", "on line 1 and on line 2"),
        ("X = 1\nwith open('x') as X: pass\n", "X", "on line 1 and on line 2"),
        ("class C:\n    x = 1\nC.x = 2\n", "C.x", "on line 2 and on line 3"),
        ("class C:\n    x = 1\nclass C:\n    x = 2\n", "C.x", "on line 2 and on line 4"),
        ("X, Y = 1, 2\n", "X", "is set on line 1 by more than a plain assignment"),
        ("Y = 1\nX = Z = 2\n", "X", "is set on line 2 by more than a plain assignment"),
        ("if A:\n    X = 1\n", "X", "is set on line 2 by more than a plain assignment"),
        ("Y = 1\nX = Y + 1\n", "X", "is not a literal on line 2: Y + 1"),
        ("X = f(1)\n", "X", "is not a literal on line 1: f(1)"),
        ("X = f'{1}'\n", "X", "is not a literal on line 1"),
        ("X = 9 ** 9 ** 9\n", "X", "is not a literal on line 1"),
        ("X = 1 / 0\n", "X", "is not a literal on line 1"),
        ("X = [*Y]\n", "X", "is not a literal on line 1"),
    ],
)
def test_what_is_no_plain_constant_is_refused_with_its_line(source: str, name: str, words: str) -> None:
    assert words in refusal("train.py", source.encode(), name).sentence


@pytest.mark.parametrize(
    "given_", ["adam", "f(1)", "1 2", "1; X = 2", "4  # four", "(1", "1) + (2", "*a", "x := 3", "nan"]
)
def test_what_is_no_literal_is_no_value_for_a_number(given_: str) -> None:
    refused = refusal("train.py", b"DEPTH = 2\n", "DEPTH", given_)
    assert f"{given_} is not a value for DEPTH, which is 2" in refused.sentence


def test_what_the_files_encoding_lacks_is_refused() -> None:
    source = "# coding: latin-1\nS = 'a'\n".encode("latin-1")
    assert "cannot be set to '😀'" in refusal("train.py", source, "S", "😀").sentence


# -- YAML, JSON, TOML --------------------------------------------------------------------------------------------------

YAML = b"""\
# the optimizer
flow: {a: x, b: 1}
optimizer:   # here
  lr: 1e-3   # rate
  name: adam
  nesterov: true
  betas: [0.9, 0.95]  # two
layers:
  - {width: 8, act: 'gelu'}
  - width: 16
    act: "relu"
"""
JSON = b"""\
{
\t"optimizer" : {"lr":1e-3,\t"name": "adam", "betas": [ 0.9,\t0.95 ]},
\t"layers": [ {"width": 8}, {"width": 16} ], "tab": "a\\tb \\u00e9", "on": true
}
"""
TOML = b"""\
# the optimizer
title = 'toy' # t
[optimizer]   # here
lr = 1e-3   # rate
name = "adam"
nesterov = true
betas = [0.9, 0.95,]  # two
sgd.momentum = 0.9
inline = { a = 1, b = "x" }

[[layers]]
width = 8
[[layers]]
width = 16  # w
"""


@pytest.mark.parametrize(
    ("path", "name", "given_", "old", "new"),
    [
        ("a.yaml", "optimizer.lr", "0.01", b"1e-3", b"0.01"),
        ("a.yaml", "optimizer.lr", "1e-4", b"1e-3", b"1.0e-4"),
        ("a.yaml", "optimizer.lr", "2.5e3", b"1e-3", b"2.5e+3"),
        ("a.yml", "optimizer.name", "sgd", b"adam", b"sgd"),
        ("a.yaml", "optimizer.name", "4", b"adam", b'"4"'),
        ("a.yaml", "optimizer.name", "on", b"adam", b'"on"'),
        ("a.yaml", "optimizer.name", "a: b # c", b"adam", b'"a: b # c"'),
        ("a.yaml", "optimizer.name", "'sgd'", b"adam", b"'sgd'"),
        ("a.yaml", "optimizer.nesterov", "false", b"true", b"false"),
        ("a.yaml", "optimizer.betas", "[0.8, 0.9]", b"[0.9, 0.95]", b"[0.8, 0.9]"),
        ("a.yaml", "optimizer.betas.1", "0.99", b"0.95", b"0.99"),
        ("a.yaml", "layers.0.width", "32", b"8", b"32"),
        ("a.yaml", "flow.a", "y, c", b"x", b'"y, c"'),
        ("a.yaml", "flow.a", "y, c: 1", b"x", b'"y, c: 1"'),
        ("a.yaml", "layers.0.act", "it's", b"'gelu'", b"'it''s'"),
        ("a.yaml", "layers.1.act", 'a"b', b'"relu"', b'"a\\"b"'),
        ("a.json", "optimizer.lr", "1e-4", b"1e-3", b"1e-4"),
        ("a.json", "optimizer.name", "sgd", b'"adam"', b'"sgd"'),
        ("a.json", "optimizer.name", "4", b'"adam"', b'"4"'),
        ("a.json", "optimizer.betas.1", "0.99", b"0.95", b"0.99"),
        ("a.json", "layers.1.width", "-2", b"16", b"-2"),
        ("a.json", "tab", "é", b'"a\\tb \\u00e9"', '"é"'.encode()),
        ("a.json", "on", "null", b"true", b"null"),
        ("a.toml", "optimizer.lr", "1e-4", b"1e-3", b"1e-4"),
        ("a.toml", "optimizer.name", "sgd", b'"adam"', b'"sgd"'),
        ("a.toml", "title", "x", b"'toy'", b"'x'"),
        ("a.toml", "title", "it's", b"'toy'", b'"it\'s"'),
        ("a.toml", "optimizer.betas", "[1.0]", b"[0.9, 0.95,]", b"[1.0]"),
        ("a.toml", "optimizer.betas.0", "0.8", b"0.9", b"0.8"),
        ("a.toml", "optimizer.sgd.momentum", "0.5", b"momentum = 0.9", b"momentum = 0.5"),
        ("a.toml", "optimizer.inline.b", "y", b'"x"', b'"y"'),
        ("a.toml", "layers.1.width", "32", b"16", b"32"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_an_exact_edit_of_a_config(
    path: str, name: str, given_: str, old: bytes, new: bytes, end: bytes, bom: bytes
) -> None:
    source = {"json": JSON, "toml": TOML}.get(path[2:], YAML)
    source = bom + source.replace(b"\n", end)
    assert edited(path, source, name, given_) == source.replace(old, new, 1)


@pytest.mark.parametrize(
    ("path", "source", "name", "given_", "words"),
    [
        ("a.yaml", "a: &x 1\nb: *x\n", "a", "2", "a of a.yaml cannot be set: it has an anchor or a tag on line 1"),
        ("a.yaml", "a: &x 1\nb: *x\n", "b", "2", "is an alias of another value"),
        ("a.yaml", "a: !!int 1\n", "a", "2", "an anchor or a tag on line 1"),
        ("a.yaml", "a: 1\nb:\n  c: 1\na: 2\n", "a", "2", "more than once, on line 1 and on line 4"),
        ("a.yaml", "a: |\n  x\n", "a", "2", "is block text on line 1"),
        ("a.yaml", "b: 1\na:\n", "a", "2", "is empty on line 2"),
        ("a.yaml", "a: 1\n", "a", "adam", "adam is not a value for a, which is 1"),
        ("a.json", '{"a": 1, "a": 2}', "a", "3", "more than once, on line 1 and on line 1"),
        ("a.json", '{"a": 1}', "a", "True", "True is not a value for a"),
        ("a.json", '{"a": 1}', "a", "NaN", "NaN is not a value for a"),
        ("a.json", '{"a": 1}', "a", '2, "b": 3', "is not a value for a"),
        ("a.toml", "a = 1\n", "a", "adam", "adam is not a value for a"),
        ("a.toml", "a = 1\n", "a", "2 # two", "is not a value for a"),
        ("a.toml", '"a.b" = 1\n[a]\nb = 2\n', "a.b", "3", "more than once: there are dots in its keys"),
    ],
)
def test_what_a_config_cannot_take_is_refused(path: str, source: str, name: str, given_: str, words: str) -> None:
    assert words in refusal(path, source.encode(), name, given_).sentence


# -- finding it --------------------------------------------------------------------------------------------------------


def test_one_that_stands_in_two_files_is_told_apart_by_its_file() -> None:
    files = {"train.py": b"DEPTH = 2\n", "model.py": b"DEPTH = 3\n", "other.py": b"from model import DEPTH\n"}
    with pytest.raises(GitexpError, match=r"DEPTH stands in train\.py, model\.py") as refused:
        constants.find(files, "DEPTH")
    assert refused.value.hint == "gitexp sweep train.py:DEPTH=..."
    found = constants.find(files, "model.py:DEPTH")
    assert (found.name, found.path, found.constant.source) == ("model.py:DEPTH", "model.py", "3")
    assert constants.rewritten(files, {found.name: "4"}) == {"model.py": b"DEPTH = 4\n"}
    assert constants.find({"train.py": files["train.py"]}, "train.py:DEPTH").name == "DEPTH"


def test_one_that_is_not_there_is_refused_with_the_nearest_names() -> None:
    files = {"train.py": b"DEPTH = 2\nWIDTH = 3\n", "a.toml": b"[model]\ndepth = 3\n", "bad.json": b"{", "bad.py": b"("}
    with pytest.raises(GitexpError) as refused:
        constants.find(files, "DEPHT")
    assert "There is no constant DEPHT in train.py, a.toml, bad.json, bad.py. There is DEPTH." in refused.value.sentence
    assert "bad.json cannot be read" in refused.value.sentence
    assert "bad.py cannot be read" in refused.value.sentence
    assert refused.value.hint == "gitexp sweep DEPTH=..."
    with pytest.raises(GitexpError, match=r"There is model\.depth"):
        constants.find(files, "model.dept")
    with pytest.raises(GitexpError, match=r"There is no constant x in the editable files\."):
        constants.find({}, "x")


def test_several_constants_of_one_file_are_set_together() -> None:
    source = b"A = 1  # a\nB = 10\nC = 3\n"
    assert constants.rewritten({"t.py": source}, {"A": "100", "C": "-1"}) == {"t.py": b"A = 100  # a\nB = 10\nC = -1\n"}
    assert constants.rewritten({"t.py": source}, {"A": "1"}) == {}


@pytest.mark.parametrize(("path", "package"), [("a.toml", "tomlkit"), ("a.yaml", "yaml"), ("a.yml", "yaml")])
def test_without_the_extra_the_way_to_it_is_said(path: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(GitexpError, match=f"needs {package}, which is not installed") as refused:
        constants.find({path: b'{"a": 1}'}, "a")
    assert refused.value.hint == "pip install 'gitexp[sweep]'"
    assert edited("train.py", b"A = 1\n", "A", "2") == b"A = 2\n"


# -- what texts mean ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [("1e-3", "0.001"), ("2 ** 14", "16384"), ("1", "1.0"), ("'a'", '"a"'), ("(1,2)", "(1, 2)"), ("1_000", "1000")],
)
def test_texts_that_mean_the_same(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "True"), ("'1'", "1"), ("adam", "sgd"), ("[1]", "(1,)"), ("{1}", "[1]"), ("a", "'a'")]
)
def test_texts_that_mean_something_else(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("value", [0.1, 5.0, 1e-5, 1e20, -3.0, 0.123456789, 1e6])
def test_a_float_is_written_as_a_float(value: float) -> None:
    assert isinstance(read(float_text(value)), float)
    assert read(float_text(value)) == pytest.approx(value, rel=1e-5)


# -- properties --------------------------------------------------------------------------------------------------------

NAME = st.text(string.ascii_letters + "_äé", min_size=1, max_size=6).filter(
    lambda name: name.isidentifier() and not keyword.iskeyword(name)
)
LITERAL = st.recursive(
    st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
).map(repr)
COMMENT = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)


@PURE
@given(st.data())
def test_an_edit_of_python_changes_that_value_and_no_other_byte(data: st.DataObject) -> None:
    names = data.draw(st.lists(NAME, min_size=1, max_size=5, unique=True))
    values = [data.draw(LITERAL) for _ in names]
    end, bom = data.draw(st.sampled_from(["\n", "\r\n", "\r"])), data.draw(st.sampled_from(["", "\ufeff"]))
    heads = [name + data.draw(st.sampled_from([" = ", "=", ": object = ", "  =\t"])) for name in names]
    tails = [f"  # {data.draw(COMMENT)}{end}" for _ in names]
    lines = [head + value + tail for head, value, tail in zip(heads, values, tails, strict=True)]
    at = data.draw(st.integers(0, len(names) - 1))
    new = data.draw(LITERAL)
    source = (bom + "".join(lines)).encode()
    lines[at] = heads[at] + new + tails[at]
    wanted = (bom + "".join(lines)).encode()
    name = ast.parse(names[at]).body[0].value.id  # type: ignore[attr-defined]  # as Python normalises it
    assert constants.rewritten({"t.py": source}, {name: new}).get("t.py", source) == wanted


KEY = st.text(string.ascii_lowercase, min_size=1, max_size=4)
LEAF = st.integers(-999, 999) | st.floats(-1e6, 1e6).map(lambda x: round(x, 3)) | st.booleans() | KEY
DOCUMENT = st.dictionaries(
    KEY,
    st.recursive(
        LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3), max_leaves=6
    ),
)
DUMPS = {
    "a.json": lambda document: json.dumps(document, indent="\t"),
    "a.yaml": lambda document: yaml.safe_dump(document, default_flow_style=None),
    "a.toml": tomlkit.dumps,
}
LOADS = {"a.json": json.loads, "a.yaml": yaml.safe_load, "a.toml": lambda text: tomlkit.parse(text).unwrap()}


def leaves(value: object, name: str = "") -> list[tuple[str, object]]:
    if not isinstance(value, (dict, list)):
        return [(name, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, inner in items for leaf in leaves(inner, f"{name}.{key}" if name else str(key))]


@PURE
@given(DOCUMENT, st.data(), st.sampled_from(sorted(DUMPS)))
def test_an_edit_of_a_config_changes_that_value_and_no_other_byte(
    document: dict[str, object], data: st.DataObject, path: str
) -> None:
    before = leaves(LOADS[path](DUMPS[path](document)))
    if not before:
        return
    source = DUMPS[path](document)
    name, old = data.draw(st.sampled_from(before))
    given_ = data.draw(st.integers(-99, 99).map(str) | st.just("0.125"))
    located = constants.find({path: source.encode()}, name)
    was, value = located.constant.source, constants.literal(located, given_)
    changed = edited(path, source.encode(), name, given_).decode()
    starts = [at for at in range(len(source)) if source.startswith(was, at)]
    assert changed in [source[:at] + value + source[at + len(was) :] for at in starts]
    expected = given_ if isinstance(old, str) else float(given_)
    assert leaves(LOADS[path](changed)) == [(n, expected if n == name else value) for n, value in before]
