"""Files that are put back, while somebody saves them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import pytest

from gitexp.git import exchange, kept_files
from gitexp.git.kept_files import clear_kept, save_changed
from gitexp.git.objects import Entry, entries, file_entry
from gitexp.git.replacement import replace_unchanged
from gitexp.git.repository import Repository
from tests.helpers.repositories import TOY, git

CANDIDATE = TOY.replace("0.1", "0.9", 1)
MINE = "# a day's work\n"


@pytest.fixture
def kept(repo: Repository) -> Path:
    return repo.private_dir / "train" / "kept"


def no_exchange(*_: object) -> None:
    raise exchange.NoExchangeError(22, "Invalid argument")


@pytest.fixture(params=["exchange", "two moves", "link"])
def moves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system can do."""
    if request.param == "two moves":
        monkeypatch.setattr(kept_files, "exchange", no_exchange)
    elif request.param == "link":
        monkeypatch.setattr(exchange, "_c_function", lambda: None)
    return str(request.param)


def in_place(file: Path, text: str) -> None:
    with file.open("w") as out:
        out.write(text)


def by_rename(file: Path, text: str) -> None:
    draft = file.with_name("draft")
    draft.write_text(text)
    draft.replace(file)


HEAD_START = 0.02  # seconds for another process to begin
MIDDLE = 40  # a moment when what is there was looked at, and is not replaced yet
SAVES = [in_place, by_rename]
Save = Callable[[Path, str], None]
Files = Mapping[str, Entry | None]


def candidate(repo: Repository) -> tuple[Files, Files]:
    """A candidate that lies in the work tree, and what HEAD has instead: a file that is changed, added and deleted."""
    for path, text in {"train.py": CANDIDATE, "new.py": "new\n"}.items():
        (repo.top / path).write_text(text)
    held = {path: file_entry(repo, path) for path in ("train.py", "new.py")}
    wanted = {path: entries(repo, "HEAD", [path]).get(path) for path in held}
    return held, wanted


def found(repo: Repository, text: str) -> bool:
    """Whether a text that somebody saved is in the work tree, or in a ref that keeps it."""
    if any(file.read_text() == text for file in repo.top.glob("*.py")):
        return True
    saved = git("for-each-ref", "--format=%(refname)", "refs/gitexp/saved", cwd=repo.top).split()
    return any(
        git("show", f"{ref}:{path}", cwd=repo.top) == text
        for ref in saved
        for path in git("ls-tree", "--name-only", ref, cwd=repo.top).split()
    )


def test_a_file_goes_back_that_other_attributes_would_store_otherwise(repo: Repository, kept: Path) -> None:
    file = repo.top / "train.py"
    file.write_bytes(b"a\r\n")
    git("-c", "core.autocrlf=false", "commit", "-qam", "with CRLF", cwd=repo.top)
    old = entries(repo, "HEAD", ["train.py"])["train.py"]
    (repo.top / ".gitattributes").write_text("*.py text eol=crlf\n")
    file.write_bytes(b"b\r\n")
    held = {path: file_entry(repo, path) for path in ("train.py", ".gitattributes")}
    assert replace_unchanged(repo, kept, held, {"train.py": old, ".gitattributes": None}) == ()
    assert file.read_bytes() == b"a\r\n"
    assert git("status", "--porcelain", cwd=repo.top) == ""


def test_files_are_put_back_and_nothing_shows(repo: Repository, kept: Path, moves: str) -> None:
    held, wanted = candidate(repo)
    assert replace_unchanged(repo, kept, held, wanted) == ()
    assert git("status", "--porcelain", "--ignored", cwd=repo.top) == ""
    assert clear_kept(repo, kept) == []
    assert not kept.exists()
    assert replace_unchanged(repo, kept, wanted, held) == ()
    assert git("status", "--porcelain", cwd=repo.top) == " M train.py\n?? new.py\n"


def test_what_is_saved_later_into_the_old_file_is_kept(repo: Repository, kept: Path, moves: str) -> None:
    held, wanted = candidate(repo)
    with (repo.top / "train.py").open("r+") as editor:
        replace_unchanged(repo, kept, held, wanted)
        editor.write(MINE)
    assert (repo.top / "train.py").read_text() == TOY
    ((path, ref),) = save_changed(repo, kept)
    assert (path, git("show", f"{ref}:train.py", cwd=repo.top)[: len(MINE)]) == ("train.py", MINE)
    assert clear_kept(repo, kept) == [(path, ref)]
    assert clear_kept(repo, kept) == []


def test_another_file_system_keeps_it_hidden_beside(
    repo: Repository, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(source: Path, target: Path, real: Callable[..., None] = exchange.exchange) -> None:
        if source.is_relative_to(kept):
            raise OSError(18, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(kept_files, "exchange", rename)
    (repo.top / "train.py").write_text(CANDIDATE)
    held = {"train.py": file_entry(repo, "train.py")}
    with (repo.top / "train.py").open("r+") as editor:
        assert replace_unchanged(repo, kept, held, entries(repo, "HEAD", ["train.py"])) == ()
        editor.write(MINE)
    assert len(list(repo.top.glob(".gitexp.*.kept"))) == 1
    assert git("status", "--porcelain", cwd=repo.top) == ""
    assert len(clear_kept(repo, kept)) == 1
    assert not list(repo.top.glob(".gitexp.*"))


def test_a_folder_that_takes_the_files_place_stays(repo: Repository, kept: Path, moves: str) -> None:
    held, wanted = candidate(repo)

    def save(file: Path) -> None:
        file.unlink()
        file.mkdir()
        (file / "x").write_text(MINE)

    with saving_at((MIDDLE, lambda: save(repo.top / "train.py"))):
        assert "train.py" in replace_unchanged(repo, kept, held, wanted)
    assert (repo.top / "train.py" / "x").read_text() == MINE


# -- a save at every moment ------------------------------------------------------------------------------------------
CODE = {f"gitexp/git/{name}.py" for name in ("replacement", "kept_files", "exchange")}


@contextmanager
def saving_at(*moments: tuple[int, Callable[[], None]]) -> Iterator[list[int]]:
    """Call each function before the line of that number (1, 2, …) of the code that puts files back; how many it ran."""
    lines, due = [0], dict(moments)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "/".join(Path(frame.f_code.co_filename).parts[-3:]) not in CODE:
            return None
        if event == "line":
            lines[0] += 1
            due.get(lines[0], lambda: None)()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def put_back(repo: Repository, kept: Path, *moments: tuple[int, Callable[[], None]]) -> int:
    """Put a candidate back, with something done at these moments; how many moments there were."""
    held, wanted = candidate(repo)
    with saving_at(*moments) as lines:
        replace_unchanged(repo, kept, held, wanted)
    return lines[0]


def check_saves(repo: Repository, kept: Path, stride: int, name: str, save: Callable[[Path, str], None]) -> None:
    moments = put_back(repo, kept)
    assert moments > 60
    for at in range(1, moments + 1, stride):
        text = f"{MINE}# {name} {at}\n"
        put_back(repo, kept, (at, lambda text=text: save(repo.top / name, text)))  # type: ignore[misc]
        clear_kept(repo, kept)
        assert found(repo, text), f"the save of {name} at line {at} is lost"


@pytest.mark.parametrize("name", ["train.py", "new.py"])
@pytest.mark.parametrize("save", SAVES)
def test_no_save_is_lost_at_some_moments(repo: Repository, kept: Path, moves: str, name: str, save: Save) -> None:
    check_saves(repo, kept, 9, name, save)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train.py", "new.py"])
@pytest.mark.parametrize("save", SAVES)
def test_no_save_is_lost_at_any_moment(repo: Repository, kept: Path, moves: str, name: str, save: Save) -> None:
    check_saves(repo, kept, 1, name, save)


@pytest.mark.slow
@pytest.mark.parametrize("later", [1, 3, 10, 30])
def test_no_save_is_lost_that_takes_its_time(repo: Repository, kept: Path, moves: str, later: int) -> None:
    moments = put_back(repo, kept)
    for at in range(1, moments + 1):
        text, files = f"{MINE}# {at}\n", []

        def begin(files: list[TextIO] = files) -> None:
            files.append((repo.top / "train.py").open("w"))

        def end(files: list[TextIO] = files, text: str = text) -> None:
            with files.pop() as file:
                file.write(text)

        put_back(repo, kept, (at, begin), (at + later, end))
        if files:
            end()
        clear_kept(repo, kept)
        assert found(repo, text), f"the save from line {at} on is lost"


@pytest.mark.slow
@pytest.mark.parametrize("save", SAVES)
def test_a_thousand_saves_of_another_process(repo: Repository, kept: Path, save: Save) -> None:
    """Each at another moment of an undo, by the clock."""
    for _ in range(3):
        begun = time.monotonic()
        put_back(repo, kept)
        length = time.monotonic() - begun  # the first take longer; and traced ones, so some saves come after it
    for number in range(1000):
        text = f"{MINE}# {number}\n"
        held, wanted = candidate(repo)
        begin = time.monotonic() + HEAD_START
        pid = os.fork()
        if pid == 0:
            wait_until(begin + length * number / 1000)
            save(repo.top / "train.py", text)
            os._exit(0)
        wait_until(begin)
        replace_unchanged(repo, kept, held, wanted)
        os.waitpid(pid, 0)
        clear_kept(repo, kept)
        assert found(repo, text), f"save {number} is lost"


def wait_until(moment: float) -> None:
    while time.monotonic() < moment:
        pass


# -- kill -9 at every moment -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("save", [None, *SAVES])
def test_killed_at_any_moment(repo: Repository, kept: Path, moves: str, save: Save | None) -> None:
    """Either version is there afterwards, and a save that came before."""
    file = repo.top / "train.py"
    for at in range(1, put_back(repo, kept) + 1):
        text = f"{MINE}# {at}\n"
        candidate(repo)
        pid = os.fork()
        if pid == 0:
            own = Repository.discover(repo.top)  # git's processes must not be shared
            saved = [(at // 2, lambda text=text: save(file, text))] if save else []
            put_back(own, kept, *saved, (at, lambda: os.kill(os.getpid(), signal.SIGKILL)))
            os._exit(0)
        os.waitpid(pid, 0)
        assert file.exists() or moves != "exchange"
        late = clear_kept(repo, kept)
        assert save or not late
        assert file.read_text() in (CANDIDATE, TOY, text)
        assert found(repo, text) or not (save and at // 2)
        assert not kept.exists()
