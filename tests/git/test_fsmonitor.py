"""While a loop watches its work tree, `changes` says what a fresh git status would, and asks git only where needed."""

from __future__ import annotations

import errno
import mmap
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import gitexp.git
import gitexp.git.diff
import gitexp.git.driver
from gitexp.errors import GitexpError
from gitexp.git import fsmonitor
from gitexp.git.fsmonitor import changes, watching
from gitexp.git.repository import Repository
from gitexp.git.status import Change, tracked_changes
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.proposers import WORSE, proposes
from tests.helpers.repositories import TOY, Once, git, make_repository, set_lr

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not fsmonitor._is_local(Path(tempfile.gettempdir())), reason="nothing to watch with"
)
FILES = {
    "train.py": TOY,
    "other.py": "one\ntwo\n",
    "pkg/a.py": "a\n",
    "pkg/deep/b.py": "b\n",
    "pkg/deep/c.py": "c\n",
    "lone/d.py": "d\n",
    ".gitignore": "*.log\n__pycache__/\n",
}
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subcommand of each git process that the product starts."""
    words: list[str] = []
    start = gitexp.git.driver.start

    def noted(driver: gitexp.git.driver.Git, *args: str, **how: object) -> subprocess.Popen[bytes]:
        words.append(args[0])
        return start(driver, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(gitexp.git.driver, "start", noted)
    monkeypatch.setattr(gitexp.git.diff, "start", noted)
    return words


@pytest.fixture
def top(once: Once) -> Path:
    def make(place: Path) -> None:
        make_repository(place, FILES)
        os.symlink("other.py", place / "link")
        git("add", "link", cwd=place)
        git("commit", "-qm", "link", cwd=place)

    place = once("tree-watched", make)
    git("update-index", "--refresh", cwd=place)
    return place


@pytest.fixture
def tree(top: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Watched, and known to be clean. However slow the machine is, git is not asked for the time that went by."""
    monkeypatch.setattr(fsmonitor, "RECHECK", 3600.0)
    repo = Repository.discover(top)
    with watching(repo):
        assert repo.top in fsmonitor._open
        for but in ((), ("train.py",), ()):
            assert changes(repo, but) == []
        asked.clear()
        assert changes(repo) == changes(repo, ["train.py"]) == []
        assert asked == []
        yield repo
    assert repo.top not in fsmonitor._open


def append(path: str, text: str = "more\n") -> None:
    with open(path, "a") as file:
        file.write(text)


def replace(path: str) -> None:
    Path("new.part").write_text("new\n")
    os.replace("new.part", path)


def overwrite(path: str) -> None:
    """The same length, and where the clock is coarse the same time."""
    with open(path, "r+b") as file:
        file.write(b"X")


def mapped(path: str) -> mmap.mmap:
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 0)


def through_a_mapping(path: str) -> None:
    memory = mapped(path)
    memory[0:1] = b"X"
    memory.close()


def relink() -> None:
    os.unlink("link")
    os.symlink("train.py", "link")


def folder_for_file() -> None:
    os.unlink("other.py")
    os.mkdir("other.py")


def link_for_folder() -> None:
    os.rename("lone", "elsewhere")
    os.symlink("elsewhere", "lone")


def exchanged() -> None:
    os.rename("pkg/deep/b.py", "b")
    os.rename("pkg/deep/c.py", "pkg/deep/b.py")
    os.rename("b", "pkg/deep/c.py")


def through_another_name() -> None:
    os.link("other.py", "pkg/name")
    append("pkg/name")
    os.unlink("pkg/name")


def committed_elsewhere() -> None:
    """HEAD's tree is another one; neither the index nor the work tree was touched."""
    empty = git("mktree", stdin="").strip()
    git("update-ref", "HEAD", git("commit-tree", empty, "-p", "HEAD", "-m", "x").strip())


WAYS: dict[str, Callable[[], object]] = {
    "write": lambda: Path("other.py").write_text("x"),
    "write below": lambda: Path("pkg/deep/b.py").write_text("x"),
    "append": lambda: append("pkg/a.py"),
    "truncate": lambda: os.truncate("other.py", 0),
    "overwrite": lambda: overwrite("pkg/a.py"),
    "replace by rename": lambda: replace("other.py"),
    "rename": lambda: os.rename("other.py", "renamed.py"),
    "exchange": exchanged,
    "unlink": lambda: os.unlink("pkg/deep/b.py"),
    "unlink the last of a folder": lambda: os.unlink("lone/d.py"),
    "run bit": lambda: Path("other.py").chmod(0o755),
    "symbolic link": relink,
    "through the symbolic link": lambda: append("link"),
    "mapping": lambda: through_a_mapping("other.py"),
    "git mv": lambda: git("mv", "other.py", "moved.py"),
    "git add": lambda: (append("other.py"), git("add", "other.py")),
    "git add of a new one": lambda: (os.mkdir("new"), Path("new/x").write_text("x"), git("add", "new")),
    "git rm --cached": lambda: git("rm", "-q", "--cached", "other.py"),
    "the editable one": lambda: append("train.py"),
    "the editable one staged": lambda: (append("train.py"), git("add", "train.py")),
    "the editable one unlinked": lambda: os.unlink("train.py"),
    "the editable one's run bit": lambda: Path("train.py").chmod(0o755),
    "folder renamed": lambda: os.rename("pkg", "gone"),
    "inner folder renamed": lambda: os.rename("pkg/deep", "deep"),
    "folder removed": lambda: shutil.rmtree("pkg"),
    "folder for a file": folder_for_file,
    "link for a folder": link_for_folder,
    "index without the work tree": lambda: git("read-tree", "--empty"),
    "HEAD alone": committed_elsewhere,
    "branch": lambda: (
        git("branch", "other", git("commit-tree", git("mktree", stdin="").strip(), "-m", "x").strip()),
        git("symbolic-ref", "HEAD", "refs/heads/other"),
    ),
    "another process": lambda: subprocess.run(["sh", "-c", "echo x >> other.py"], check=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_in_which_a_file_can_change_is_seen(way: str, tree: Repository) -> None:
    WAYS[way]()
    seen = changes(tree)
    assert seen == tracked_changes(tree) != []


BESIDES = [way for way in WAYS if way == "the editable one staged" or not way.startswith("the editable one")]


@pytest.mark.parametrize("way", BESIDES)
def test_it_is_seen_too_where_the_editable_file_is_the_callers_to_look_at(way: str, tree: Repository) -> None:
    append("train.py")
    assert changes(tree, ["train.py"]) == []
    WAYS[way]()
    assert [change for change in tracked_changes(tree) if change.path != "train.py" or change.staged] != []
    fresh = {change for change in tracked_changes(tree) if change.path != "train.py" or change.staged}
    assert fresh <= set(changes(tree, ["train.py"]))
    assert changes(tree) == tracked_changes(tree)


@pytest.mark.parametrize(
    "way",
    [
        lambda: os.utime("other.py"),
        lambda: os.chmod("other.py", 0o600),
        lambda: (append("other.py"), git("checkout", "-q", "other.py")),
        lambda: Path(".gitattributes").write_text("*.py text eol=crlf\n"),
        lambda: Path("pkg/.gitattributes").write_text("*.py text eol=crlf\n"),
        lambda: Path(".git/info/attributes").write_text("*.py text eol=crlf\n"),
        lambda: git("config", "core.fileMode", "false"),
        lambda: git("update-index", "--assume-unchanged", "other.py"),
        lambda: os.mkfifo("fifo") or os.rename("fifo", "other.py") or git("checkout", "-q", "other.py"),
        lambda: (os.rename("pkg", "away"), os.rename("away", "pkg")),
    ],
)
def test_what_may_matter_has_git_asked_again(way: Callable[[], object], tree: Repository, asked: list[str]) -> None:
    way()
    assert changes(tree) == []
    assert "status" in asked
    asked.clear()
    assert changes(tree) == []
    assert asked == []


def test_a_folder_that_came_back_is_watched(tree: Repository) -> None:
    shutil.rmtree("pkg")
    assert [change.path for change in changes(tree)] == ["pkg/a.py", "pkg/deep/b.py", "pkg/deep/c.py"]
    os.mkdir("pkg")
    assert changes(tree) == tracked_changes(tree)
    os.makedirs("pkg/deep")
    Path("pkg/deep/b.py").write_text("b\n")
    Path("pkg/deep/c.py").write_text("c\n")
    Path("pkg/a.py").write_text("a\n")
    assert changes(tree) == []
    Path("pkg/deep/b.py").write_text("x")
    assert changes(tree) == tracked_changes(tree) != []


def test_a_folder_that_git_tracks_since_is_watched(tree: Repository) -> None:
    os.makedirs("new/below")
    Path("new/below/file").write_text("x")
    git("add", "new")
    git("commit", "-qm", "new")
    assert changes(tree) == []
    append("new/below/file")
    assert changes(tree) == tracked_changes(tree) != []


HARMLESS: dict[str, Callable[[], object]] = {
    "a view": lambda: (Path("results.tsv.part").write_text("x"), os.replace("results.tsv.part", "results.tsv")),
    "a log": lambda: append("pkg/train.log"),
    "a new file": lambda: Path("pkg/deep/new.py").write_text("x"),
    "a cache": lambda: (os.mkdir("__pycache__"), Path("__pycache__/a.pyc").write_text("x")),
    "folders": lambda: (os.makedirs("out/one"), os.rename("out/one", "out/two"), shutil.rmtree("out")),
    "a socket's like": lambda: os.mkfifo("fifo"),
    "reading": lambda: [Path(path).read_text() for path in FILES],
    "git's reading": lambda: git("--no-optional-locks", "status"),
    "an ignore file below": lambda: Path("pkg/.gitignore").write_text("*\n"),
    "the editable file put back": lambda: (set_lr(Path(), 7), Path("train.py").write_text(TOY)),
    "the editable file touched": lambda: os.utime("train.py"),
}


@pytest.mark.parametrize("way", HARMLESS)
def test_what_cannot_matter_asks_git_nothing(way: str, tree: Repository, asked: list[str]) -> None:
    HARMLESS[way]()
    assert changes(tree) == changes(tree, ["train.py"]) == []
    assert asked == []
    assert tracked_changes(tree) == []


def test_a_head_that_moved_to_the_same_tree_asks_git_for_nothing_else(tree: Repository, asked: list[str]) -> None:
    discard = git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "as a DISCARD does").strip()
    git("update-ref", "HEAD", discard)
    assert changes(tree) == changes(tree) == []
    git("pack-refs", "--all")
    assert changes(tree) == []
    assert set(asked) <= {"cat-file"}  # which is kept open, and says what its tree is


def test_a_known_change_stays_known(tree: Repository, asked: list[str]) -> None:
    append("other.py")
    assert [change.path for change in changes(tree)] == ["other.py"]
    asked.clear()
    assert changes(tree) == [Change("other.py", staged=False)]
    assert asked == []
    changes(tree).clear()  # the caller's own list
    assert len(changes(tree)) == 1


@pytest.mark.skipif(not QUEUE.exists() or int(QUEUE.read_text()) > 100_000, reason="it takes too long to fill it")
def test_more_events_than_the_kernel_keeps_are_in_doubt(tree: Repository, asked: list[str]) -> None:
    for name in ("one", "two"):
        Path(name).write_text("x")
    for _ in range(int(QUEUE.read_text()) // 2 + 1):
        os.utime("one")
        os.utime("two")
    append("pkg/a.py")  # this event is lost
    assert [change.path for change in changes(tree)] == ["pkg/a.py"]
    Path("pkg/a.py").write_text("a\n")
    assert changes(tree) == []
    asked.clear()
    assert changes(tree) == []
    assert asked == []


def test_what_changes_while_git_looks_is_looked_at_again(tree: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    look = fsmonitor.tracked_changes

    def slow(repo: Repository) -> list[Change]:
        found = look(repo)
        append("pkg/a.py")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(fsmonitor, "tracked_changes", slow)
        os.utime("other.py")
        assert changes(tree) == []
    assert changes(tree) == tracked_changes(tree) != []


def test_an_answer_about_an_editable_file_that_was_another_one_meanwhile_is_not_kept(
    tree: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = fsmonitor.tracked_changes

    def between(repo: Repository) -> list[Change]:
        set_lr(repo.top, 7)
        found = look(repo)
        Path("train.py").write_text(TOY)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(fsmonitor, "tracked_changes", between)
        os.utime("other.py")
        assert [change.path for change in changes(tree)] == ["train.py"]
    assert changes(tree) == []


def test_events_that_are_lost_to_an_interrupt_are_in_doubt(tree: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    read = fsmonitor.INotify.read

    def interrupted(*args: object, **options: object) -> None:
        read(*args, **options)
        raise KeyboardInterrupt

    os.rename("pkg/deep", "deep")
    os.mkdir("pkg/deep")
    with monkeypatch.context() as patch:
        patch.setattr(fsmonitor.INotify, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            changes(tree)
    assert changes(tree) == tracked_changes(tree) != []
    Path("pkg/deep/b.py").write_text("b\n")
    assert changes(tree) == tracked_changes(tree) != []


def test_an_answer_is_not_trusted_after_git_failed_to_give_another(
    tree: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Repository) -> list[Change]:
        raise GitexpError("git status failed.", "git status")

    memory = mapped("pkg/a.py")
    memory[0:1] = b"X"  # of this nobody tells
    with monkeypatch.context() as patch:
        patch.setattr(fsmonitor, "tracked_changes", fails)
        patch.setattr(fsmonitor, "RECHECK", -1.0)
        with pytest.raises(GitexpError):
            changes(tree)
    assert [change.path for change in changes(tree)] == ["pkg/a.py"]
    memory.close()


def test_git_is_asked_anyway_after_a_while(tree: Repository, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    memory = mapped("other.py")
    memory[0:1] = b"X"  # of this nobody tells before it is unmapped
    assert changes(tree) == []
    later = fsmonitor.time.monotonic() + fsmonitor.RECHECK + 1
    monkeypatch.setattr(fsmonitor.time, "monotonic", lambda: later)
    assert [change.path for change in changes(tree)] == ["other.py"]
    asked.clear()
    assert [change.path for change in changes(tree)] == ["other.py"]
    assert asked == []
    memory.close()


# -- where it does not watch -----------------------------------------------------------------------------------------


def mounted(lines: str) -> Callable[[pytest.MonkeyPatch], object]:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        Path("../mounts").write_text(lines.replace("TOP", str(Path.cwd())))
        monkeypatch.setattr(fsmonitor, "_MOUNTS", Path("../mounts").resolve())

    return patch


def refuses(method: str, code: int) -> Callable[[pytest.MonkeyPatch], object]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return lambda monkeypatch: monkeypatch.setattr(fsmonitor.INotify, method, fail)


ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
ELSEWHERE: dict[str, Callable[[pytest.MonkeyPatch], object]] = {
    "another system": lambda monkeypatch: monkeypatch.setattr(fsmonitor.sys, "platform", "darwin"),
    "no mounts": lambda monkeypatch: monkeypatch.setattr(fsmonitor, "_MOUNTS", Path("nowhere")),
    "network": mounted(ROOT + "28 27 0:1 / TOP rw shared:1 - nfs4 host:/ rw\n"),
    "network above": mounted("27 1 0:1 / / rw - fuse.sshfs host:/ rw\n"),
    "mounted over": mounted(ROOT + "28 27 0:1 / TOP rw - ext4 /dev/b rw\n29 27 0:2 / TOP rw - 9p host rw\n"),
    "mounted inside": mounted(ROOT + "28 27 254:0 /x TOP/pkg/a.py rw - ext4 /dev/vda rw\n"),
    "no instances left": refuses("__init__", errno.EMFILE),
    "no watches left": refuses("add_watch", errno.ENOSPC),
    "no right to": refuses("add_watch", errno.EACCES),
    "case": lambda _: git("config", "core.ignoreCase", "true"),
    "fsmonitor": lambda _: git("config", "core.fsmonitor", "true"),
    "hard link": lambda _: os.link("other.py", "../name"),
    "submodule": lambda _: git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"),
}


@pytest.mark.parametrize("why", ELSEWHERE)
def test_where_it_cannot_watch_git_is_asked_each_time(
    why: str, top: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ELSEWHERE[why](monkeypatch)
    repo = Repository.discover(top)
    with watching(repo):
        for _ in range(3):
            assert changes(repo) == tracked_changes(repo)
        if why == "hard link":
            append("../name")
            assert [change.path for change in changes(repo)] == ["other.py"]
        assert asked.count("status") >= 6


def test_mount_points_with_odd_names_are_understood(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = top / "a b\\c"
    name = str(odd).replace("\\", "\\134").replace(" ", "\\040")
    mounted(ROOT + f"28 27 0:1 / {name} rw - nfs4 host:/ rw\n")(monkeypatch)
    assert not fsmonitor._is_local(odd)
    assert not fsmonitor._is_local(top)
    assert fsmonitor._is_local(top / "pkg")
    assert fsmonitor._is_local(top / "a b")


def test_without_a_watch_and_after_it_git_is_asked(top: Path, asked: list[str]) -> None:
    repo = Repository.discover(top)
    with watching(repo):
        changes(repo)
    assert changes(repo) == changes(repo) == []
    assert asked.count("status") == 3


def test_linked_work_trees_are_watched_by_themselves(top: Path, tmp_path: Path, asked: list[str]) -> None:
    git("worktree", "add", "-q", str(tmp_path / "second"))
    first, second = Repository.discover(top), Repository.discover(tmp_path / "second")
    with watching(first), watching(second):
        assert changes(first) == changes(second) == []
        Path(tmp_path / "second/other.py").write_text("x")
        asked.clear()
        assert changes(first) == []
        assert asked == []
        assert [change.path for change in changes(second)] == ["other.py"]
        git("commit", "-qam", "x", cwd=tmp_path / "second")
        assert changes(second) == tracked_changes(second) == []


# -- anything at all -------------------------------------------------------------------------------------------------


def at_random(dice: random.Random) -> None:
    """One thing that people, agents and trainers do to files, or none where it cannot be done."""
    files = [str(path) for path in Path().rglob("*") if ".git" not in path.parts and not path.is_dir()]
    folders = [str(path) for path in Path().rglob("*") if ".git" not in path.parts and path.is_dir()]
    one = dice.choice(files or ["train.py"])
    other = dice.choice([*files, *(f"{folder}/n{dice.randrange(3)}" for folder in folders), "n0", "n1"])
    folder = dice.choice([*folders, "f0"])
    deeds: list[Callable[[], object]] = [
        lambda: append(one, dice.choice("xyz")),
        lambda: overwrite(one),
        lambda: os.utime(one),
        lambda: os.unlink(one),
        lambda: os.rename(one, other),
        lambda: os.chmod(one, dice.choice([0o644, 0o755])),
        lambda: through_a_mapping(one),
        lambda: os.symlink(other, f"{one}.link"),
        lambda: os.rename(folder, dice.choice(["f1", "pkg/f2", "pkg", "lone"])),
        lambda: shutil.rmtree(folder),
        lambda: os.makedirs(f"{folder}/f{dice.randrange(3)}"),
        lambda: Path(other).write_text("new\n"),
        lambda: append("train.py", dice.choice("xyz")),
        lambda: Path("train.py").write_text(TOY),
        lambda: Path("results.tsv").write_text("x"),
        lambda: Path("pkg/log").write_text("x"),
        lambda: os.mkdir("__pycache__"),
        lambda: git("add", dice.choice([one, "-A", "-u"])),
        lambda: git("commit", "-qam", "x"),
        lambda: git("checkout", "-q", "HEAD", "--", one),
        lambda: git("reset", "-q", dice.choice(["--hard", "--mixed", "--soft"])),
        lambda: git("reset", "-q", "--hard", git("rev-list", "--max-parents=0", "HEAD").strip()),
    ]
    with suppress(OSError, ValueError, AssertionError):  # another kind of thing is there, or none, or git refuses
        dice.choice(deeds)()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_it_says_what_git_says(seed: int, tree: Repository, asked: list[str]) -> None:
    dice = random.Random(seed)
    free = 0
    for _ in range(40):
        for _ in range(dice.choice([0, 1, 1, 2])):
            at_random(dice)
        asked.clear()
        if dice.random() < 0.3:
            seen = [change for change in changes(tree, ["train.py"]) if change.path != "train.py"]
            free += not asked
            assert seen == [change for change in tracked_changes(tree) if change.path != "train.py"]
        else:
            seen = changes(tree)
            free += not asked
            assert seen == tracked_changes(tree)
    assert free > 5


# -- in a loop -------------------------------------------------------------------------------------------------------


@pytest.fixture
def looped(request: pytest.FixtureRequest, top: Path, gitexp: Gitexp) -> Path:
    hook_that(top, "grep -q 'LR = 1.02' train.py && echo b > pkg/a.py\nexec python3 train.py\n")
    gitexp("init", "--budget", "5", "--rule", "single", *getattr(request, "param", ()))
    return top


@pytest.mark.parametrize("looped", [("--in-place",)], indirect=True, ids=["in place"])
def test_the_discards_of_a_loop_ask_git_for_the_state_of_the_files_once(
    looped: Path, proposer: Path, gitexp: Gitexp, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsmonitor, "RECHECK", 3600.0)
    body = WORSE.replace("number", "(number + 10)")
    assert "It tried 3: 0 KEEP, 3 DISCARD" in gitexp("loop", "--steps", "3", *proposes(proposer, body)).stdout
    assert asked.count("status") == 1  # before the first step
    assert git("status", "--porcelain", cwd=looped) == ""


@pytest.mark.parametrize("looped", [("--in-place",)], indirect=True, ids=["in place"])
def test_a_run_that_changes_a_tracked_file_is_pointed_out_in_a_loop(
    looped: Path, proposer: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsmonitor, "RECHECK", 3600.0)
    done = gitexp("loop", "--steps", "5", *proposes(proposer, WORSE), code=None)
    assert "The run changed pkg/a.py, which git tracks: the next step will be refused." in done.stderr
    assert "pkg/a.py differs from HEAD, and only train.py may change here" in done.stderr
    assert [i.id for i in ledger_of(looped).iterations][:3] == ["exp000", "exp001", "exp002"]


@pytest.mark.parametrize("looped", [("--in-place",)], indirect=True, ids=["in place"])
def test_a_proposer_that_edits_what_it_must_not_is_refused_in_every_round(
    looped: Path, proposer: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsmonitor, "RECHECK", 3600.0)
    body = WORSE + "if number == 2: pathlib.Path('pkg/deep/b.py').write_text('mine')\n"
    done = gitexp("loop", "--steps", "5", *proposes(proposer, body), code=1)
    assert done.stderr.count("exp002 (LR far up) was not tried: pkg/deep/b.py differs from HEAD") == 3
    assert len(ledger_of(looped).iterations) == 2
    assert Path("pkg/deep/b.py").read_text() == "b\n"
