"""Loss curves, kept beside the logs; and both as git objects that travel when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Candidate
from gitexp.run.curve import MOST, Point, Recorder, read, to_json_lines
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, make_repository, set_lr

CURVED = """\
import json, os
LR = 0.1
for step in range(3):
    print(f"step {step} | loss {3 - step / 10}")
if WRITES:
    with open(os.environ["GITEXP_CURVE"], "w") as curve:
        for step in range(5000):
            print(json.dumps({"step": step, "loss": 5000 - step, "lr": 0.5, "secret": "x"}), file=curve)
print("---")
print(f"val_bpb: {2 + (LR - 0.3) ** 2:.6f}")
"""


def place_of(folder: Path) -> ExperimentFiles:
    return ExperimentFiles.of(Repository.discover(folder), "train")


def curve_of(folder: Path, identity: str) -> Path:
    """The file of an iteration's first run."""
    ledger = history.load(Repository.discover(folder), "train")
    return place_of(folder).curve_file(history.find(ledger, identity).candidate.label(1))


@pytest.fixture
def curved(folder: Path, gitexp: Gitexp) -> Path:
    (folder / "train.py").write_text(CURVED.replace("WRITES", "False"))
    git("commit", "-qam", "curved", cwd=folder)
    gitexp("init", "--budget", "5", "--rule", "single")
    return folder


def test_the_curve_of_a_run_is_what_it_printed(curved: Path) -> None:
    curve = read(curve_of(curved, "exp000"))
    assert [(point.step, point.loss) for point in curve] == [(0, 3.0), (1, 2.9), (2, 2.8)]
    assert all(point.seconds is not None and 0 <= point.seconds < 60 for point in curve)


def test_or_what_it_wrote_thinned(curved: Path, gitexp: Gitexp) -> None:
    (curved / "train.py").write_text(CURVED.replace("WRITES", "True"))
    gitexp("step", "-m", "writes its curve")
    curve = read(curve_of(curved, "exp001"))
    assert MOST / 2 < len(curve) <= MOST + 1
    assert (curve[0].step, curve[-1].step) == (0, 4999)
    assert curve[1].rate == 0.5
    assert "secret" not in curve_of(curved, "exp001").read_text()


def test_a_run_without_a_loss_has_no_curve(experiment: Path) -> None:
    assert read(curve_of(experiment, "exp000")) == []
    assert not curve_of(experiment, "exp000").exists()


def test_a_curve_reads_back_as_it_was(tmp_path: Path) -> None:
    recorder = Recorder()
    for step in range(10):
        recorder.record(Point(3.0 - step, step, step / 10, 1e-3, 100.0, step * 0.5))
    (tmp_path / "curve").write_text(to_json_lines(recorder.curve()))
    assert read(tmp_path / "curve") == recorder.curve()


def test_logs_travel_when_asked_and_a_plain_clone_has_none(
    curved: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    git("remote", "add", "origin", str(tmp_path / "hub.git"), cwd=curved)
    git("push", "-q", "origin", "exp/train", "main", cwd=curved)
    assert gitexp("logs", "push").stdout == "origin has 2 files of train now, at refs/gitexp/logs/train.\n"
    git("clone", "-q", "-b", "exp/train", str(tmp_path / "hub.git"), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    assert "its log is not on this machine" in gitexp("show", "exp000").stdout
    assert gitexp("logs", "fetch").stdout == "Fetched 2 files of train from origin.\n"
    assert "val_bpb: 2.04" in gitexp("show", "exp000").stdout
    assert read(curve_of(tmp_path / "clone", "exp000")) == read(curve_of(curved, "exp000"))
    assert gitexp("logs", "fetch").stdout == "Fetched 0 files of train from origin.\n"
    gitexp("hook", "--install")
    set_lr(tmp_path / "clone", 0.2)
    (tmp_path / "clone/train.py").write_text((curved / "train.py").read_text().replace("LR = 0.1", "LR = 0.2"))
    gitexp("step", "-m", "in the clone")
    assert "origin has 4 files" in gitexp("logs", "push").stdout
    monkeypatch.chdir(curved)
    (curved / "train.py").write_text((curved / "train.py").read_text().replace("LR = 0.1", "LR = 0.3"))
    gitexp("step", "-m", "here")
    refused = gitexp("logs", "push", code=1)
    assert "gitexp logs fetch" in refused.stderr
    gitexp("logs", "fetch")
    gitexp("logs", "push")


def test_what_was_fetched_may_not_write_elsewhere(curved: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    hub = make_repository(tmp_path / "hub", {"up/evil.log": "x", "evil.txt": "x", "exp009.log": "good"})
    git("update-ref", "refs/gitexp/logs/train", "HEAD", cwd=hub)
    assert "Fetched 1 file of train from" in gitexp("logs", "fetch", str(hub)).stdout
    assert (curved / ".git/gitexp/train/logs/exp009.log").read_text() == "good"
    assert not list(curved.rglob("evil*"))


def test_nothing_to_push_and_no_such_remote(curved: Path, gitexp: Gitexp) -> None:
    assert "git remote -v" in gitexp("logs", "push", code=1).stderr
    for file in (curved / ".git/gitexp/train/logs").iterdir():
        file.unlink()
    git("update-ref", "-d", "refs/gitexp/logs/train", cwd=curved)
    assert "There are no logs of train here" in gitexp("logs", "push", code=1).stderr


# -- whose run it was --------------------------------------------------------------------------------------------------


def test_another_run_of_the_same_id_is_never_shown(experiment: Path, gitexp: Gitexp) -> None:
    """After a reset, or a fetch that was forced, an id belongs to another run."""
    baseline = git("rev-parse", "HEAD", cwd=experiment).strip()
    tips = []
    for value, description in ((0.2, "one way"), (0.25, "the other")):
        git("reset", "-q", "--hard", baseline, cwd=experiment)
        set_lr(experiment, value)
        gitexp("step", "-m", description)
        tips.append(git("rev-parse", "HEAD", cwd=experiment).strip())
    one, other = tips
    assert "val_bpb: 2.002500" in gitexp("show", "exp001").stdout
    git("reset", "-q", "--hard", one, cwd=experiment)
    assert "one way" in gitexp("log").stdout
    text = gitexp("show", "exp001").stdout
    assert "val_bpb: 2.010000" in text
    assert "val_bpb: 2.002500" not in text
    git("reset", "-q", "--hard", other, cwd=experiment)
    assert "val_bpb: 2.002500" in gitexp("show", "exp001").stdout


def test_a_renamed_branch_keeps_its_logs_and_pushes_only_its_own(
    experiment: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    git("branch", "-m", "exp/train", "exp/wider", cwd=experiment)
    assert "val_bpb: 2.010000" in gitexp("show", "exp001").stdout
    set_lr(experiment, 0.25)
    gitexp("step", "-m", "y")
    git("switch", "-q", "main", cwd=experiment)
    gitexp("init", "--budget", "5")  # exp/train once more: its runs are others, under the old name's folder
    git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    gitexp("logs", "push", str(tmp_path / "hub.git"), "-e", "wider")
    pushed = git("ls-tree", "--name-only", "refs/gitexp/logs/wider", cwd=experiment).split()
    wider = history.load(Repository.discover(experiment), "wider")
    own = {i.candidate.label(run) for i in wider.iterations for run in range(1, 1 + len(i.measurement.samples))}
    assert {name.removesuffix(".log") for name in pushed} == own


def test_a_run_id_of_a_hostile_branch_is_no_path() -> None:
    assert "/" not in Candidate("exp001", "../../..", "", "", "").label(1)
