"""What is found to be linked into a clean tree, and what never is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.run.links import find_links, named_texts, signature
from gitexp.run.named_paths import elsewhere, links_beside
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.repositories import TOY, git, make_repository

IGNORED = "data\nbuild\n*.pt\n.venv\ncorpora\n"


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    folder = make_repository(tmp_path / "project", {"train.py": "open('data/x')\n", ".gitignore": IGNORED})
    for name in ("data", "build", "corpora", ".venv/lib"):
        (folder / name).mkdir(parents=True)
        (folder / name / "x").write_text("x")
    return Repository.discover(folder)


def found(repo: Repository, text: bytes, directory: str = ".") -> list[str]:
    return find_links(repo, directory, [text])


def test_what_is_named_and_ignored_is_linked(project: Repository) -> None:
    assert found(project, b"data/x") == [".venv", "data"]
    assert found(project, b"metadata database") == [".venv"]
    assert found(project, b"build/prog and model.pt; corpora") == [".venv", "corpora"]


def test_an_environment_that_ignores_itself_is_linked_as_a_whole(project: Repository) -> None:
    """uv and Python 3.13 write a .gitignore into it, and then git lists what is in it too."""
    (project.top / ".gitignore").write_text("")
    (project.top / ".venv/.gitignore").write_text("*\n")
    (project.top / "data/.gitignore").write_text("*\n")
    (project.top / "data/lib").mkdir()
    (project.top / "data/lib/y").write_text("y")
    assert found(project, b"data lib pyvenv.cfg x") == [".venv", "data"]


def test_an_empty_folder_is_no_input(project: Repository) -> None:
    (project.top / "data/x").unlink()
    assert found(project, b"data") == [".venv"]


def test_the_configs_that_a_script_or_the_hook_names_are_read(project: Repository) -> None:
    (project.top / "configs").mkdir()
    (project.top / "configs/x.yaml").write_text("path: corpora\n")
    (project.top / "sub").mkdir()
    (project.top / "sub/y.toml").write_text("path = 1\n")
    hook = project.top.parent / "post-run"
    hook.write_text("python train.py --config configs/x.yaml y.toml /etc/x.json\n")
    texts = named_texts(project, "sub", ["train.py", "nowhere"], hook)
    assert sorted(texts) == ["configs/x.yaml", "post-run", "sub/y.toml", "train.py"]


# -- outside of the repository -----------------------------------------------------------------------------------------


@pytest.fixture
def beside(project: Repository) -> Repository:
    (project.top.parent / "data").mkdir()
    (project.top.parent / "shared").mkdir()
    return project


@pytest.mark.parametrize(
    ("directory", "file", "text", "links"),
    [
        (".", "train.py", b"open('../data/x')", ["../data"]),
        ("sub", "sub/train.py", b"open('../data/x')", []),
        ("sub", "sub/train.py", b"open('../../data/x')", ["../data"]),
        (".", "configs/x.yaml", b"path: ../../shared", ["../shared"]),
        (".", "train.py", b"../nowhere a/../data ../../data ../project/x", []),
    ],
)
def test_what_lies_beside_the_repository(
    beside: Repository, directory: str, file: str, text: bytes, links: list[str]
) -> None:
    assert links_beside(beside, directory, {file: text}) == links


def test_a_tracked_link_that_leads_out(beside: Repository) -> None:
    (beside.top / "pkg").mkdir()
    (beside.top / "pkg/far").symlink_to("../../shared/x")
    (beside.top / "near").symlink_to("pkg")
    git("add", "pkg", "near", cwd=beside.top)
    git("commit", "-qm", "links", cwd=beside.top)
    assert links_beside(beside, ".", {}) == ["../shared"]


def test_what_is_read_elsewhere_is_said_once_for_each_text(beside: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(beside.top.parent))
    texts = {
        "config.yaml": f"a: {beside.top}/data\nb: {beside.top}\n".encode(),
        "home.yaml": b"a: ~/project/data\n",
        "other.yaml": f"a: {beside.top}-2\n".encode(),
        "far.yaml": f"a: ../../{beside.top.parent.name}\n".encode(),
    }
    assert elsewhere(beside, ".", texts) == [
        f"config.yaml names {beside.top}: it is read there, not in the clean tree.",
        "home.yaml names ~/project: it is read there, not in the clean tree.",
        f"far.yaml names ../../{beside.top.parent.name}: the clean tree has no such path.",
    ]


def test_init_takes_and_refuses_links(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    for name in ("data", "far", "skipped"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(f"{name}\n")
    hook_that(folder, "ls ..; cat ../data/x ../other/x; [ ! -e ../skipped ] && echo val_bpb: 2\n")
    for path in ("../../x", "../far/x", f"../{folder.name}", "/etc"):
        assert "is refused" in gitexp("init", "--link", path, code=1).stderr
    said = gitexp("init", "--link", f"../other={tmp_path / 'far'}", "--skip-link", "../skipped").stdout
    assert "Linked into the clean tree: ../other, ../data." in said
    printed = next(folder.glob(".git/gitexp/train/logs/exp000*.log")).read_text()
    assert printed.startswith("data\nother\nrepository\ndata\nfar\n")


def test_only_a_target_that_is_named_is_noted(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    """A note of an earlier experiment of the same name is not taken over."""
    note = folder / ".git/gitexp/train/links.json"
    (tmp_path / "far").mkdir()
    gitexp("init", "--link", f"data={tmp_path / 'far'}")
    assert note.exists()
    git("switch", "-q", "main")
    git("branch", "-qD", "exp/train")
    gitexp("init")
    assert not note.exists()


# -- nothing is copied or walked ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_linked_data_is_neither_copied_nor_walked(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    from_kernel = pytest.importorskip("inotify_simple")
    data = folder / "data"
    (data / "many").mkdir(parents=True)
    for number in range(100_000):
        os.close(os.open(data / "many" / str(number), os.O_CREAT | os.O_WRONLY))
    with (data / "huge").open("wb") as file:
        file.truncate(100 << 30)
    (folder / ".gitignore").write_text("data\n")
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "ignore data", cwd=folder)
    hook_that(folder, "stat -L -c %s data/huge; cat train.py; echo val_bpb: 2\n")
    with from_kernel.INotify() as watch:
        watch.add_watch(data / "many", from_kernel.flags.OPEN | from_kernel.flags.ACCESS)
        watch.add_watch(data / "huge", from_kernel.flags.OPEN | from_kernel.flags.ACCESS)
        assert "Linked into the clean tree: data." in gitexp("init").stdout
        (folder / "train.py").write_text("# 2\n")
        gitexp("step", "-m", "x")
        assert watch.read(timeout=0) == []
    assert str(100 << 30) in next(folder.glob(".git/gitexp/train/logs/exp001*.log")).read_text()


def test_a_change_behind_a_link_shows(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("x")
    before = signature(tmp_path / "data")
    assert signature(tmp_path / "data") == before
    (tmp_path / "data/x").write_text("xy")
    assert signature(tmp_path / "data") != before


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_on_a_terminal_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    folder = make_repository(tmp_path / "r", {"train.py": TOY + "open('data/x')\n", ".gitignore": "data/\n"})
    (folder / "data").mkdir()
    (folder / "data/x").write_text("x")
    end, terminal = os.openpty()
    os.write(end, answer.encode())
    command = [sys.executable, "-m", "gitexp", "init", "--rule", "single"]
    done = subprocess.run(command, cwd=folder, stdin=terminal, capture_output=True, text=True, check=False)
    os.close(terminal)
    os.close(end)
    assert "A run seems to need data, which git ignores. Link it into the clean tree?" in done.stderr
    assert done.returncode == code
    assert ("--skip-link=data" in done.stderr) == bool(code)
