"""The report: what it holds, that it is one file which fetches nothing, and that other people's text stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.model import Direction, Status
from gitexp.views import report as page
from gitexp.views.report_data import NEWEST, ChartPoint, chart_data, chart_points, fronts
from gitexp.views.report_details import gather, newest, thinned
from gitexp.views.report_text import report_text
from tests.helpers.command_line import Gitexp
from tests.helpers.experiments import make_experiment
from tests.helpers.ledgers import HOSTILE, details, ledger
from tests.helpers.made_iterations import make_iteration
from tests.helpers.properties import PURE
from tests.helpers.repositories import Once, git, set_lr


class Page(HTMLParser):
    """What a browser would make of the file: its elements, and the text of each kind."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


def page_of(file: Path) -> Page:
    return Page(file.read_text())


@pytest.fixture
def lived(once: Once, gitexp: Gitexp) -> Path:
    """A KEEP, a DISCARD and a CRASH after the baseline."""

    def live(place: Path) -> None:
        make_experiment(place, gitexp)
        for value, message in ((0.2, "LR up"), (0.9, "LR far up")):
            set_lr(place, value)
            gitexp("step", "-m", message, "--hypothesis", f"{value} is better", "--next", "LR 0.3")
        (place / "train.py").write_text('raise ValueError("<b>no</b>")\n')
        gitexp("step", "-m", "an error", "--next", "LR 0.3")

    return once("reported", live)


def test_it_holds_what_history_and_logs_hold(lived: Path, gitexp: Gitexp) -> None:
    file = Path(gitexp("report").stdout.strip())
    found = page_of(file)
    assert [(p["id"], p["status"], p["y"]) for p in found.data["points"]] == [
        ("exp000", "KEEP", 2.04),
        ("exp001", "KEEP", 2.01),
        ("exp002", "DISCARD", 2.36),
        ("exp003", "CRASH", None),
    ]
    details = found.data["details"]
    assert "-LR = 0.1\n+LR = 0.2" in details["exp001"]["diff"]
    assert details["exp000"]["diff"] == ""
    assert details["exp001"]["hypothesis"] == "0.2 is better"
    assert details["exp001"]["commit"] == git("rev-parse", "HEAD~4").strip()[:12]
    assert "val_bpb: 2.010000" in details["exp001"]["tail"]
    assert 'ValueError("<b>no</b>")' in details["exp003"]["tail"]
    for said in ("lowest val_bpb", "LR far up", "LR 0.3", "The edit brought an error.", "exp001: LR up", "2.010000"):
        assert said in found.text


def test_it_is_in_nobodys_way(lived: Path, gitexp: Gitexp) -> None:
    assert gitexp("report").stdout == f"{lived}/.git/gitexp/train/report.html\n"
    assert git("status", "--porcelain", "--ignored=no") == ""
    assert gitexp("fsck").exit_code == 0
    set_lr(lived, 0.3)
    gitexp("step", "-m", "LR 0.3")
    assert git("show", "--name-only", "--format=", "HEAD") == "train.py\n"


def test_of_another_experiment_into_a_file_and_from_a_bare_clone(
    lived: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("clone", "-q", "--bare", str(lived), str(tmp_path / "bare.git"))
    monkeypatch.chdir(tmp_path / "bare.git")
    file = tmp_path / "new" / "folder" / "r.html"
    assert gitexp("report", "-e", "train", "-o", str(file)).stdout == f"{file}\n"
    found = page_of(file).data
    assert found["details"]["exp001"]["tail"] == ""  # no log came along
    assert found["curves"]["runs"] == []


def test_a_clone_without_logs_draws_the_losses_that_were_sealed(
    folder: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = (
        "for step in range(101):\n    print(f'step {step} ({step}.0%) | loss {5 - step / 50}')\nprint('val_bpb: 3')\n"
    )
    (folder / "train.py").write_text(trainer)
    git("commit", "-qam", "prints its loss", cwd=folder)
    gitexp("init", "--budget", "5")
    here = page_of(Path(gitexp("report").stdout.strip())).data["curves"]
    git("clone", "-q", str(folder), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    there = page_of(Path(gitexp("report").stdout.strip())).data["curves"]
    assert (here["axis"], there["axis"]) == ("share", "share")
    assert here["runs"][0]["x"][-1] == 100
    assert len(here["runs"][0]["x"]) == 101
    assert there["runs"][0]["x"] == [5, 15, 25, 35, 45, 55, 65, 75, 85]
    assert there["runs"][0]["y"][0] > there["runs"][0]["y"][-1]


def test_a_file_that_is_no_report_is_left_alone(lived: Path, gitexp: Gitexp) -> None:
    before = (lived / "train.py").read_bytes()
    assert (
        "train.py exists, and is not a report that gitexp wrote." in gitexp("report", "-o", "train.py", code=1).stderr
    )
    assert (lived / "train.py").read_bytes() == before
    gitexp("report", "-o", "r.html")
    gitexp("report", "-o", "r.html")


def test_without_the_extra_it_says_what_to_install(
    lived: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "bokeh"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    assert "pip install 'gitexp[report]'" in gitexp("report", code=1).stderr
    assert not page.available()


def test_it_opens_in_the_browser(lived: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for opener in ("xdg-open", "open"):  # Linux's, macOS's
        (tmp_path / opener).write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/part && mv {tmp_path}/part {tmp_path}/opened\n'
        )
        (tmp_path / opener).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    file = gitexp("report", "--open").stdout.strip()
    until = time.monotonic() + 10
    while not (tmp_path / "opened").exists() and time.monotonic() < until:
        time.sleep(0.01)  # click does not wait for it
    assert (tmp_path / "opened").read_text().strip().endswith(file)


# -- one file, that fetches nothing ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile() -> Page:
    """A report in which every text is as bad as can be."""
    words = " ".join(HOSTILE)
    made = ledger(9, words)
    return Page(page.html(made, details(made, words)))


def test_only_its_own_scripts_may_run(hostile: Page) -> None:
    policy = next(a["content"] for a in hostile.all("meta") if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in hostile.scripts[1:]]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0]
    assert "connect-src" not in policy  # default-src forbids it


def test_nothing_in_it_points_elsewhere(hostile: Page) -> None:
    for tag, attributes in hostile.elements:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            assert attributes.get(name) in (None, "#iterations", "data:,"), f"<{tag} {name}={attributes.get(name)}>"


def test_other_peoples_text_stays_text(hostile: Page) -> None:
    assert len(hostile.scripts) == len(hostile.all("script")) == 1 + 2 + len(page.SCRIPTS)
    assert not hostile.all("img")
    for tag, attributes in hostile.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "autofocus"], tag
    said = hostile.data["points"][1]["said"]
    assert said.startswith("<script>alert('in an element')</script>")
    assert "<script>alert('in an element')</script><img src=x onerror=alert(1)>" in hostile.text
    assert "{{ 7 * 7 }}" in hostile.text
    assert "\\u202egnp.exe" in hostile.data["details"]["exp001"]["note"]  # spelled out, where it may run over lines


def test_nothing_turns_text_around_or_runs_on_for_ever(hostile: Page) -> None:
    def strings(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [s for key, item in value.items() for s in (key, *strings(item))]
        return [s for item in value for s in strings(item)] if isinstance(value, list) else [str(value)]

    for text in (hostile.text, *strings(hostile.data)):
        assert not re.search("[\x00\x1b\u202a-\u202e\u2066-\u2069\u200f\u2028\u2029]", text)
    assert max(map(len, strings(hostile.data))) < 30_000
    assert "w" * 5000 not in hostile.text


@PURE
@given(st.text())
def test_the_data_is_json_in_which_no_element_begins(text: str) -> None:
    written = page.safe_json({"text": text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"text": text}


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_a_long_history_is_thinned_and_says_so() -> None:
    made = ledger(3 * NEWEST)
    points = chart_points(made)
    ids = {point.iteration.id for point in points}
    assert ids >= {i.id for i in made.iterations if i.status is Status.KEEP}
    assert ids >= {i.id for i in made.iterations[-NEWEST:]}
    assert ids >= {identity for front in fronts(made, points).values() for identity in front}
    assert len(points) < len(made.iterations) * 0.7
    assert [p.iteration.number for p in points] == sorted(p.iteration.number for p in points)
    told = report_text(made, points, details(made))
    assert len(told.rows) == NEWEST
    assert told.left_out.startswith(
        f"The newest 2,000 of 6,000: gitexp log has all of them. The charts have {len(points):,}"
    )
    drawn = chart_data(made, points, details(made), told.noise)
    assert {row.id for row in told.rows} <= drawn["details"].keys()
    assert len(drawn["details"]) < 2 * NEWEST


def test_a_short_one_is_shown_whole() -> None:
    made = ledger(30)
    points = chart_points(made)
    assert tuple(point.iteration for point in points) == tuple(made.iterations)
    assert report_text(made, points, details(made)).left_out == ""


@PURE
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1),
    st.sampled_from(Direction),
)
def test_the_pareto_front_is_what_nothing_beats(costs: list[tuple[int, int]], direction: Direction) -> None:
    made = ledger(2, direction=direction)
    contract_and_score = [(cost, -score if direction is Direction.MAXIMIZE else score) for cost, score in costs]
    points = []
    for number, (cost, score) in enumerate(contract_and_score):
        first = made.baseline
        measurement = type(first.measurement)(first.measurement.samples, float(score))
        iteration = make_iteration(f"exp{number:03d}", "r", "b", "t", Status.DISCARD, "", "", measurement)
        points.append(ChartPoint(iteration, (), float(cost), None))
    front = fronts(made, points)["memory"]
    best = {(c, s) for c, s in costs if not any((a <= c and b <= s) and (a, b) != (c, s) for a, b in costs)}
    assert {costs[int(identity[3:])] for identity in front} == best
    assert len(front) == len(best)
    assert fronts(made, points)["seconds"] == []


@PURE
@given(st.lists(st.integers()), st.integers(2, 50))
def test_thinning_keeps_both_ends(items: list[int], limit: int) -> None:
    few = thinned(items, limit)
    assert len(few) == min(len(items), limit)
    assert few[:1] == items[:1]
    assert few[-1:] == items[-1:]


def test_what_is_looked_at_closely_is_bounded() -> None:
    made = ledger(500)
    some = newest(made, 20)
    assert len(some) == 20
    assert some[0] is made.baseline
    assert some[-1] is made.iterations[-1]
    assert made.incumbent in some
    assert [i.number for i in some] == sorted(i.number for i in some)
    assert newest(made, 1000) == list(made.iterations)


def test_a_diff_is_bounded_and_a_big_file_has_none(lived: Path, gitexp: Gitexp) -> None:
    (lived / "train.py").write_text("print('val_bpb: 1.9')\n" + "# a line\n" * 5000)
    gitexp("step", "-m", "longer")
    (lived / "train.py").write_text("print('val_bpb: 1.8')\n" + "# another line\n" * 50_000)
    gitexp("step", "-m", "longest")
    repo = Repository.discover(lived)
    found = gather(repo, history.load(repo, "train"))
    assert found.diffs["exp004"].endswith("… (it goes on)")
    assert len(found.diffs["exp004"]) < 13_000
    assert found.diffs["exp005"].endswith("Binary files a/train.py and b/train.py differ")


@pytest.mark.slow
def test_watching_writes_it_again_until_interrupted(lived: Path, gitexp: Gitexp) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "gitexp", "report", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watching.stdout
    file = Path(watching.stdout.readline().strip())
    assert page_of(file).data["reload"] > 0
    set_lr(lived, 0.3)
    gitexp("step", "-m", "while it is watched")
    until = time.monotonic() + 60
    while "while it is watched" not in page_of(file).text and time.monotonic() < until:
        time.sleep(0.1)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, out + err
    last = page_of(file)
    assert "while it is watched" in last.text
    assert last.data["reload"] == 0
