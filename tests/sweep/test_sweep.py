"""``gitexp sweep``: real steps, one for each setting, and nothing of it tried twice or left in the work tree."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitexp.model import Status
from tests.helpers import faults
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.hooks import hook_that
from tests.helpers.kill_points import at_each_point
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, Once, git, make_repository, set_lr, state_of

BOTH = TOY.replace("LR = 0.1\n", "LR = 0.1  # rate\nDEPTH = 2\n").replace("** 2:", "** 2 + abs(DEPTH - 4) / 10:")
VALUES = ("LR=0.1,0.2,0.3,0.5", "DEPTH=2,3,4,5,6")


@pytest.fixture
def both(once: Once, gitexp: Gitexp) -> Path:
    """An experiment of two constants: LR 0.3 and DEPTH 4 are best."""

    def begin(folder: Path) -> None:
        make_repository(folder, {"train.py": BOTH})
        gitexp("init", "--budget", "5")

    return once("both", begin)


@pytest.fixture
def both_in_place(once: Once, gitexp: Gitexp) -> Path:
    def begin(folder: Path) -> None:
        make_repository(folder, {"train.py": BOTH})
        gitexp("init", "--budget", "5", "--in-place")

    return once("both-in-place", begin)


def params(folder: Path) -> list[dict[str, str]]:
    return [dict(iteration.candidate.params) for iteration in ledger_of(folder).iterations[1:]]


# -- the searches ------------------------------------------------------------------------------------------------------


def test_each_value_is_tried_once_also_when_it_is_ended_and_typed_again(both: Path, gitexp: Gitexp) -> None:
    assert gitexp("sweep", *VALUES, "--steps", "3").stdout.count(" against ") == 3
    assert "The sweep ended because there is nothing left to try" in gitexp("sweep", *VALUES).stdout
    assert params(both) == [{"LR": lr} for lr in ("0.2", "0.3", "0.5")] + [{"DEPTH": depth} for depth in "3456"]
    ledger = ledger_of(both)
    assert [i.description for i in ledger.iterations if i.status is Status.KEEP][1:] == [
        "LR 0.1 -> 0.2",
        "LR 0.2 -> 0.3",
        "DEPTH 2 -> 3",
        "DEPTH 3 -> 4",
    ]
    assert (both / "train.py").read_text() == BOTH.replace("LR = 0.1", "LR = 0.3").replace("DEPTH = 2", "DEPTH = 4")
    assert git("status", "--porcelain") == ""
    assert "nothing left to try" in gitexp("sweep", *VALUES).stdout
    assert len(ledger.iterations) == len(ledger_of(both).iterations)
    assert gitexp("fsck").exit_code == 0


def test_a_setting_is_sealed_where_git_and_people_find_it(both: Path, gitexp: Gitexp) -> None:
    said = gitexp("sweep", "LR=0.9,0.3", "DEPTH=2,4", "--search", "grid", "--steps", "2", "--json").stdout
    *lines, end = [json.loads(line) for line in said.splitlines()]
    assert end["ended"] == "2 steps were asked for"
    assert [line["params"] for line in lines] == [{"LR": "0.9", "DEPTH": "2"}, {"LR": "0.9", "DEPTH": "4"}]
    assert [line["description"] for line in lines] == ["LR 0.1 -> 0.9", "LR 0.1 -> 0.9, DEPTH 2 -> 4"]
    form = "--format=%(trailers:key=Exp-Param,valueonly)"
    assert git("show", "-s", form, lines[1]["commit"]).split() == ["LR=0.9", "DEPTH=4"]
    assert json.loads(gitexp("log", "--json").stdout)[2]["params"] == {"LR": "0.9", "DEPTH": "4"}
    why = gitexp("why", "exp002").stdout
    assert "  set        LR = 0.9\n  set        DEPTH = 4\n" in why
    assert "Exp-Param: LR=0.9" in gitexp("show", "exp002").stdout


def test_an_edit_is_of_the_value_alone(folder: Path, gitexp: Gitexp) -> None:
    source = b"\xef\xbb\xbf" + BOTH.replace("\n", "\r\n").encode()
    (folder / "train.py").write_bytes(source)
    (folder / "train.py").chmod(0o755)
    git("commit", "-qam", "as on Windows")
    gitexp("init", "--budget", "5")
    gitexp("sweep", "LR=0.3,0.9")
    assert (folder / "train.py").read_bytes() == source.replace(b"LR = 0.1", b"LR = 0.3")
    assert (folder / "train.py").stat().st_mode & 0o777 == 0o755
    assert git("diff", "--stat", "HEAD~3").splitlines()[-1] == " 1 file changed, 1 insertion(+), 1 deletion(-)"


def test_constants_of_a_folder_of_configs(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = "import json; print('val_bpb:', 2 + abs(json.load(open('conf/b.json'))['width'] - 4))\n"
    files = {
        "train.py": trainer,
        "conf/a.yaml": "optimizer:\n  lr: 1e-3  # rate\n",
        "conf/b.json": '{\n\t"width": 8\n}\n',
        "conf/c.toml": "[model]\ndepth = 2  # d\n",
        "conf/notes.txt": "width\n",
    }
    folder = make_repository(tmp_path / "configs", files)
    monkeypatch.chdir(folder)
    gitexp("init", "train.py", "--budget", "5", "--edit", "conf")
    gitexp("sweep", "optimizer.lr=2e-3", "width=4,1", "model.depth=4..5", "--steps", "4")
    assert [next(iter(setting.items())) for setting in params(folder)] == [
        ("optimizer.lr", "2.0e-3"),
        ("width", "4"),
        ("width", "1"),
        ("model.depth", "4"),
    ]
    assert (folder / "conf/b.json").read_text() == '{\n\t"width": 4\n}\n'
    assert git("diff", "--name-only", "main").split() == ["conf/b.json"]


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_what_is_drawn_is_in_the_space(both: Path, gitexp: Gitexp, kind: str) -> None:
    gitexp("sweep", "LR=0.01..1:log", "DEPTH=1..8", "--search", kind, "--steps", "2")
    gitexp("sweep", "LR=0.01..1:log", "DEPTH=1..8", "--search", kind, "--steps", "1")
    settings = params(both)
    assert len(settings) == 3
    assert len({tuple(setting.values()) for setting in settings}) == 3
    assert all(0.01 <= float(s["LR"]) <= 1 and 1 <= int(s["DEPTH"]) <= 8 for s in settings)


def test_what_was_tried_by_hand_is_skipped_with_a_word(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.9)
    gitexp("step", "-m", "a large LR")
    said = gitexp("sweep", "LR=0.9,0.3").stderr
    assert "exp002 (LR 0.1 -> 0.9) was not tried: This edit was already tried as exp001, DISCARD" in said
    assert params(experiment) == [{}, {"LR": "0.3"}]
    assert git("status", "--porcelain") == ""


def test_a_crash_is_tried_once_too(experiment: Path, gitexp: Gitexp) -> None:
    gitexp("sweep", "LR='x',0.3")
    assert [i.status for i in ledger_of(experiment).iterations[1:]] == [Status.CRASH, Status.KEEP]
    assert "nothing left to try" in gitexp("sweep", "LR='x',0.3").stdout
    assert len(ledger_of(experiment).iterations) == 3


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_names_the_settings_and_the_time(both: Path, gitexp: Gitexp) -> None:
    before = state_of(both)
    lines = gitexp("sweep", *VALUES, "--dry-run").stdout.splitlines()
    assert lines[:4] == ["  LR 0.1 -> 0.2", "  LR 0.1 -> 0.3", "  LR 0.1 -> 0.5", "  DEPTH 2 -> 3"]
    assert lines[-1].startswith("7 steps: about ")
    assert len(gitexp("sweep", *VALUES, "--dry-run", "--steps", "2").stdout.splitlines()) == 3
    *settings, total = map(json.loads, gitexp("sweep", *VALUES, "--dry-run", "--json").stdout.splitlines())
    assert settings[0] == {"schema": 1, "message": "LR 0.1 -> 0.2", "params": {"LR": "0.2"}}
    assert (len(settings), total["steps"]) == (7, 7)
    assert total["seconds"] == round(7 * ledger_of(both).baseline.measurement.seconds, 1)
    assert gitexp("sweep", *VALUES, "--search", "grid", "--dry-run").stdout.splitlines()[-1].startswith("19 steps: ")
    said = gitexp("sweep", "LR=0.1..1", "--search", "tpe", "--steps", "30", "--dry-run").stdout
    assert said.startswith("30 steps, each chosen by tpe when the one before is sealed: about ")
    assert state_of(both) == before


# -- what is refused, with nothing changed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("LRR=0.2",), "There is no constant LRR in train.py. There is LR."),
        (("LR=adam",), "adam is not a value for LR, which is 0.1"),
        (("LR=0.2", "LR=0.3"), "LR is named twice"),
        (("train.py:LR=0.2", "LR=0.3"), "LR is named twice"),
        (("DEPTH=1.5..4",), "DEPTH is the int 2, and 1.5..4 is a range of floats"),
        (("LR=0.2..0.4", "--search", "random"), "The search random does not end by itself"),
        (("LR",), "'LR' is not a constant with values to try"),
    ],
)
def test_a_sweep_is_refused_before_anything_is_tried(
    both: Path, gitexp: Gitexp, args: tuple[str, ...], words: str
) -> None:
    assert words in refused(gitexp, both, "sweep", *args)


@pytest.mark.parametrize("kind", ["grid", "random", "tpe"])
def test_where_one_change_is_allowed_several_at_a_time_are_refused(folder: Path, gitexp: Gitexp, kind: str) -> None:
    (folder / "train.py").write_text(BOTH)
    git("commit", "-qam", "two constants")
    gitexp("init", "--one-variable", "strict")
    said = refused(gitexp, folder, "sweep", "LR=0.2", "DEPTH=4", "--search", kind, "--steps", "1")
    assert f"allows one change at a time, and {kind} changes LR and DEPTH together" in said
    gitexp("sweep", "LR=0.2,0.3", "--search", kind, "--steps", "1")
    gitexp("sweep", "LR=0.9", "DEPTH=4")
    assert len(params(folder)) == 3


# -- what was left -----------------------------------------------------------------------------------------------------


def test_a_persons_edit_is_not_taken_for_a_sweeps(both_in_place: Path, gitexp: Gitexp) -> None:
    for edited in (BOTH.replace("LR = 0.1", "LR = 0.7"), BOTH.replace("rate", "the rate").replace("0.1", "0.2", 1)):
        (both_in_place / "train.py").write_text(edited)
        assert "train.py is edited already" in gitexp("sweep", "LR=0.2,0.3", code=1).stderr
        assert (both_in_place / "train.py").read_text() == edited


def test_a_setting_that_comes_to_no_verdict_is_taken_back(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.9 train.py && exit 125\necho val_bpb: 2\n")
    gitexp("init")
    said = gitexp("sweep", "LR=0.9,0.3", code=0)
    assert "exp001 (LR 0.1 -> 0.9) was not tried" in said.stderr
    assert params(folder) == [{"LR": "0.3"}]
    assert (folder / "train.py").read_text() == TOY
    assert git("for-each-ref", "refs/gitexp") == ""


def test_what_was_measured_and_not_sealed_is_sealed_with_its_setting(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.9 train.py && git switch -q -c elsewhere\necho val_bpb: 3\n")
    gitexp("init", "--in-place")
    assert "exp001 is measured" in gitexp("sweep", "LR=0.9,0.3", code=1).stderr
    assert "LR = 0.9" in (folder / "train.py").read_text()
    git("switch", "-q", "exp/train")
    assert "it is sealed now" in gitexp("sweep", "LR=0.9,0.3").stderr
    assert params(folder) == [{"LR": "0.9"}, {"LR": "0.3"}]
    assert (folder / "train.py").read_text() == TOY


@pytest.mark.slow
@pytest.mark.parametrize("signal", [2, 9])
@pytest.mark.parametrize("where", [(), ("--in-place",)], ids=["clean tree", "in place"])
def test_a_sweep_that_was_ended_in_its_run_goes_on(
    folder: Path, gitexp: Gitexp, signal: int, where: tuple[str, ...]
) -> None:
    running = folder / ".git/running"
    hook_that(
        folder, f"grep -q 0.9 train.py && [ ! -e {running} ] && {{ touch {running}; sleep 60; }}\necho val_bpb: 3\n"
    )
    gitexp("init", "--budget", "5", *where)
    command = [sys.executable, "-m", "gitexp", "sweep", "LR=0.2,0.9,0.3"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    while not running.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal)
    if signal == 2:  # the first only asks it to end after this step
        assert process.stderr
        assert any("ends after this step" in line for line in process.stderr)
        process.send_signal(signal)
    process.communicate()
    assert ("LR = 0.9" in (folder / "train.py").read_text()) == (signal == 9 and bool(where))
    gitexp("sweep", "LR=0.2,0.9,0.3")
    assert params(folder) == [{"LR": "0.2"}, {"LR": "0.9"}, {"LR": "0.3"}]
    assert git("status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", [faults.die, faults.disk_full, faults.interrupt])
def test_a_sweep_struck_anywhere_goes_on_to_the_same_end(
    tmp_path: Path, runs: Path, stride: int, fault: faults.Fault
) -> None:
    base = faults.make(tmp_path / "base" / "repository")
    (base / "model" / "size.py").write_text("SIZE = 1\n")
    git("add", "model/size.py", cwd=base)
    git("commit", "-qm", "size", cwd=base)
    init = ("init", "--edit", "train.py", "--edit", "model", "--budget", "5", "--rule", "single")
    assert faults.gitexp(base, *init).code == 0
    asked = ("sweep", "SIZE=2", "SCORE=1.5")

    def strike(folder: Path, at: int) -> faults.Ended:
        return faults.gitexp(folder, *asked, at=at, fault=fault)

    def check(folder: Path, struck: faults.Ended) -> None:
        ended = faults.gitexp(folder, *asked)
        assert ended.code == 0, ended.output
        tried = params(folder)
        if fault is faults.disk_full:  # what could not be tried was left for the next run, and the rest went on
            tried.sort(key=str, reverse=True)
        assert tried == [{"SIZE": "2"}, {"SCORE": "1.5"}]
        assert git("status", "--porcelain", cwd=folder) == "?? scratch.txt\n"
        assert git("for-each-ref", "refs/gitexp", cwd=folder) == ""
        git("fsck", "--strict", "--no-dangling", cwd=folder)

    assert at_each_point(base, 4 * stride, strike, check) > 100


@pytest.mark.slow
def test_thirty_steps_of_tpe(both: Path, gitexp: Gitexp) -> None:
    gitexp("sweep", "LR=0.001..1:log", "DEPTH=1..8", "--search", "tpe", "--steps", "30")
    settings = params(both)
    assert len({tuple(setting.items()) for setting in settings}) == 30
    assert all(0.001 <= float(s["LR"]) <= 1 and 1 <= int(s["DEPTH"]) <= 8 for s in settings)
    assert ledger_of(both).incumbent.number > 0
    assert gitexp("fsck").exit_code == 0
