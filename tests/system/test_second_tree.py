"""The traps of a second tree, on the real thing: what a run in a clean tree imports, builds, reads and leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that, printed
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import git, make_repository

pytestmark = pytest.mark.slow
HELPER = "VALUE = 2.0\n"
IMPORTS = "from mypkg.helper import VALUE\nimport mypkg\nprint('from', mypkg.__file__)\nprint('val_bpb:', VALUE)\n"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of a repository to be; the current directory is there."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GITEXP_PYTHON")
    return folder


def place(folder: Path, iteration: str) -> str:
    """The file that a run said it imported."""
    [file] = re.findall(r"from (.*)\n", printed(folder, iteration))
    return str(file)


def check_imported_here(folder: Path, iteration: str, name: str) -> None:
    """The run imported the clean tree's text, and not the checkout's."""
    file = place(folder, iteration)
    assert file.endswith(f"/{folder.name}/{name}")
    assert not file.startswith(f"{folder}/")
    assert str(Path.home()) in file


def improve(folder: Path, file: str, gitexp: Gitexp, value: str = "1.0") -> None:
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace("2.0", value))
    assert f"exp001 KEEP {value}" in gitexp("step", "-m", "better").stdout


# -- what Python imports -----------------------------------------------------------------------------------------------


def environment(folder: Path) -> Path:
    """A real environment that can build packages; its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    done = subprocess.run([folder / "bin/pip", "install", "-q", "setuptools>=64", "wheel"], check=False)
    if done.returncode:
        pytest.skip("setuptools cannot be installed here")
    return folder / "bin/python"


SETUP = "[build-system]\nrequires = ['setuptools']\n[project]\nname = 'mypkg'\nversion = '1'\n[tool.setuptools]\n"
KINDS = {
    "a line of a .pth file": ("src/mypkg", "package-dir = {'' = 'src'}\npackages = ['mypkg']\n"),
    "a finder": ("lib/mypkg", "package-dir = {mypkg = 'lib/mypkg'}\npackages = ['mypkg']\n"),
    "a flat layout": ("mypkg", "packages = ['mypkg']\n"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("linked", [True, False], ids=[".venv", "active"])
def test_an_editable_install(
    start: Path, gitexp: Gitexp, kind: str, linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, setup = KINDS[kind]
    files = {f"{package}/__init__.py": "", f"{package}/helper.py": HELPER, "scripts/train.py": IMPORTS}
    make_repository(start, {**files, "pyproject.toml": SETUP + setup, ".gitignore": ".venv\n*.egg-info\nbuild\n"})
    venv = start / ".venv" if linked else tmp_path / "env"
    python = environment(venv)
    install = [python, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "-e", start]
    subprocess.run(install, check=True)
    if linked:
        hook_that(start, "exec .venv/bin/python scripts/train.py\n")
    else:
        monkeypatch.setenv("VIRTUAL_ENV", str(venv))
        hook_that(start, "exec $VIRTUAL_ENV/bin/python scripts/train.py\n")
    gitexp("init", "scripts/train.py", "--edit", package)
    improve(start, f"{package}/helper.py", gitexp)
    for iteration in ("exp000", "exp001"):
        check_imported_here(start, iteration, f"{package}/__init__.py")


def test_a_package_that_is_installed_under_another_name_than_its_folders(start: Path, gitexp: Gitexp) -> None:
    files = {"lib/code/__init__.py": "", "lib/code/helper.py": HELPER, "scripts/train.py": IMPORTS}
    setup = "package-dir = {mypkg = 'lib/code'}\npackages = ['mypkg']\n"
    make_repository(start, {**files, "pyproject.toml": SETUP + setup, ".gitignore": ".venv\n*.egg-info\n"})
    python = environment(start / ".venv")
    install = [python, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "-e", start]
    subprocess.run(install, check=True)
    hook_that(start, "exec .venv/bin/python scripts/train.py\n")
    gitexp("init", "scripts/train.py", "--edit", "lib/code")
    improve(start, "lib/code/helper.py", gitexp)
    assert not place(start, "exp001").startswith(f"{start}/lib")


@pytest.mark.parametrize("directory", ["", "src"])
def test_a_module_that_is_run_by_its_name(
    start: Path, gitexp: Gitexp, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = os.path.join(directory, "mypkg")
    make_repository(
        start, {f"{package}/__init__.py": "", f"{package}/helper.py": HELPER, f"{package}/train.py": IMPORTS}
    )
    hook_that(start, f"exec {sys.executable} -m mypkg.train\n")
    if directory:  # as people have it in their shell
        monkeypatch.setenv("PYTHONPATH", str(start / directory))
    gitexp("init", f"{package}/train.py", "--edit", package)
    improve(start, f"{package}/helper.py", gitexp)
    check_imported_here(start, "exp001", f"{package}/__init__.py")


WORKSPACE = "[project]\nname = 'root'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = ['mypkg']\n" + (
    "[tool.uv.workspace]\nmembers = ['packages/*']\n[tool.uv.sources]\nmypkg = {workspace = true}\n"
)


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not on PATH")
def test_uv_run_in_a_workspace(start: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_NO_BUILD_ISOLATION", "1")
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    package = "packages/mypkg/src/mypkg"
    setup = SETUP + "package-dir = {'' = 'src'}\npackages = ['mypkg']\n"
    files = {f"{package}/__init__.py": "", f"{package}/helper.py": HELPER, "train.py": IMPORTS}
    files |= {"packages/mypkg/pyproject.toml": setup, "pyproject.toml": WORKSPACE}
    make_repository(start, {**files, ".gitignore": ".venv\n*.egg-info\nbuild\n"})
    environment(start / ".venv")
    subprocess.run(["uv", "sync", "--offline", "--inexact", "-q"], check=True)
    git("add", "-A")
    git("commit", "-qm", "lock")
    assert (start / "uv.lock").is_file()
    before = sorted((start / ".venv/lib").rglob("*.pth")), [p.read_text() for p in (start / ".venv/lib").rglob("*.pth")]
    gitexp("init", "--edit", package)  # the packaged hook calls uv
    improve(start, f"{package}/helper.py", gitexp)
    check_imported_here(start, "exp001", f"{package}/__init__.py")
    after = sorted((start / ".venv/lib").rglob("*.pth")), [p.read_text() for p in (start / ".venv/lib").rglob("*.pth")]
    assert after == before


# -- what is built -----------------------------------------------------------------------------------------------------

PROGRAM = '#include <stdio.h>\nint main(void) { printf("from %s\\nval_bpb: 2.0\\n", __FILE__); return 0; }\n'
MAKEFILE = "build/prog: prog.c\n\tmkdir -p build\n\tcc -o build/prog prog.c\n"


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("cc"), reason="there is no compiler")
def test_a_makefile_builds_the_candidate(start: Path, gitexp: Gitexp) -> None:
    make_repository(start, {"prog.c": PROGRAM, "Makefile": MAKEFILE, ".gitignore": "build\n"})
    (start / "build").mkdir()
    (start / "build/prog").write_text("#!/bin/sh\necho val_bpb: 0.5\n")  # stale, and newer than all that will be
    (start / "build/prog").chmod(0o755)
    os.utime(start / "build/prog", (2**32, 2**32))
    hook_that(start, "[ ! -e build ] && make -s && exec ./build/prog\n")
    gitexp("init", "prog.c")
    assert ledger_of(start, "prog").iterations[0].score == 2.0
    improve(start, "prog.c", gitexp)
    assert (start / "build/prog").read_text().endswith("0.5\n")


# -- what is read ------------------------------------------------------------------------------------------------------

READS = "cat input; echo val_bpb: 2.0; cat train.py\n"


def project(start: Path, files: dict[str, str] | None = None, hook: str = READS) -> None:
    make_repository(start, {"train.py": "# 2.0\n", **(files or {})})
    hook_that(start, hook)


def run_both(start: Path, gitexp: Gitexp, *args: str) -> tuple[str, str]:
    """What the baseline and a step printed."""
    gitexp("init", *args)
    (start / "train.py").write_text("# 1.0\n")
    gitexp("step", "-m", "x")
    assert git("status", "--porcelain") == ""
    return printed(start, "exp000"), printed(start, "exp001")


def test_data_beside_the_repository(start: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("beside\n")
    project(start, {"train.py": "# ../data/x 2.0\n"}, "cat ../data/x; echo val_bpb: 2\n")
    assert all(text.startswith("beside\n") for text in run_both(start, gitexp))


def test_a_configuration_with_the_checkouts_path(start: Path, gitexp: Gitexp) -> None:
    project(start, {"config.yaml": f"data: {start}/input\n", "input": "x\n"}, "echo config.yaml; " + READS)
    said = gitexp("init").stderr
    assert said.count(f"config.yaml names {start}: it is read there, not in the clean tree.") == 1
    (start / "train.py").write_text("# 1.0\n")
    assert "config.yaml names" not in gitexp("step", "-m", "x").stderr


def test_a_submodule(start: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    make_repository(tmp_path / "inner", {"x": "inner\n"})
    make_repository(tmp_path / "sub", {"x": "sub\n"})
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    git(*add, str(tmp_path / "inner"), "deeper", cwd=tmp_path / "sub")
    git("commit", "-qam", "nested", cwd=tmp_path / "sub")
    project(start, hook="cat libs/sub/x libs/sub/deeper/x; git status --porcelain; echo val_bpb: 2.0; rm -r libs/sub\n")
    git(*add, str(tmp_path / "sub"), "libs/sub")
    git("-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
    git("commit", "-qam", "submodule")
    for text in run_both(start, gitexp):
        assert text.startswith("sub\ninner\n")
        assert " libs" not in text
    git("submodule", "deinit", "-q", "--all", "-f")
    hook_that(start, "ls libs/sub; git status --porcelain; echo val_bpb: 2.0; echo x > libs/sub/left\n")
    gitexp("init", "--name", "bare")
    logs = sorted((start / ".git/gitexp/bare/logs").glob("exp000*.log"))
    assert [log.read_text() for log in logs] == ["val_bpb: 2.0\n"] * len(logs)


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_filter(start: Path, gitexp: Gitexp, scope: str) -> None:
    """As git-lfs sets one up, by `git lfs install --local` or for the user."""
    project(start, {".gitattributes": "input filter=stand-in\n", "input": "pointer\n"})
    for way, script in (("smudge", "s/pointer/content/"), ("clean", "s/content/pointer/")):
        git("config", scope, f"filter.stand-in.{way}", f"sed {script}")
    git("config", scope, "filter.stand-in.required", "true")
    (start / "input").write_text("content\n")
    git("add", "input")
    assert git("status", "--porcelain") == ""
    hook_that(start, READS + "git status --porcelain\n")
    for text in run_both(start, gitexp):
        assert text.startswith("content\n")
        assert " input" not in text


def test_line_ends_that_git_makes(start: Path, gitexp: Gitexp) -> None:
    git("config", "--global", "core.autocrlf", "true")
    project(start, {"input": "one\r\n"}, "od -c input; git status --porcelain; echo val_bpb: 2\n")
    for name in ("input", "train.py"):
        Path(name).unlink()
    git("checkout", "-q", "--", ".")  # as a clone has them
    for text in run_both(start, gitexp):
        assert "o   n   e  \\r  \\n" in text
        assert " input" not in text


def test_a_sparse_checkout(start: Path, gitexp: Gitexp) -> None:
    project(
        start, {"input": "x\n", "far/away/y": "whole\n"}, "cat far/away/y; git status --porcelain; echo val_bpb: 2\n"
    )
    git("sparse-checkout", "set", "--cone", "near")
    assert not (start / "far").exists()
    assert all(text.startswith("whole\n") for text in run_both(start, gitexp))
    assert not (start / "far").exists()


def test_symbolic_links(start: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").write_text("out\n")
    project(start, {"input": "file\n", "pkg/x": "folder\n"})
    links = {"to-file": "input", "to-folder": "pkg", "dangling": "no", "far": f"{tmp_path}/out", "up": "../out"}
    for name, target in links.items():
        os.symlink(target, name)
    git("add", "-A")
    git("commit", "-qm", "links")
    hook_that(start, "cat to-file to-folder/x far/x up/x; [ -L dangling ] && echo val_bpb: 2; rm to-folder/x far up\n")
    assert all(text.startswith("file\nfolder\nout\nout\n") for text in run_both(start, gitexp))
    assert (tmp_path / "out/x").read_text() == "out\n"


def test_a_cache_on_another_file_system(start: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Path("/dev") / "shm"
    if not memory.is_dir() or memory.stat().st_dev == start.stat().st_dev:
        pytest.skip("there is no other file system here")
    scratch = memory / f"gitexp-test-{os.getpid()}"
    monkeypatch.setenv("GITEXP_SCRATCH", str(scratch))
    try:
        project(start, {"input": "x\n"}, "pwd; " + READS)
        assert all(text.startswith(f"{scratch}/") for text in run_both(start, gitexp))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


# -- where the repository is -------------------------------------------------------------------------------------------


def test_a_linked_work_tree(start: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(start, {"input": "x\n"}, "git log -1 --format=%s; git status --porcelain; " + READS)
    git("worktree", "add", "-q", "-b", "other", str(tmp_path / "second"))
    monkeypatch.chdir(tmp_path / "second")
    gitexp("init")
    Path("train.py").write_text("# 1.0\n")
    gitexp("step", "-m", "x")
    assert printed(start, "exp001").startswith("exp000 KEEP 2.000000: baseline\n M train.py\nx\n")
    assert git("worktree", "list").count("\n") == 2


def test_a_repository_with_sha256(start: Path, gitexp: Gitexp) -> None:
    git("init", "-q", "--object-format=sha256")
    project(start, {"input": "x\n"}, "git rev-parse --show-object-format; git status --porcelain; " + READS)
    _, text = run_both(start, gitexp)
    assert text.startswith("sha256\n M train.py\nx\n")


@pytest.mark.parametrize("layout", ["GIT_DIR", "separate"])
def test_a_git_directory_elsewhere(
    start: Path, gitexp: Gitexp, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(start, {"input": "x\n"}, "git rev-parse --absolute-git-dir; git status --porcelain; " + READS)
    if layout == "separate":
        git("init", "-q", f"--separate-git-dir={tmp_path / 'elsewhere'}")
    else:
        (start / ".git").rename(tmp_path / "elsewhere")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("GIT_WORK_TREE", str(start))
    gitexp("init")
    (start / "train.py").write_text("# 1.0\n")
    gitexp("step", "-m", "x")
    [log] = (tmp_path / "elsewhere/gitexp/train/logs").glob("exp001-????????.log")
    where, *lines = log.read_text().splitlines()
    assert where.endswith("/project/.git")
    assert where.startswith(str(Path.home()))
    assert lines[:2] == [" M train.py", "x"]
    assert git("status", "--porcelain") == ""


# -- what is left ------------------------------------------------------------------------------------------------------

WRECK = (
    "ls -A | sort; cat pkg/x; "
    "rm -r .git; mkdir .git; mkfifo fifo pkg/fifo; rm -r pkg; echo file > pkg; mkdir -p new/er; chmod 0 new/er new; "
    "i=0; while [ $i -lt 10000 ]; do : > f$i; i=$((i+1)); done; mkdir ro; : > ro/x; chmod 500 ro; echo val_bpb: 2\n"
)


def test_the_next_run_finds_nothing_of_what_a_run_left(start: Path, gitexp: Gitexp) -> None:
    project(start, {"pkg/x": "tracked\n", "input": ""}, WRECK)
    expected = ".git\ninput\npkg\ntrain.py\ntracked\nval_bpb: 2\n"
    assert run_both(start, gitexp) == (expected, expected)
    (start / "train.py").write_text("# 0.5\n")
    gitexp("step", "-m", "y")
    assert printed(start, "exp002") == expected
    assert git("fsck", "--strict") == ""
