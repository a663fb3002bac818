"""What is kept of a history is never more than git's own: corrupted in any way it is read again."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from functools import cache as cached
from pathlib import Path

import pytest

from gitexp.git.commits import first_parents
from gitexp.git.repository import Repository
from gitexp.ledger import cache, history
from gitexp.ledger.columns import NAMES
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.views.experiment_md import experiment_md
from gitexp.views.results_tsv import results_tsv
from tests.bench.histories import make
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import Once, git, set_lr


@pytest.fixture
def repo(once: Once) -> Repository:
    """Forty iterations, read and kept."""
    folder = once("forty", lambda place: make(place, 40))
    history.load(Repository.discover(folder), "train")
    return Repository.discover(folder)


def kept(repo: Repository) -> Path:
    return ExperimentFiles.of(repo, "train").directory / "cache"


def told(ledger: Ledger) -> tuple[object, ...]:
    columns = [bytes(ledger.columns.column(name)) for name in NAMES]
    return (
        *(
            ledger.tip,
            ledger.tree,
            ledger.sealed,
            ledger.notes,
            ledger.foreign_commits,
            ledger.hidden_trailers,
            ledger.remarks,
        ),
        *(list(ledger.iterations), columns, ledger.pooled_noise, ledger.contract, ledger.tally(), ledger.incumbent),
        *(results_tsv(ledger), experiment_md(ledger)),
    )


@cached
def told_by_git(folder: Path, tip: str) -> tuple[object, ...]:
    return told(history.read(Repository.discover(folder), "train", tip))


def check(repo: Repository) -> None:
    """Another process, which knows only what is kept, tells what git's commits do."""
    here = Repository.discover(repo.git_dir.parent)
    assert told(history.load(here, "train")) == told_by_git(here.top, history.tip(here, "train"))


def reads_it_all(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> bool:
    read, calls = history.read, []
    monkeypatch.setattr(history, "read", lambda *args: calls.append(1) or read(*args))
    history.load(Repository.discover(repo.git_dir.parent), "train")
    monkeypatch.undo()
    return bool(calls)


def test_what_is_kept_is_not_read_again(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not reads_it_all(repo, monkeypatch)
    check(repo)


def _flipped(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), max(1, len(data) // 12)):
        yield data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _cut(data: bytes) -> Iterator[bytes]:
    yield from (b"", data[:-1], data[: len(data) // 2], data[1:])


CORRUPTIONS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "flipped": _flipped,
    "cut": _cut,
    "twice": lambda data: iter([data + data]),
    "zeros": lambda data: iter([bytes(len(data))]),
    "text": lambda data: iter([b"null\n", b"{}", b"0\n{}", b"[1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", CORRUPTIONS)
def test_however_its_files_are_corrupted(repo: Repository, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in sorted(kept(repo).iterdir()):
        good = file.read_bytes()
        for bad in CORRUPTIONS[how](good):
            file.write_bytes(bad)
            check(repo)
            assert not reads_it_all(repo, monkeypatch)  # it has been kept anew
            assert file.read_bytes() == good or how == "twice"  # what comes after a column's end is not looked at
            file.write_bytes(good)


def test_files_that_are_gone_or_no_files(repo: Repository) -> None:
    for name in [file.name for file in kept(repo).iterdir()]:
        (kept(repo) / name).unlink()
        check(repo)
        (kept(repo) / name).unlink()
        (kept(repo) / name).mkdir()
        check(repo)
        shutil.rmtree(kept(repo))
        check(repo)
    shutil.rmtree(kept(repo))
    kept(repo).write_text("a file")
    check(repo)


@pytest.mark.parametrize("files", [10, 7])  # with as many files its commits are those here; else git has none of them
def test_of_another_experiment(repo: Repository, tmp_path: Path, files: int) -> None:
    other = Repository.discover(make(tmp_path / "other", 30, files))
    history.load(other, "train")
    for name in [file.name for file in kept(repo).iterdir()]:
        good = (kept(repo) / name).read_bytes()
        shutil.copyfile(kept(other) / name, kept(repo) / name)
        check(repo)
        (kept(repo) / name).write_bytes(good)
    shutil.rmtree(kept(repo))
    shutil.copytree(kept(other), kept(repo))
    check(repo)


def test_of_an_older_and_of_a_newer_history(repo: Repository) -> None:
    top = repo.top
    newest = git("rev-parse", "HEAD", cwd=top).strip()
    for back in (0, 1, 2, 3, 4, 9, 40, 1, 0):
        git("update-ref", "refs/heads/exp/train", f"{newest}~{back}", cwd=top)
        check(repo)


def test_of_a_history_that_was_rewritten(repo: Repository) -> None:
    top = repo.top
    for words in (
        ("commit", "--amend", "-qm", "amended"),
        ("commit", "--allow-empty", "-qm", "a stranger's"),
        ("commit", "--allow-empty", "-qm", 'Revert "exp039"\n\nThis reverts commit 1.'),
        ("reset", "-q", "--hard", "HEAD~5"),
        ("commit", "--amend", "-qC", "HEAD", "--date", "2001-01-01T00:00:00"),
        ("merge", "-q", "-s", "ours", "--no-edit", "HEAD@{3}"),
    ):
        git(*words, cwd=top)
        check(repo)


def test_a_message_in_another_encoding(repo: Repository) -> None:
    said = "exp900 KEEP 1.0: é\n\nExp-Id: exp900\n".encode("latin-1")
    tree, parent = (git("rev-parse", name, cwd=repo.top).strip() for name in ("HEAD^{tree}", "HEAD"))
    head = f"tree {tree}\nparent {parent}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\nencoding ISO-8859-1\n\n"
    file = repo.top / "commit"
    file.write_bytes(head.encode() + said)
    commit = git("hash-object", "-t", "commit", "-w", str(file), cwd=repo.top).strip()
    assert next(first_parents(repo, commit)).message.decode() == said.decode("latin-1")
    git("update-ref", "refs/heads/exp/train", commit, cwd=repo.top)
    check(repo)


def test_where_nothing_can_be_kept(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(kept(repo))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "write_file", full)
    check(repo)
    assert not kept(repo).exists() or not list(kept(repo).iterdir())


def test_steps_of_every_kind_and_what_is_read_at_once(experiment: Path, gitexp: Gitexp) -> None:
    """What a step makes of the ledger that it knew is what a whole reading makes."""
    repo = Repository.discover(experiment)
    for number, value in enumerate(("0.2", "0.2 + nonsense", "0.9", "0.3", "0.31"), 1):
        set_lr(experiment, value)
        gitexp("step", "-m", f"idea {number}", *(["--note", "a note"] if number % 2 else ["--next", "another"]))
        check(repo)
    gitexp("breaker", "reset", "--why", "to say something", code=None)
    git("commit", "--allow-empty", "-qm", "a stranger's", cwd=experiment)
    check(repo)
    gitexp("render", "--full")
    check(repo)


def test_fsck_finds_what_was_forged(experiment: Path, gitexp: Gitexp) -> None:
    folder = kept(Repository.discover(experiment))
    assert "in order" in gitexp("fsck").stdout
    (folder / "statuses").write_bytes(b"D")
    page = json.loads((folder / "page.json").read_bytes().partition(b"\n")[2])
    page["columns"]["statuses"][1] = zlib.crc32(b"D")
    text = json.dumps(page).encode()
    (folder / "page.json").write_bytes(b"%d\n%s" % (zlib.crc32(text), text))
    assert "gitexp render --full" in gitexp("fsck", code=1).stdout
    gitexp("render", "--full")
    assert "in order" in gitexp("fsck").stdout


def test_a_column_that_is_gone_is_written_again(experiment: Path, gitexp: Gitexp) -> None:
    repo = Repository.discover(experiment)
    ledger = history.load(repo, "train")
    (kept(repo) / "scores").unlink()
    ledger.iterations.kept = 0  # type: ignore[attr-defined]
    cache.save(ExperimentFiles.of(repo, "train"), ledger)
    assert (kept(repo) / "scores").stat().st_size == 8
