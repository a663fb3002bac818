"""``gitexp pr``: the branch under review, its record, its body, and the ways to a remote."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.step import Proposal, step
from gitexp.ledger import messages as records
from gitexp.ledger import trailer_block
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Status
from gitexp.review import forge
from gitexp.review.forge import Remote
from gitexp.review.pull_request import DROPPED, KEPT, POINTS, body, cell, code
from gitexp.review.review_branch import Review
from tests.helpers.command_line import Gitexp, check_refusal
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.made_iterations import changed
from tests.helpers.repositories import (
    KEEPS,
    TRAINER,
    commit_all,
    content,
    git,
    ids,
    make_repository,
    refs,
    set_constant,
)
from tests.helpers.work_trees import check_nothing_left, work_files

pytestmark = pytest.mark.slow  # repositories by the dozen

RECORD = "experiments/train"


def record_of(branch: str) -> trailer_block.Message:
    return trailer_block.read(git("log", "-1", "--format=%B", branch).encode())


def tip(name: str, cwd: Path | None = None) -> str:
    return git("rev-parse", name, cwd=cwd).strip()


def another_step(folder: Path, gitexp: Gitexp) -> None:
    set_constant(folder, "C", "4")
    assert "KEEP" in gitexp("step", "-m", "C = 4").stdout


# -- the branch --------------------------------------------------------------------------------------------------------


def test_the_review_has_the_keeps_and_one_last_commit_with_the_record(
    kept: Path, gitexp: Gitexp, scratch_home: Path
) -> None:
    before = work_files(kept)
    result = gitexp("pr")
    assert "review/train has 6 commits of the experiment and its record, from " in result.stderr
    assert ids("review/train~1") == KEEPS
    assert git("diff", "--name-only", "exp/train", "review/train").split() == [
        f"{RECORD}/EXPERIMENT.md",
        f"{RECORD}/results.tsv",
    ]
    gitexp("render", "-o", "../rendered")
    for name in ("results.tsv", "EXPERIMENT.md"):
        assert content("review/train", f"{RECORD}/{name}") == (kept.parent / "rendered" / name).read_text()
    assert work_files(kept) == before
    check_nothing_left(kept, scratch_home)


def test_the_record_sums_the_experiment_up_in_trailers_that_git_reads(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    ledger = ledger_of(kept)
    message = record_of("review/train")
    assert message.subject == "Record of exp/train: val_bpb 80.000000 -> 37.000000"
    assert message.first("Exp-Summary") == "train"
    assert message.first("Exp-Tip") == ledger.tip
    assert message.first("Exp-Goal") == "lowest val_bpb"
    assert message.first("Exp-First") == f"exp000 {ledger.baseline.commit} 80.0 baseline"
    assert message.first("Exp-Best") == f"exp008 {ledger.incumbent.commit} 37.0 D = 3"
    assert message.all("Exp-Count") == ("KEEP 7", "DISCARD 1", "CRASH 1")
    assert [kept_one.split()[0] for kept_one in message.all("Exp-Kept")] == KEEPS
    read = git("log", "-1", "--format=%(trailers:only,unfold)", "review/train").splitlines()
    assert read[: len(message.trailers)] == [f"{key}: {value}" for key, value in message.trailers]


def test_no_reader_takes_the_record_for_an_iteration(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    message = record_of("review/train")
    assert records.from_message(message, "") is None
    assert records.remark_from(message, "") is None
    git("merge", "-q", "--ff-only", "exp/train")
    git("cherry-pick", "review/train")
    ledger = ledger_of(kept)
    assert len(ledger.iterations) == 9
    assert len(ledger.foreign_commits) == 1


def test_a_squash_merge_keeps_the_record_and_the_next_experiment_starts_from_it(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    messages = git("log", "--reverse", "--format=* %B", "main..review/train")  # as GitHub fills it in
    git("switch", "-q", "main")
    git("merge", "-q", "--squash", "review/train")
    git("commit", "-qm", f"An experiment (#1)\n\n{messages}\n---------\n\nCo-authored-by: Somebody <s@example.org>")
    message = record_of("main")
    assert message.first("Exp-Best") == f"exp008 {ledger_of(kept).incumbent.commit} 37.0 D = 3"
    assert records.from_message(message, "") is None
    assert "exp008" in content("main", f"{RECORD}/results.tsv")
    gitexp("init", "--name", "next", "--rule", "single")
    set_constant(kept, "C", "4")
    assert "exp001 KEEP" in gitexp("step", "-m", "C = 4").stdout


def test_doing_it_again_changes_nothing_and_gives_the_same_commits(
    kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = gitexp("pr")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_DATE", "2027-08-09T10:11:12Z")
    before = refs(kept)
    again = gitexp("pr")
    assert again.stderr == "review/train is up to date.\n"
    assert again.stdout == first.stdout
    assert refs(kept) == before
    git("branch", "-q", "-D", "review/train")
    gitexp("pr")
    assert refs(kept) == before


def test_after_more_steps_it_is_brought_up_to_date(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    old = tip("review/train~1")
    another_step(kept, gitexp)
    gitexp("pr")
    assert ids("review/train~1") == [*KEEPS, "exp009"]
    assert tip("review/train~2") == old
    assert record_of("review/train").all("Exp-Count")[0] == "KEEP 8"


@pytest.mark.parametrize("change", [("-am", "mine"), ("--amend", "-am", "mine"), ("--amend", "-a", "--no-edit")])
def test_what_somebody_committed_to_it_stays(kept: Path, gitexp: Gitexp, change: tuple[str, ...]) -> None:
    gitexp("pr")
    git("switch", "-q", "review/train")
    set_constant(kept, "C", "7")
    git("commit", "-q", *change)
    mine = tip("HEAD")
    git("switch", "-q", "--discard-changes", "exp/train")
    git("restore", "train.py")
    subject = git("log", "-1", "--format=%s", mine).strip()
    said = f"review/train ends with a commit that gitexp did not make: {mine[:7]} {subject}."
    way_out = "git branch -m review/train review/train-mine"
    check_refusal(gitexp("pr", code=1), said, f"{way_out}   # keeps that commit; then again")
    assert tip("review/train") == mine
    git(*way_out.split()[1:])
    gitexp("pr")
    assert tip("review/train-mine") == mine


def test_the_record_on_other_commits_is_not_taken_for_gitexps(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    git("switch", "-q", "review/train")
    git("rebase", "-q", "--onto", "exp/train", "HEAD~1")
    git("switch", "-q", "exp/train")
    assert "a commit that gitexp did not make" in gitexp("pr", code=1).stderr


def test_a_review_that_is_checked_out_is_not_moved(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    git("switch", "-q", "review/train")
    assert "review/train is checked out in" in gitexp("pr", "-e", "train", code=1).stderr


def test_the_base_is_what_work_is_merged_into(kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    git("clone", "-q", str(kept), "../clone")
    monkeypatch.chdir(kept.parent / "clone")
    git("branch", "-q", "-r", "-d", "origin/HEAD")
    assert "of origin/main." in gitexp("pr", "-e", "train").stderr
    git("branch", "-q", "main", "origin/main")
    assert ids("review/train~1") == KEEPS
    git("update-ref", "refs/remotes/origin/trunk", "main")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    git("branch", "-q", "-D", "review/train")
    assert "of origin/trunk." in gitexp("pr", "-e", "train").stderr


def test_bases_that_will_not_do(kept: Path, gitexp: Gitexp) -> None:
    hint = "gitexp pr --base BRANCH"
    check_refusal(gitexp("pr", "--base", "nowhere", code=1), "There is no branch nowhere here.", hint)
    git("switch", "-q", "--orphan", "island")
    git("commit", "-q", "--allow-empty", "-m", "island")
    git("switch", "-q", "exp/train")
    said = "island and exp/train have no history in common."
    check_refusal(gitexp("pr", "--base", "island", code=1), said, hint)
    git("branch", "-q", "later", "exp/train")
    said = "All of exp/train is on later: nothing is left to review."
    check_refusal(gitexp("pr", "--base", "later", code=1), said, hint)
    git("branch", "-q", "-m", "main", "work")
    check_refusal(gitexp("pr", code=1), "Neither this repository nor its remote origin has a branch main.", hint)
    assert "review/train" not in refs(kept)


def test_an_experiment_that_began_on_another_branch_names_it(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    git("switch", "-q", "-c", "feature", "main")
    set_constant(kept, "D", "4")
    feature = commit_all(kept, "a feature")
    gitexp("init", "--name", "more", "--rule", "single")
    set_constant(kept, "D", "5")
    gitexp("step", "-m", "D = 5")
    result = gitexp("pr", code=1)
    assert (
        f"exp/more began at {feature[:10]}, and main shares its history only up to {tip('main')[:10]}." in result.stderr
    )
    assert "exp001 changes train.py line 5, and main has something else there" in result.stderr
    check_nothing_left(kept, scratch_home)
    gitexp("pr", "--base", "feature")
    assert ids("review/more~1", "feature") == ["exp001"]


def test_without_a_keep_there_is_nothing_to_review(experiment: Path, gitexp: Gitexp) -> None:
    check_refusal(gitexp("pr", code=1), "exp/train has no KEEP but its baseline.", "gitexp log")


def test_a_file_in_the_place_of_the_record_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp
) -> None:
    folder = make_repository(tmp_path / "repository", {"train.py": TRAINER, "experiments": "a list of mine\n"})
    monkeypatch.chdir(folder)
    gitexp("init", "--rule", "single")
    another_step(folder, gitexp)
    said = "experiments is a file, and the record goes into the folder experiments/train."
    check_refusal(gitexp("pr", code=1), said, "git log -- :/experiments")


def test_in_a_bare_repository(kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    git("clone", "-q", "--bare", str(kept), "../bare.git")
    monkeypatch.chdir(kept.parent / "bare.git")
    assert "## Kept" in gitexp("pr", "-e", "train").stdout
    assert ids("review/train~1") == KEEPS


def test_fsck_finds_both_branches_in_order(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "--onto", "results")
    assert gitexp("fsck", "main..results").stdout.startswith("main..results is in order: exp001")
    gitexp("pr")
    assert gitexp("fsck", "main..review/train").stdout.startswith("main..review/train is in order: exp001")
    assert gitexp("fsck", "review/train").stdout.startswith("review/train is in order: exp001")


def test_fsck_reads_the_table_of_the_record(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pr")
    git("switch", "-q", "review/train")
    table = kept / RECORD / "results.tsv"
    table.write_text(table.read_text().replace("37.000000", "7.000000"))
    commit_all(kept, "a better table")
    found = gitexp("fsck", "main..review/train", code=1).stdout
    assert "has val_score '7.000000' for exp008, whose trailers say '37.000000'" in found
    assert f":{RECORD}/results.tsv" in found


# -- an experiment of a night ------------------------------------------------------------------------------------------


class Silent:
    """An observer that is told and says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


@pytest.mark.slow
def test_sixty_iterations_with_fifteen_keeps_of_one_file_apply_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp, scratch_home: Path
) -> None:
    constants = 20
    trainer = "".join(f"C{at:02} = 0\n" for at in range(constants))
    folder = make_repository(tmp_path / "repository", {"train.py": trainer})
    monkeypatch.chdir(folder)
    hook_that(folder, "awk '/^C/ { s += ($3 - 9) ^ 2 } END { print \"val_bpb: \" s }' train.py\n")
    gitexp("init", "--rule", "single")
    repo, observer = Repository.discover(folder), Silent()
    for number in range(1, 61):
        lines = (folder / "train.py").read_text().splitlines()
        at = number * 7 % constants
        value = int(lines[at].split()[-1]) + 1 if number % 4 == 0 else -number
        set_constant(folder, f"C{at:02}", str(value))
        step(repo, "train", Proposal(f"C{at:02} = {value}"), observer)
    ledger = ledger_of(folder)
    assert (len(ledger.iterations), ledger.count(Status.KEEP)) == (61, 16)

    gitexp("pick", "--onto", "results")
    assert content("results") == content("exp/train") == (folder / "train.py").read_text()
    assert len(ids("results")) == 15
    gitexp("pick", "--onto", "main", "--measure")
    assert git("diff", "main", "exp/train") == ""
    text = gitexp("pr", "--base", "main~15").stdout
    assert content("review/train") == content("exp/train")
    assert ids("review/train~1", "main~15") == ids("results", "main~15")
    assert len(re.findall(r"(?m)^\| exp\d", text)) == 16
    assert "- and 25 before these" in text
    check_nothing_left(folder, scratch_home)

    last = ledger.incumbent  # an edit of a constant that was edited before, among neighbours
    refusal = gitexp("pick", last.id, "--onto", "one", code=1).stderr
    needed = re.findall(r"exp\d+", refusal.partition("try: ")[2])
    assert needed[-1] == last.id
    assert set(needed) < set(ids("results", "main~15"))
    gitexp("pick", *needed, "--onto", "one")
    assert ids("one", "main~15") == needed


# -- the body ----------------------------------------------------------------------------------------------------------


def told(ledger: Ledger, link: Callable[[str], str] = lambda commit: commit[:10]) -> str:
    return body(ledger, Review("review/train", None, "0" * 40, "1" * 40, (), RECORD), link)


def test_the_body_says_what_a_reviewer_asks(kept: Path, gitexp: Gitexp) -> None:
    text = gitexp("pr").stdout
    ledger = ledger_of(kept)
    copy = tip("review/train~1")[:10]
    for line in (
        "**Goal:** `lowest val_bpb`",
        "**Result:** `val_bpb` 80.000000 → 37.000000 (-43.000000; lower is better), "
        "in 9 iterations (7 KEEP, 1 DISCARD, 1 CRASH).",
        f"| exp008 | `D = 3` | 37.000000 | -5.000000 | 1: 37.000000 | {copy} |",
        f"- exp003 DISCARD `D = 0` +16.000000 ({ledger.iterations[3].commit[:10]})",
        "- exp007 CRASH `E = oops` `exit 1: NameError: name 'oops' is not defined` "
        f"({ledger.iterations[7].commit[:10]})",
        "git switch exp/train   # every iteration, those that were dropped too",
        "gitexp pick --onto check --measure   # runs what was kept, under the same contract, and compares",
    ):
        assert f"{line}\n" in text
    assert "`train.py` trains for 5 s; seed 0; may change: `train.py`; on `" in text
    assert "    line [80, 73, 66, 66, 61, 49, 42, 42, 37]\n" in text
    assert f"{kept} review/train\n" in text  # git request-pull
    assert "\n\n\n" not in text


def test_the_way_to_reproduce_it_works(kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    block = gitexp("pr").stdout.partition("```sh\n")[2].partition("```")[0]
    git("clone", "-q", str(kept), "../clone")
    monkeypatch.chdir(kept.parent / "clone")
    for line in block.splitlines():
        command, *args = line.partition("#")[0].split()
        result = git(*args) if command == "git" else gitexp(*args).stderr
    assert "The picked code holds the score" in result


HOSTILE = (
    "a | b \\| c ``` `@ada` <script>alert(1)</script> <!-- ![x](http://e/) [y](javascript:z) # h * _ ~~ \\",
    "``` \n\n## Heading\n/close\n| x | y |\r\n@everyone #1 owner/repo#2 GH-3 !4 https://e.example/ &amp;",
    "```mermaid\nxychart-beta\n\x1b[31m\u202e end",
    "`",
    "``",
    "|",
    "\\|",
    "\\\\|\\",
)


def spans_removed(text: str) -> str:
    """Markdown less its code spans, read as CommonMark does: a run of backticks up to the next run of that length."""
    return re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_peoples_text_is_followed(text: str) -> None:
    assert spans_removed(code(text)) == ""
    assert "\n" not in code(text)
    # GFM splits a row at each | that no backslash is before; \\ is a backslash, so that \\| would split too
    assert re.fullmatch(r"(?:[^|\\]|\\[^|\\]|\\\||\\\\(?!\|))*", cell(text)), cell(text)


def test_hostile_text_in_a_whole_body(kept: Path) -> None:
    ledger = ledger_of(kept)
    iterations = tuple(
        changed(i, description=text, reason=text) for i, text in zip(ledger.iterations, [*HOSTILE, "x"], strict=True)
    )
    contract = replace(ledger.contract, metric='bpb"]\n```\n|@ada', script=HOSTILE[0], edit=HOSTILE[1:3], rule="`|`")
    hostile = replace(
        ledger,
        iterations=IterationTuple(iterations),
        contract=contract,
        notes=replace(ledger.notes, goal=HOSTILE[0]),
        name="`x`|$(y)",
    )
    text = told(hostile)
    assert len(re.findall("(?m)^ *```mermaid", text)) == 1
    chart = text.partition("```mermaid\n")[2].partition("\n```\n")[0]
    check_chart(chart)
    prose = "\n".join(spans_removed(line) for line in text.replace(chart, "").splitlines())
    shell = text.partition("```sh\n")[2].partition("\n```\n")[0]
    prose = prose.replace(shell, "")
    assert "git switch 'exp/`x`|$(y)'" in shell
    assert not re.search(r"[@<]|https?:|/close|\x1b|\u202e", prose.replace("<!--", "!"))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## Kept",
        "## Tried and dropped",
        "## How to reproduce",
    ]
    for row in re.findall(r"(?m)^\|.*", text):
        assert len(re.findall(r"(?<!\\)\|", row)) == 7, row


def check_chart(chart: str) -> list[float]:
    """By mermaid's own grammar (xychart.jison): a number has no exponent, a text no quote. The points."""
    number = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"
    lines = (
        "xychart-beta",
        r'    title "[^"\n]*"',
        rf'    x-axis "iteration" {number} --> {number}',
        rf'    y-axis "[^"\n]*" ({number}) --> ({number})',
        rf"    line \[({number}(?:, {number})*)\]",
    )
    found = re.fullmatch("\n".join(lines), chart)
    assert found, chart
    points = [float(point) for point in found[3].split(", ")]
    assert float(found[1]) < min(points) <= max(points) < float(found[2])
    return points


@pytest.mark.parametrize("scale", [1.0, -3.0, 1e-12, 1e15, 0.0])
def test_a_chart_of_any_scores_can_be_drawn(kept: Path, scale: float) -> None:
    ledger = ledger_of(kept)
    scaled = tuple(
        i if i.score is None else changed(i, measurement=replace(i.measurement, score=i.score * scale))
        for i in ledger.iterations
    )
    text = told(replace(ledger, iterations=IterationTuple(scaled)))
    points = check_chart(text.partition("```mermaid\n")[2].partition("\n```\n")[0])
    assert points == pytest.approx([p * scale for p in (80, 73, 66, 66, 61, 49, 42, 42, 37)])


def test_the_body_of_a_long_experiment_is_bounded(kept: Path) -> None:
    ledger = ledger_of(kept)
    first, *later = ledger.iterations
    many = (first, *(changed(i, id=f"exp{n:03d}", description="x" * 200) for n in range(1, 900) for i in later))
    text = told(
        replace(ledger, iterations=IterationTuple(many)),
        lambda commit: f"[x](https://example.org/{'y' * 100}/{commit})",
    )
    assert len(text) < 65_536
    assert len(re.findall(r"(?m)^\| exp", text)) == KEPT
    assert f"The last {KEPT}; {6 * 899 + 1 - KEPT} before them are commits of this branch too." in text
    assert len(re.findall(r"(?m)^- exp", text)) == DROPPED
    assert len(check_chart(text.partition("```mermaid\n")[2].partition("\n```\n")[0])) == POINTS


# -- remotes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://github.com/ada/lab.git", "https://github.com/ada/lab/commit/"),
        ("git@github.com:ada/lab.git", "https://github.com/ada/lab/commit/"),
        ("ssh://git@gitlab.example.org:2222/group/sub/lab.git", "https://gitlab.example.org/group/sub/lab/-/commit/"),
        ("https://ada:se@secret@git.example.org:8443/lab", "https://git.example.org:8443/lab/commit/"),
        ("https://bitbucket.org/ada/lab/", "https://bitbucket.org/ada/lab/commits/"),
        ("host:lab.git", "https://host/lab/commit/"),
        ("/srv/git/lab.git", ""),
        ("../lab.git", ""),
        ("file:///srv/lab.git", ""),
        ("https://example.org/a b)[x](y", ""),
    ],
)
def test_commits_are_links_where_the_remote_has_pages(repo: Repository, url: str, link: str) -> None:
    to = forge.remote(repo, url)
    commit = "0123456789" * 4
    assert to.link(commit) == (f"[`0123456789`]({link}{commit})" if link else "0123456789")
    assert "secret" not in to.public_url + to.public_name


def bare(kept: Path) -> Path:
    git("init", "-q", "--bare", "../bare.git")
    git("remote", "add", "origin", str(kept.parent / "bare.git"))
    git("push", "-q", "origin", "main")
    return kept.parent / "bare.git"


def test_push_is_plain_and_leaves_the_rest_alone(kept: Path, gitexp: Gitexp) -> None:
    there = bare(kept)
    result = gitexp("pr", "--push", "origin")
    assert f"review/train was pushed to {there}." in result.stderr
    assert "lacks commits of exp/train, to which the text links: git push -- origin exp/train" in result.stderr
    assert git("for-each-ref", "--format=%(refname)", cwd=there).split() == [
        "refs/heads/main",
        "refs/heads/review/train",
    ]
    assert tip("review/train", there) == tip("review/train")
    assert f"{there} review/train\n" in result.stdout
    git("push", "-q", "origin", "exp/train")
    assert gitexp("pr", "--push", "origin").stderr == "review/train is up to date.\n"


@pytest.mark.slow
def test_a_refreshed_review_replaces_its_own_old_one_only(kept: Path, gitexp: Gitexp) -> None:
    there = bare(kept)
    gitexp("pr", "--push", "origin")
    another_step(kept, gitexp)
    gitexp("pr")
    set_constant(kept, "B", "4")
    gitexp("step", "-m", "B = 4")
    gitexp("pr", "--push", "origin")  # the remote has the one before the last
    assert tip("review/train", there) == tip("review/train")
    git("clone", "-q", "--branch", "review/train", str(there), "../colleague")
    colleague = kept.parent / "colleague"
    set_constant(colleague, "E", "4")
    theirs = commit_all(colleague, "a suggestion")
    git("push", "-q", cwd=colleague)
    for value in ("5", "1"):  # not in this clone; then in it, and not made by gitexp
        set_constant(kept, "C", value)
        gitexp("step", "-m", "C again")
        result = gitexp("pr", "--push", "origin", code=1)
        assert f"ends with {theirs[:10]}, which gitexp did not make, or which is not in this clone." in result.stderr
        assert tip("review/train", there) == theirs
        subprocess.run(re.findall(r"try: (git fetch \S+ \S+)", result.stderr)[0].split(), check=True)


def test_somebody_elses_push_in_between_is_not_overwritten(kept: Path, gitexp: Gitexp) -> None:
    there = bare(kept)
    gitexp("pr", "--push", "origin")
    repo, old = Repository.discover(kept), tip("review/train")
    git("push", "-q", "-f", "origin", "main:review/train")  # after gitexp looked
    another_step(kept, gitexp)
    gitexp("pr")
    to = forge.remote(repo, "origin")
    with pytest.raises(GitexpError, match=r"(?s)git push failed: .*stale info"):
        forge.push(repo, to, "review/train", old, lambda commit: True)
    assert tip("review/train", there) == tip("main")


def test_what_git_says_against_a_push_is_said(kept: Path, gitexp: Gitexp) -> None:
    there = bare(kept)
    (there / "hooks").mkdir(exist_ok=True)
    (there / "hooks" / "update").write_text("#!/bin/sh\necho 'not on Fridays' >&2\nexit 1\n")
    (there / "hooks" / "update").chmod(0o755)
    assert "gitexp: git push failed: remote: not on Fridays" in gitexp("pr", "--push", "origin", code=1).stderr
    assert "git ls-remote failed: " in gitexp("pr", "--push", "nowhere", code=1).stderr
    assert "git ls-remote failed: " in gitexp("pr", "--push", "--upload-pack=touch x", code=None).stderr
    assert not (kept / "x").exists()
    assert tip("review/train")  # it is there to be pushed by hand


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name there
        pass


@pytest.fixture
def http(tmp_path: Path) -> Iterator[str]:
    """git's own smart HTTP server behind a password, with the repository ``lab.git``; its host and port."""
    backend = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())
    for name in ("git-http-backend", "git-remote-http"):
        if not (backend / name).exists():
            pytest.skip(f"{name} is not installed")
    root = tmp_path / "served"
    git("init", "-q", "--bare", str(root / "lab.git"))
    password = "Basic " + base64.b64encode(b"ada:s3cret").decode()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") != password:
            start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="lab"')])
            return [b""]
        asked = {key: str(value) for key, value in environ.items() if re.fullmatch("[A-Z_]+", key)}
        given = {"GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "ada"}
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        done = subprocess.run(
            ["git", "http-backend"], env=asked | given, input=sent, capture_output=True, timeout=30, check=True
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = dict(fields).get("Status", "200 OK")
        start_response(status, [field for field in fields if field[0] != "Status"])
        return [answer]

    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_push_over_http_with_a_password(kept: Path, gitexp: Gitexp, http: str) -> None:
    git("remote", "add", "lab", f"http://ada:s3cret@{http}/lab.git")
    git("push", "-q", "lab", "main", "exp/train")
    result = gitexp("pr", "--push", "lab")
    assert f"review/train was pushed to http://{http}/lab.git." in result.stderr
    assert f"http://{http}/lab.git review/train\n" in result.stdout
    assert f"(http://{http}/lab/commit/{tip('review/train~1')})" in result.stdout
    there = kept.parent / "served" / "lab.git"
    assert tip("review/train", there) == tip("review/train")
    another_step(kept, gitexp)
    again = gitexp("pr", "--push", "lab")  # with a lease
    assert tip("review/train", there) == tip("review/train")
    named = gitexp("pr", "--push", f"http://ada:s3cret@{http}/lab.git")
    assert f"git fetch -- http://{http}/lab.git exp/train" in named.stdout
    git("remote", "set-url", "lab", f"http://ada:wr0ng@{http}/lab.git")
    refused = gitexp("pr", "--push", "lab", code=1)
    assert "git ls-remote failed: " in refused.stderr
    assert "Authentication failed for" in refused.stderr
    everything_said = "".join(done.output for done in (result, again, named, refused))
    assert "s3cret" not in everything_said
    assert "wr0ng" not in everything_said


# -- gh and glab -------------------------------------------------------------------------------------------------------

FAKE = """\
#!{python}
import json, pathlib, sys
log = pathlib.Path({log!r})
calls = json.loads(log.read_text()) if log.exists() else []
calls.append([sys.argv[1:], sys.stdin.read()])
log.write_text(json.dumps(calls))
{then}
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], list[Any]]]:
    """Put a gh or glab on a PATH that has git and nothing else of the kind; what it was called with."""
    tools = tmp_path / "tools"
    tools.mkdir()
    found = subprocess.run(["sh", "-c", "command -v git sh perl"], capture_output=True, text=True, check=False)
    for path in found.stdout.split():
        (tools / Path(path).name).symlink_to(path)
    monkeypatch.setenv("PATH", str(tools))

    def install(name: str, then: str = "print('https://forge.example/pull/1')") -> Callable[[], list[Any]]:
        log = tmp_path / f"{name}.json"
        (tools / name).write_text(FAKE.format(python=sys.executable, log=str(log), then=then))
        (tools / name).chmod(0o755)
        return lambda: json.loads(log.read_text()) if log.exists() else []

    return install


def test_gh_opens_the_pull_request(kept: Path, gitexp: Gitexp, fake: Callable[..., Callable[[], list[Any]]]) -> None:
    there = bare(kept)
    calls = fake("gh")
    text = gitexp("pr").stdout
    result = gitexp("pr", "--create")
    title = "exp/train: val_bpb 80.000000 -> 37.000000"
    wanted = ["pr", "create", "--base", "main", "--head", "review/train", "--title", title, "--body-file", "-"]
    assert [call[0] for call in calls()] == [wanted]
    assert text.startswith(calls()[0][1].partition("## How to reproduce")[0])
    assert "git fetch -- origin exp/train\n" in calls()[0][1]
    assert result.stdout == "https://forge.example/pull/1\n"
    assert tip("review/train", there) == tip("review/train")


def test_an_open_request_is_brought_up_to_date(
    kept: Path, gitexp: Gitexp, fake: Callable[..., Callable[[], list[Any]]]
) -> None:
    bare(kept)
    refuse = "'create' in sys.argv and sys.exit('a pull request for review/train already exists: https://x/1')"
    gh = fake("gh", refuse)
    gitexp("pr", "--create", "--base", "main")
    assert [call[0][:3] for call in gh()] == [["pr", "create", "--base"], ["pr", "edit", "review/train"]]
    assert gh()[1][1] == gh()[0][1]
    failing = fake("gh", "sys.exit('HTTP 401: Bad credentials')")
    said = gitexp("pr", "--create", code=1).stderr
    assert said.endswith("gitexp: gh pr create failed: HTTP 401: Bad credentials\n  try: gh auth status\n")
    assert failing()[-1][0][:2] == ["pr", "create"]


def test_glab_opens_the_merge_request(kept: Path, gitexp: Gitexp, fake: Callable[..., Callable[[], list[Any]]]) -> None:
    bare(kept)
    calls = fake("glab", "'create' in sys.argv and sys.exit('Another open merge request already exists')")
    git("update-ref", "refs/remotes/origin/main", "main")
    git("branch", "-q", "-D", "main")
    gitexp("pr", "--create")
    first, second = (call[0] for call in calls())
    assert first[:6] == ["mr", "create", "--source-branch", "review/train", "--target-branch", "main"]
    assert first[-1] == "--yes"
    assert "## Kept" in first[first.index("--description") + 1]
    assert second[:3] == ["mr", "update", "review/train"]


def test_which_tool_fits_the_remote(fake: Callable[..., Callable[[], list[Any]]]) -> None:
    def remote(web: str) -> Remote:
        return Remote("origin", web, web)

    gitlab, github, own = map(remote, ("https://gitlab.com/a/b", "https://github.com/a/b", "https://git.corp/a/b"))
    for to, missing in ((gitlab, "glab"), (github, "gh"), (own, "gh or glab")):
        with pytest.raises(
            GitexpError, match=f"^{missing} opens the pull request, and is not installed or not on PATH"
        ):
            forge.client(to)
    fake("glab")
    assert (forge.client(gitlab), forge.client(own)) == ("glab", "glab")
    with pytest.raises(GitexpError, match=r"^gh opens the pull request, and is not installed"):
        forge.client(github)
    fake("gh")
    assert (forge.client(gitlab), forge.client(github), forge.client(own)) == ("glab", "gh", "gh")


def test_create_says_what_it_lacks_before_anything_is_done(
    kept: Path, gitexp: Gitexp, fake: Callable[..., Callable[[], list[Any]]]
) -> None:
    said = "A pull request needs a remote, and there is none."
    check_refusal(gitexp("pr", "--create", code=1), said, "git remote add origin URL")
    there = bare(kept)
    result = gitexp("pr", "--create", code=1)
    hint = "gitexp pr --push origin > body.md   # then open one in the browser"
    check_refusal(result, "gh or glab opens the pull request, and is not installed or not on PATH.", hint)
    fake("gh")
    commit = tip("main")
    said = f"{commit} is not a branch, and a pull request is merged into one."
    check_refusal(gitexp("pr", "--create", "--base", commit, code=1), said, "gitexp pr --base BRANCH --create")
    assert "review" not in refs(kept)
    assert "review" not in git("for-each-ref", cwd=there)
