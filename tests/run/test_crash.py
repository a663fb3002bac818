"""Signatures of real crashes: the same error has one signature, whatever its numbers, addresses and paths."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.run.crash import last_error, normalise, signature
from gitexp.text import UNSAFE

PURE = settings(max_examples=100, deadline=None, derandomize=True, database=None)
NUMBER = st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False)


def output(folder: Path, code: str) -> list[str]:
    """What Python says of a train.py that dies, as the runner hands it on: lines, none of them empty."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "train.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode
    return [line for line in done.stdout.splitlines() if line]


def crash(folder: Path, code: str) -> str:
    return signature(output(folder, code), ["src/train.py"])


# -- the same error --------------------------------------------------------------------------------------------------

SAME = {
    "numbers": (
        "raise ValueError('shapes (8, 64) and (32, 8) at step 12: 1.5e-3')",
        "print(1)\n\n\nraise ValueError('shapes (16, 128) and (512, 16) at step 90210: -2.5')",
        "ValueError in train.py:<module>: shapes (N, N) and (N, N) at step N: N",
    ),
    "addresses": (
        "class Model: pass\nraise TypeError(f'cannot add {Model()} and {object()}')",
        "x = [0] * 999\nclass Model: pass\nraise TypeError(f'cannot add {Model()} and {object()}')",
        "TypeError in train.py:<module>: cannot add <__main__.Model object at ADDR> and <object object at ADDR>",
    ),
    "paths": (
        "open('/nonexistent/of-ada/run1/data.bin')",
        "open('/nonexistent/somewhere else/of-bob/data.bin'.replace(' else', ''))",
        "FileNotFoundError in train.py:<module>: [Errno N] No such file or directory: 'data.bin'",
    ),
    "lines": (
        "def loss():\n    return [].pop()\ndef step():\n    loss()\nstep()",
        "import sys\n\n\ndef loss():\n    # why\n    return [].pop()\ndef step():\n    loss()\nstep()",
        "IndexError in train.py:loss: pop from empty list",
    ),
    "chains": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('batch 1') from e",
        "try:\n    {}['x']\nexcept KeyError as e:\n    raise RuntimeError('batch 27') from e",
        "RuntimeError in train.py:<module>: batch N",
    ),
    "no message": (
        "assert 1 == 2",
        "print('step 7: loss 2.5')\nassert False",
        "AssertionError in train.py:<module>",
    ),
    "a module's name": (
        "import json\njson.loads('{]')",
        "import json\njson.loads('          {]')",
        "JSONDecodeError in train.py:<module>: "
        "Expecting property name enclosed in double quotes: line N column N (char N)",
    ),
    "out of the exit": (
        "import sys\nprint('loss is 7.25 at step 3')\nsys.exit(1)",
        "import sys\nprint('loss is 8.5 at step 40')\nsys.exit(3)",
        "loss is N at step N",
    ),
    "words after it": (
        "import atexit\natexit.register(print, 'wandb: synced 3 files')\nraise MemoryError('at step 3')",
        "import atexit\natexit.register(print, 'wandb: synced 5 files')\nraise MemoryError('at step 8')",
        "MemoryError in train.py:<module>: at step N",
    ),
    "not a name for an error": (
        "class Diverged(Exception): pass\nraise Diverged('loss 31.5')",
        "class Diverged(Exception): pass\nprint(2)\nraise Diverged('loss 1e9')",
        "Diverged: loss N",
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_error_has_one_signature(tmp_path: Path, what: str) -> None:
    one, other, expected = SAME[what]
    assert crash(tmp_path / "of-ada", one) == expected
    assert crash(tmp_path / "somewhere" / "of-bob", other) == expected


def test_mlx_s_own_errors(tmp_path: Path) -> None:
    pytest.importorskip("mlx.core")
    code = """
import sys
sys.path[:0] = {path}
import traceback
import mlx.core as mx

def forward(size, shape):
    return mx.zeros((size,)).reshape(shape).sum()

def attend(rows, columns):
    return mx.zeros((rows, 3)) @ mx.zeros((columns, 5))

for call in {calls}:
    try:
        eval(call)
    except Exception:
        traceback.print_exc()
        print("=====", file=sys.stderr)
sys.exit(1)
"""
    calls = ["forward(6, (4,))", "forward(1000, (32,))", "attend(2, 4)", "attend(64, 128)"]
    lines = output(tmp_path, code.format(path=sys.path, calls=calls))
    said = "\n".join(lines).split("\n=====")[:-1]
    reshape, again, matmul, too = (signature(text.split("\n"), ["train.py"]) for text in said)
    assert reshape == again
    assert matmul == too
    assert reshape.startswith("ValueError in train.py:forward: [reshape] ")
    assert matmul.startswith("ValueError in train.py:attend: [matmul] ")


@PURE
@given(NUMBER, NUMBER, st.integers(0, 2**64 - 1), st.integers(0, 10**9))
def test_numbers_of_any_form_count_for_one(a: float, b: float, address: int, layer: int) -> None:
    line = f"RuntimeError: got {a!r}, not {b!r}; ({b:g}, {a:.3e}) at 0x{address:012x} in layer{layer}"
    assert signature([line], []) == "RuntimeError: got N, not N; (N, N) at ADDR in layerN"


@PURE
@given(st.lists(st.text("abcXYZ_-.", min_size=1).filter(lambda name: name.strip(".")), min_size=1, max_size=6))
def test_of_a_path_the_last_name_counts(folders: list[str]) -> None:
    assert normalise(f"no '/{'/'.join(folders)}/data.bin'.") == "no 'data.bin'."


def test_a_long_path_does_not_make_another_error() -> None:
    """On macOS a failed dlopen names every place it tried, in 500 characters or more."""
    signatures = {
        signature([f"ImportError: dlopen({there}/core.so, 0x0002): tried: '{there}/core.so' (no such file)"], [])
        for there in ("/opt/lib", "/Users/ada" + "/folder" * 15, "/Users/bob" + "/dir" * 80)
    }
    assert signatures == {"ImportError: dlopen(core.so, ADDR): tried: 'core.so' (no such file)"}


def test_long_lists_of_numbers_do_not_make_another_error() -> None:
    signatures = {signature([f"ValueError: bad sizes {[size] * 30}"], []) for size in (1, 1000, 123456789)}
    assert len(signatures) == 1


# -- other errors ----------------------------------------------------------------------------------------------------

OTHER = [
    "raise ValueError('bad shape')",
    "raise TypeError('bad shape')",
    "raise ValueError('bad dtype')",
    "def forward():\n    raise ValueError('bad shape')\nforward()",
    "def backward():\n    raise ValueError('bad shape')\nbackward()",
    "raise ValueError",
    "{}['depth']",
    "{}['width']",
    "open('/nonexistent/data.bin')",
    "open('/nonexistent/tokens.bin')",
    "import nonexistent_module",
    "x = (",
]


def test_other_errors_have_other_signatures(tmp_path: Path) -> None:
    signatures = [crash(tmp_path, code) for code in OTHER]
    assert sorted(set(signatures)) == sorted(signatures)


def test_the_deepest_frame_in_an_own_file_counts(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("def deep():\n    raise OSError('x')\n")
    code = "import sys\nsys.path[:0] = ['.']\nimport library\ndef mine():\n    library.deep()\nmine()"
    lines = output(tmp_path, code)
    assert signature(lines, ["train.py"]) == "OSError in train.py:mine: x"
    assert signature(lines, ["a/library.py", "train.py"]) == "OSError in library.py:deep: x"
    assert signature(lines, ["other.py"]) == "OSError: x"


# -- the last error --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tail", "error"),
    [
        ([], ""),
        (["", "  "], ""),
        (["step 1", "Killed", ""], "Killed"),
        (["ValueError: a", "then more"], "ValueError: a"),
        (["ValueError: a", "torch.cuda.OutOfMemoryError: b", "bye"], "torch.cuda.OutOfMemoryError: b"),
        (["KeyboardInterrupt", "^C"], "KeyboardInterrupt"),
        (["an Error: in words", "done"], "done"),
        (["ValueError: \x1b[31mred\x1b[0m"], "ValueError: [31mred [0m"),
    ],
)
def test_the_last_error(tail: list[str], error: str) -> None:
    assert last_error(tail) == error


def test_a_tail_without_words_has_no_signature() -> None:
    assert signature([], ["train.py"]) == ""


@PURE
@given(st.lists(st.text(st.characters()) | st.sampled_from(["ValueError: x", '  File "train.py", line 1, in f', "/"])))
def test_a_signature_is_one_safe_line_of_bounded_length(tail: list[str]) -> None:
    for text in (signature(tail, ["train.py"]), last_error(tail)):
        assert len(text) <= 400
        assert not UNSAFE.search(text)
        assert len(text.splitlines()) <= 1


@pytest.mark.parametrize("line", ["/" * 250, "/a" * 140 + "/", "ValueError: " + "/" * 250, "1e" * 140, "a." * 140])
def test_no_line_keeps_the_normaliser_busy(line: str) -> None:
    """Steps that double with each character would not end in a lifetime: the limit only ends a test that fails."""
    code = "import sys; from gitexp.run.crash import signature; signature([sys.argv[1]], [])"
    subprocess.run([sys.executable, "-c", code, line], check=True, timeout=20)


def test_a_normalised_text_stays_as_it_is() -> None:
    text = normalise("size 6 of '/tmp/a/b.bin' at 0x7f00 in step 1.5")
    assert text == "size N of 'b.bin' at ADDR in step N"
    assert normalise(text) == text
    assert not re.search(r"\d", text)
