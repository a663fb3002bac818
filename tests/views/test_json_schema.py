"""What commands print as JSON, held to the shapes that document it, and the shapes to what is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import score_text
from gitexp.resources import data_dir
from gitexp.views.json_schema import IterationJson, StepJson, dumps
from tests import json_manual
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import Once, git, make_repository
from tests.json_manual import EXTENDED, PRINTED, keys, shapes

# Lower is better, and 0.5 is best. Runs scatter with the seed; some report memory and a held-out score, some do not.
TRAINER = """\
LR = 1.0
import os, sys, time
for percent in range(0, 101, 2):
    print(f"step {percent} ({percent}%) | loss {3 - percent / 100 + abs(LR - 1)}", flush=True)
    if LR > 5 and percent > 60:
        time.sleep(60)
print("---")
print(f"val_bpb: {2 + abs(LR - 0.5) + int(os.environ['RANDOM_SEED']) / 1000}")
print("tokens_per_second: 1000")
print(f"peak_memory_mb: {500 if LR == 0.5 else 12.5}")
if LR == 0.9:
    print("test_bpb: 2.5")
"""
Printed = dict[str, list[Any]]  # by command, all that it printed


def edit(value: str) -> list[str]:
    return ["--", "perl", "-pi", "-e", f"s/^LR = .*/LR = {value}/", "train.py"]


@pytest.fixture
def printed(once: Once, gitexp: Gitexp) -> Printed:
    """What every command prints in an experiment where all happens that can be printed."""
    found: Printed = {}

    def say(*args: str, key: str = "", code: int | None = 0) -> None:
        lines = [json.loads(line) for line in gitexp(*args, code=code).stdout.splitlines()]
        found.setdefault(key or f"gitexp {args[0]} --json", []).extend(lines)

    def live(folder: Path) -> None:
        make_repository(folder, {"train.py": TRAINER})
        say("fsck", "--json", "main")
        gitexp("init", "--budget", "5", "--guard", "memory_mb<=100")
        (folder / ".git/hooks/post-step").write_text("#!/bin/sh\ncat >>.git/told.jsonl\n")
        (folder / ".git/hooks/post-step").chmod(0o755)
        say("status", "--json")
        say("step", "-m", "LR 0.9", "--hypothesis", "it is too high", "--json", *edit("0.9"))
        say("step", "-m", "a typo", "--json", *edit("oops"))
        say("loop", "--steps", "1", "--json", *edit("0.5"))
        args = ("sweep", "LR=0.95,0.85,1.1,1.2,9.0", "--prune", "--json")
        say(*args, "--dry-run", key="gitexp sweep --dry-run --json")
        say(*args)
        say("log", "--json")
        say("log", "--all", "--json", key="gitexp log --all --json")
        say("best", "--json")
        notebook = (
            (folder / "EXPERIMENT.md").read_text().replace("## Current goal\n", "## Current goal\n\nThe least.\n")
        )
        (folder / "EXPERIMENT.md").write_text(notebook)
        gitexp("step", "-m", "LR 0.8", "--next", "LR 0.7", *edit("0.8"))
        message = git("log", "-1", "--format=%B").rstrip() + "\n\nCo-authored-by: An Agent <agent@example.org>\n"
        git("commit", "-q", "--amend", "-F", "-", stdin=message)
        repo = Repository.discover(folder)
        place = ExperimentFiles.of(repo, "train")
        with place.locked(repo, "step"):
            say("status", "--json")
        git("update-ref", place.ref, "HEAD^{tree}")  # as a gitexp that died leaves it
        say("status", "--json")
        git("update-ref", "-d", place.ref)
        say("fsck", "--json", code=None)
        git("reset", "-q", "--hard", "HEAD~1")
        say("verify", "exp001", "--json", code=None)
        (folder / ".git/printed.json").write_text(json.dumps(found))

    return dict(json.loads((once("prints-json", live) / ".git/printed.json").read_text()))


def objects(printed: Printed, command: str) -> list[Any]:
    """The objects that a command printed, out of the arrays that they may stand in."""
    entries = printed[command]
    return [each for entry in entries for each in entry] if isinstance(PRINTED[command], list) else entries


def parts(value: Any, hint: Any) -> Iterator[tuple[type, str, Any]]:
    """For each key below ``value``, its shape, its name and its value; asserts that all of it has the type ``hint``."""
    if is_typeddict(hint):
        assert set(value) == set(get_type_hints(hint))
        for name in value:
            yield hint if name in keys(hint) else EXTENDED[hint], name, value[name]
    for inner, of_inner in within(value, hint):
        yield from parts(inner, of_inner)


def within(value: Any, hint: Any) -> list[tuple[Any, Any]]:
    """What ``value`` is made of, each with its type."""
    origin, args = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return [(value[name], of_key) for name, of_key in get_type_hints(hint).items()]
    if origin is UnionType:
        return [] if value is None else [(value, args[0])]
    if origin is tuple:
        return list(zip(value, args, strict=True))
    if origin in (list, dict):
        assert isinstance(value, origin)
        return [(inner, args[-1]) for inner in (value if origin is list else value.values())]
    assert value in args if origin is Literal else type(value) in ((int, float) if hint is float else (hint,))
    return []


def shape_of(value: dict[str, Any], command: str) -> type:
    """Which of a command's shapes an object has: that of a last line has a key of its own, as it says."""
    return next(
        (shape for shape in PRINTED[command][1:] if set(value) == set(get_type_hints(shape))), PRINTED[command][0]
    )


@pytest.mark.parametrize("command", PRINTED)
def test_a_command_prints_the_shapes_that_are_documented(command: str, printed: Printed) -> None:
    found = objects(printed, command)
    shapes = [shape_of(value, command) for value in found]
    assert set(shapes) == set(PRINTED[command])
    for value, shape in zip(found, shapes, strict=True):
        list(parts(value, shape))


def test_each_key_that_may_be_null_is_null_at_times_and_no_other(printed: Printed) -> None:
    seen: dict[tuple[type, str], set[bool]] = {}
    for command in PRINTED:
        for value in objects(printed, command):
            for shape, name, inner in parts(value, shape_of(value, command)):
                seen.setdefault((shape, name), set()).add(inner is None)
    documented = {
        (shape, name): {False, True} if NoneType in get_args(hint) else {False}
        for shape in shapes()
        for name, (hint, _) in keys(shape).items()
    }
    assert seen == documented


def test_an_iteration_is_the_same_from_every_command(printed: Printed) -> None:
    log = {iteration["id"]: iteration for iteration in objects(printed, "gitexp log --json")}
    steps = [value for name in ("step", "loop", "sweep") for value in printed[f"gitexp {name} --json"] if "id" in value]
    assert [step["id"] for step in steps] == [*log][1:]
    for step in steps:
        assert {key: step[key] for key in get_type_hints(IterationJson)} == log[step["id"]]
    (best,) = objects(printed, "gitexp best --json")
    (experiment,) = objects(printed, "gitexp log --all --json")
    assert best == experiment["best"] == log["exp001"]
    first, *_, last = printed["gitexp status --json"]
    assert first["incumbent"] == log["exp000"]
    assert last["incumbent"]["delta"] < 0


def test_the_hook_is_told_what_the_steps_print(printed: Printed) -> None:
    told = [json.loads(line) for line in Path(".git/told.jsonl").read_text().splitlines()]
    steps = [value for name in ("step", "loop", "sweep") for value in printed[f"gitexp {name} --json"] if "id" in value]
    assert told[: len(steps)] == steps
    for value in told:
        list(parts(value, StepJson))


def test_numbers_of_a_verdict_are_those_of_its_sentence(printed: Printed) -> None:
    keep, crash = printed["gitexp step --json"]
    assert keep["lead"] == pytest.approx(-keep["delta"], rel=1e-11)
    assert keep["lead"] > 0
    assert f"noise {score_text(keep['noise'])}, evidence {keep['evidence']:.2f}" in keep["reason"]
    (guarded, _) = printed["gitexp loop --json"]
    for step in (crash, guarded):
        assert [step[key] for key in ("delta", "lead", "noise", "evidence")] == [None] * 4


def test_the_manual_says_what_the_shapes_say() -> None:
    assert (data_dir("manual") / "json.md").read_text() == json_manual.text(), "write it: python -m tests.json_manual"


def test_no_text_drives_a_terminal_and_no_number_is_nan() -> None:
    assert dumps({"a": "\x1b[31m\u202e\u2028é"}) == '{"a": "\\u001b[31m\\u202e\\u2028é"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(float("nan"))
