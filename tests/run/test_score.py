"""Where a score comes from: other people's trainers, as they are."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.run.score import SummaryParser, memory_mb, test_score

PURE = settings(max_examples=100, deadline=None, derandomize=True, database=None)
NOWHERE = Path("/nonexistent/metrics.json")
held_out = test_score  # under its own name pytest would take it for a test
del test_score

AUTORESEARCH = """\
Vocab size: 8,192
Model config: {'sequence_len': 2048, 'n_layer': 8}
Scaling LRs by (768/512)^-0.5 = 0.816497
Time budget: 300s
Gradient accumulation steps: 2
step 00000 (0.0%) | loss: 9.011 | lrm: 1.00 | dt: 11034ms | tok/sec: 47,513 | mfu: 15.4% | epoch: 1 | remaining: 300s
step 00953 (100.0%) | loss: 2.713 | lrm: 0.00 | dt: 315ms | tok/sec: 1,661,010 | mfu: 39.9% | epoch: 1 | remaining: 0s

---
val_bpb:          0.997900
training_seconds: 300.1
total_seconds:    325.9
peak_vram_mb:     45060.2
mfu_percent:      39.80
total_tokens_M:   499.6
num_steps:        953
num_params_M:     50.3
depth:            8
"""


def parse(text: str, metric: str = "val_bpb") -> SummaryParser:
    parser = SummaryParser(metric)
    for line in text.split("\n"):
        parser.feed(line)
    return parser


def printed(text: str, metric: str = "val_bpb") -> dict[str, float]:
    return parse(text, metric).result(NOWHERE, b"")


def in_rows(rows: str, metric: str = "val_bpb") -> dict[str, float]:
    return SummaryParser(metric).result(NOWHERE, rows.encode())


def in_json(file: Path) -> dict[str, float]:
    return SummaryParser("val_bpb").result(file, b"")


# -- the block of key: value lines -----------------------------------------------------------------------------------


def test_what_autoresearch_prints() -> None:
    assert printed(AUTORESEARCH) == {
        "val_bpb": 0.9979,
        "training_seconds": 300.1,
        "total_seconds": 325.9,
        "peak_vram_mb": 45060.2,
        "mfu_percent": 39.8,
        "total_tokens_M": 499.6,
        "num_steps": 953,
        "num_params_M": 50.3,
        "depth": 8,
    }


@pytest.mark.parametrize(
    ("line", "score"),
    [
        ("val_bpb: 0.9979", 0.9979),
        ("  val_bpb :\t0.9979  ", 0.9979),
        ("val_bpb: -1.5e-3", -0.0015),
        ("val_bpb: 3", 3.0),
        ("val_bpb: inf", math.inf),
    ],
)
def test_a_line_of_a_block(line: str, score: float) -> None:
    assert printed(line) == {"val_bpb": score}


@pytest.mark.parametrize(
    "line",
    [
        *("val_bpb", "val_bpb:", "val_bpb: ", "val_bpb: good", "val_bpb: 0.99 bits", "val_bpb: 1,024", "val_bpb=0.9"),
        *("VAL_BPB: 0.9", "my val_bpb: 0.9", "test/val_bpb: 0.9", "val_bpb: 0.9 | loss: 2", "", ": 0.9", "val_bpb:: 1"),
    ],
)
def test_a_line_that_says_no_score(line: str) -> None:
    assert printed(line) == {}


def test_a_name_may_have_dots_dashes_and_slashes() -> None:
    assert printed("eval/loss-v1.5: 2.5\nother: 1", "eval/loss-v1.5") == {"eval/loss-v1.5": 2.5, "other": 1}


def test_not_a_number_is_kept_for_it_tells_of_a_diverged_run() -> None:
    assert math.isnan(printed("val_bpb: nan")["val_bpb"])


def test_the_last_block_that_has_the_metric_counts() -> None:
    assert printed("val_bpb: 3\nearly: 1\n---\nval_bpb: 2\nlate: 1\n---\nsteps: 7") == {"val_bpb": 2, "late": 1}


def test_noise_after_an_earlier_block_changes_nothing() -> None:
    noise = "Saved the model.\nwandb: run finished\nuploading 100%\nUserWarning: x\n  warn()\nbye: 7\nBYE"
    assert printed(AUTORESEARCH + noise) == printed(AUTORESEARCH)


def test_a_repeated_name_has_its_last_value() -> None:
    assert printed("val_bpb: 3\nval_bpb: 2\nval_bpb: 1") == {"val_bpb": 1}


def test_words_in_a_block_do_not_end_it() -> None:
    assert printed("val_bpb: 2\noptimizer: AdamW\n\nnum_steps: 7") == {"val_bpb": 2, "num_steps": 7}


def test_the_device_is_remembered() -> None:
    assert parse("device: Apple M4 Max\nval_bpb: 1\n---\ndone").device == "Apple M4 Max"
    assert parse("val_bpb: 1").device == ""


def test_the_names_seen_are_remembered_to_suggest_one() -> None:
    assert parse("loss: 2\nlr: 0.1\noptimizer: AdamW\n---\nloss: 1").seen == {"loss", "lr"}


# -- METRIC lines ----------------------------------------------------------------------------------------------------


def test_metric_lines() -> None:
    text = "METRIC val_bpb=2.5\nnoise\n  METRIC  steps = 7 \nMETRIC val_bpb=2.25\nMETRIC x=y\nMETRICS z=1\nmetric z=1"
    assert printed(text) == {"val_bpb": 2.25, "steps": 7}


def test_a_metric_line_does_not_end_a_block() -> None:
    assert printed("a: 1\nMETRIC b=2\nval_bpb: 3") == {"a": 1, "val_bpb": 3}


# -- the last word counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("METRIC val_bpb=0.9\nMETRIC val_bpb=None", "None"),
        ("val_bpb: 0.9\nval_bpb: None", "None"),
        ("val_bpb: 0.9\n---\nval_bpb: diverged", "diverged"),
        ("METRIC val_bpb=0.9\nval_bpb: None", "None"),
        ("val_bpb: 0.9\nMETRIC val_bpb=n/a", "n/a"),
        ("METRIC val_bpb=None", "None"),
    ],
)
def test_a_last_word_that_is_no_number_is_no_score(text: str, word: str) -> None:
    parser = parse(text)
    assert parser.result(NOWHERE, b"") == {}
    assert parser.word == word


@pytest.mark.parametrize("text", ["METRIC val_bpb=None\nMETRIC val_bpb=0.9", "val_bpb: None\nval_bpb: 0.9"])
def test_a_number_after_a_word_is_the_score(text: str) -> None:
    parser = parse(text)
    assert parser.result(NOWHERE, b"") == {"val_bpb": 0.9}
    assert parser.word == ""


def test_words_beside_the_score_do_no_harm() -> None:
    assert printed("METRIC state=completed\nMETRIC val_bpb=0.9\nMETRIC note=None") == {"val_bpb": 0.9}


@pytest.mark.parametrize(("value", "word"), [("null", "None"), ('"nan?"', "nan?"), ("[1]", "[1]"), ("true", "True")])
def test_json_that_gives_a_word_is_believed_before_an_earlier_number(tmp_path: Path, value: str, word: str) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(f'{{"val_bpb": {value}, "steps": 7}}')
    parser = parse("val_bpb: 0.9")
    assert parser.result(file, b"") == {}
    assert parser.word == word


def test_a_row_that_gives_a_word_is_believed_before_an_earlier_number() -> None:
    parser = parse("val_bpb: 0.9")
    assert parser.result(NOWHERE, b"val_bpb\tsteps\n0.8\t7\nNone\t8\n") == {}
    assert parser.word == "None"


# -- any line, in linear time ----------------------------------------------------------------------------------------

# What has made regular expressions backtrack: near-matches, and each class of characters.
NEAR = [
    *(
        "A",
        "1",
        "1e",
        "/a",
        "0x",
        " ",
        "\t",
        ".",
        "a.",
        "A.B",
        "~/",
        "-",
        "+",
        "=",
        ":",
        ",",
        "é",
        "\u202e",
        "\x1b[31m",
    ),
    *("loss ", "loss 1", "METRIC ", "METRIC a=", "step 1 ", "1,", "N, ", "9 %", "nan", "a: ", "Error", "AError", "{"),
    *("A.Error: ", '", line 1', 'File "', "[{", '"', "\\", "ACDEFGHIKLMNPQRSTVWY"),
]


PREFIXES = ["", "loss ", "METRIC loss=", "loss: ", '  File "', '{"loss": ']
READ_ALL = """\
import json
import resource
import sys
from gitexp.run.crash import signature
from gitexp.run.curve import PERCENT, point
from gitexp.run.score import SummaryParser

prefixes, nears = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # seconds; it takes 3, and hours where some time is not linear
for prefix in prefixes:
    for near in nears:
        line = (prefix + near * 30_000)[:30_000]
        print(repr(prefix), repr(near), flush=True)
        SummaryParser("loss").feed(line)
        point(line)
        signature([line], ["train.py"])
        PERCENT.search(line)
"""


def test_no_line_takes_more_than_linear_time() -> None:
    command = [sys.executable, "-c", READ_ALL, json.dumps([PREFIXES, NEAR])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"it did not end with {done.stdout.splitlines()[-1:]}\n{done.stderr}"


# -- the table -------------------------------------------------------------------------------------------------------

FIVE = "383abb4\t2.667000\t26.9\tkeep\tbaseline\n"
SEVEN = "exp004\tval_bpb\t1.807902\t1.9\t512.5\tkeep\tdepth 8 -> 4\n"
HEADER_5 = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
HEADER_7 = "id\tmetric\tval_score\ttest_score\tmemory_mb\tstatus\tdescription\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("before", ["", HEADER_5, HEADER_5 + "c67ad2a\t9.5\t1.0\tdiscard\tother\n", "some words\n"])
def test_a_row_of_five_columns(before: str, end: str) -> None:
    row = FIVE.replace("383abb4", "a-commit").replace("\n", end)
    assert in_rows(before + row) == {"val_bpb": 2.667, "memory_gb": 26.9}


EARLIER = ["", "exp003\tval_bpb\t9.5\t\t9.5\tdiscard\tother\n", "exp003\tval_bpb\t\t\t\tcrash\tother\n"]


@pytest.mark.parametrize("earlier", EARLIER, ids=["first", "after a discard", "after a crash"])
@pytest.mark.parametrize("header", ["", HEADER_7], ids=["no header", "header"])
def test_a_row_of_seven_columns(header: str, earlier: str) -> None:
    expected = {"val_bpb": 1.807902, "test_score": 1.9, "memory_mb": 512.5}
    assert in_rows(header + earlier + SEVEN) == expected


def test_a_header_names_the_columns_whatever_their_number_and_order() -> None:
    table = "name\tsharpe\tscore\tval_pass\nrun-a\t1.5\t0.25\tfalse\n"
    assert in_rows(table, "score") == {"sharpe": 1.5, "score": 0.25}
    assert in_rows("notes\tval_score\nx\t4\n", "anything") == {"anything": 4}


def test_the_header_above_the_row_counts_when_tables_follow_each_other() -> None:
    tables = HEADER_5 + FIVE + "a\tb\tval_bpb\td\te\n1\t2\t3\t4\t5\n"
    assert in_rows(tables) == {"a": 1, "b": 2, "val_bpb": 3, "d": 4, "e": 5}


@pytest.mark.parametrize(
    "rows",
    [
        *("", "\n\n", HEADER_5, HEADER_7, "a\tb\n", "2.5\n", "\t\t\t\t\n", "x\t\tx\tcrash\tno score\n"),
        *("\0\0\0\0", "1\t2\t3\t4\t5\t6\n", HEADER_5 + "three\tcolumns\tonly\n"),
    ],
)
def test_a_table_that_says_no_score(rows: str) -> None:
    assert in_rows(rows) == {}


def test_a_diverged_row_says_so() -> None:
    assert math.isnan(in_rows(FIVE.replace("2.667000", "nan"))["val_bpb"])


@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_newline_ends_a_row(odd: str) -> None:
    row = FIVE.replace("baseline", f"a{odd}b")
    assert in_rows(HEADER_5 + row).get("val_bpb") == 2.667


# -- the JSON file ---------------------------------------------------------------------------------------------------


def test_the_json_file(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text('{"val_bpb": 0.5, "steps": 7, "ok": true, "why": "0.25", "loss": NaN, "more": {"a": 1}, "": 1}')
    read = in_json(file)
    assert math.isnan(read.pop("loss"))
    assert read == {"val_bpb": 0.5, "steps": 7}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "3", "null", '{"a": ', "\0", '{"big": 1' + "0" * 400 + "}", '{"big": ' + "9" * 5000 + "}"],
)
def test_a_json_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(text)
    assert in_json(file) == {}


def test_a_json_file_of_nothing_but_brackets_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text("[" * 200_000)
    assert in_json(file) == {}


def test_a_json_file_that_is_a_folder_or_no_text_says_nothing(tmp_path: Path) -> None:
    assert in_json(tmp_path) == {}
    (tmp_path / "x").write_bytes(b"\xff\xfe{}")
    assert in_json(tmp_path / "x") == {}


# -- the order of the sources ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(4))
def test_the_first_source_that_has_the_metric_is_taken_whole(tmp_path: Path, first: int) -> None:
    name = ["other", "val_bpb"]
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({name[first <= 0]: 1, "json": 1}))
    rows = f"{name[first <= 1]}\trow\n2\t2\n".encode()
    text = f"METRIC val_bpb=4\nMETRIC lines=4\n---\n{name[first <= 2]}: 3\nblock: 3\n"
    expected = [
        {"val_bpb": 1, "json": 1},
        {"val_bpb": 2, "row": 2},
        {"val_bpb": 3, "block": 3},
        {"val_bpb": 4, "lines": 4},
    ]
    assert parse(text).result(file, rows) == expected[first]


def test_no_source_has_the_metric(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text('{"a": 1}')
    assert parse("b: 1\nMETRIC c=1").result(file, b"d\n1\n") == {}


def test_a_score_beside_many_other_numbers_is_found(tmp_path: Path) -> None:
    many = {f"layer{n}": n for n in range(200)}
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps(many | {"val_bpb": 1}))
    found = {
        "json": in_json(file),
        "row": in_rows("\t".join([*many, "val_bpb"]) + "\n" + "1\t" * 200 + "1"),
        "block": printed("".join(f"{name}: 1\n" for name in many) + "val_bpb: 1"),
        "lines": printed("".join(f"METRIC {name}=1\n" for name in many) + "METRIC val_bpb=1"),
    }
    assert [source for source, metrics in found.items() if metrics.get("val_bpb") != 1] == []


# -- hostile output --------------------------------------------------------------------------------------------------


def test_thirty_thousand_lines_leave_little_behind() -> None:
    parser = SummaryParser("val_bpb")
    parser.feed("val_bpb: 0.5")
    parser.feed("---")
    tracemalloc.start()
    for number in range(15_000):
        parser.feed(f"name{number}: {number}")
        parser.feed(f"METRIC metric{number}={number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 50_000
    assert len(parser.seen) < 100
    assert parser.result(NOWHERE, b"") == {"val_bpb": 0.5}


@PURE
@given(st.lists(st.text(st.characters(), max_size=30) | st.sampled_from(["val_bpb: 1", "---", "METRIC a=1", "a: 2"])))
def test_any_output_gives_finite_numbers_of_usable_names(lines: list[str]) -> None:
    parser = SummaryParser("val_bpb")
    for line in lines:
        parser.feed(line)
    metrics = parser.result(NOWHERE, "\n".join(lines).encode("utf-8", "replace"))
    assert all(isinstance(value, float) for value in metrics.values())
    assert all(name.strip() == name != "" for name in metrics)


# -- the metrics with a column of their own --------------------------------------------------------------------------


def test_memory_is_taken_from_whichever_name_was_printed() -> None:
    assert memory_mb({"memory_mb": 1, "peak_memory_mb": 2, "peak_vram_mb": 3}) == 1
    assert memory_mb({"peak_memory_mb": 2, "peak_vram_mb": 3}) == 2
    assert memory_mb({"peak_vram_mb": 3}) == 3
    assert memory_mb({"memory": 3}) is None


def test_the_held_out_score_is_test_score_or_the_metric_s_twin() -> None:
    assert held_out({"test_score": 1, "test_bpb": 2}, "val_bpb") == 1
    assert held_out({"test_bpb": 2}, "val_bpb") == 2
    assert held_out({"test_accuracy": 3}, "accuracy") == 3
    assert held_out({"test_accuracy": 3}, "val_bpb") is None
