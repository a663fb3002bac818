"""The sdist and the wheel: they build, hold what is needed and nothing else, and run from anywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from gitexp.cli import COMMANDS, man
from gitexp.setup.agent import SKILL_FILES
from gitexp.views.report import SCRIPTS
from tests.helpers.project import ROOT
from tests.helpers.repositories import TOY, make_repository

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both, built from a copy of what git tracks: an old build folder would leak deleted files into the wheel."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(out), str(source)], check=True, capture_output=True)
    return out


def test_the_wheel_ships_templates_and_hooks_and_no_tests(dist: Path) -> None:
    names = zipfile.ZipFile(next(dist.glob("*.whl"))).namelist()
    templates = ("EXPERIMENT.md.j2", "pr.md.j2", "ci/gitexp.yml", "mlx/train.py")
    for wanted in ("gitexp/hooks/post-run", *(f"gitexp/templates/{name}" for name in templates)):
        assert wanted in names
    for wanted in ("report.html.j2", "report/report.css", *(f"report/{name}" for name in SCRIPTS)):
        assert f"gitexp/templates/{wanted}" in names
    for wanted in ("AGENTS.md", *(f"skill/{name}" for name in SKILL_FILES)):
        assert f"gitexp/templates/agent/{wanted}" in names
    odd = [name for name in names if "test" in name or "__pycache__" in name or name.startswith("hooks")]
    assert odd == ["gitexp/cli/test.py"]  # the command


def test_the_sdist_holds_what_the_wheel_is_made_of(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    for wanted in (
        "hooks/post-run",
        "templates/report/report.js",
        "templates/mlx/evaluate.py",
        "gitexp/cli/step.py",
        "gitexp/manual/verdicts.md",
        "setup.cfg",
        "LICENSE",
    ):
        assert any(name.endswith("/" + wanted) for name in names), wanted


def test_the_wheel_installs_and_runs_from_anywhere(dist: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    wheel = str(next(dist.glob("*.whl")))
    subprocess.run([venv / "bin" / "pip", "install", "-q", "--no-deps", wheel], check=True)
    # The dependencies are those of the environment that runs this test.
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in sys.path if path.endswith("site-packages")))
    folder = make_repository(tmp_path / "anywhere", {"train.py": TOY})

    def run(*command: str) -> str:
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout

    where = run(str(venv / "bin" / "python"), "-c", "import gitexp; print(gitexp.__file__)")
    assert str(venv) in where
    assert run(str(venv / "bin" / "gitexp"), "--version").startswith("gitexp, version 0.")
    run(str(venv / "bin" / "gitexp"), "init", "--agent")
    assert "exp000" in run(str(venv / "bin" / "git-exp"), "log")
    assert run(str(venv / "bin" / "gitexp"), "help", "verdicts").startswith("# Verdicts: ")
    assert (folder / ".git" / "hooks" / "post-run").stat().st_mode & 0o111


def test_the_wheel_ships_the_manual_and_the_manual_page(dist: Path) -> None:
    wheel = zipfile.ZipFile(next(dist.glob("*.whl")))
    names = wheel.namelist()
    for chapter in (ROOT / "gitexp" / "manual").glob("*.md"):
        assert f"gitexp/manual/{chapter.name}" in names
    pages = {name.rpartition("/")[2]: wheel.read(name).decode() for name in names if "/share/man/man1/" in name}
    assert pages == {"gitexp.1": man.page(), "git-exp.1": ".so man1/gitexp.1\n"}


@pytest.mark.skipif(not shutil.which("man"), reason="man is not on PATH")
@pytest.mark.parametrize("name", ["gitexp", "git-exp"])
def test_man_shows_each_command_with_its_options(name: str, tmp_path: Path) -> None:
    """With the pages where pip puts them, beside the executables."""
    folder = tmp_path / "share" / "man" / "man1"
    folder.mkdir(parents=True)
    for file, text in {"gitexp.1": man.page(), "git-exp.1": ".so man1/gitexp.1\n"}.items():
        (folder / file).write_text(text)
    env = os.environ | {"MANPATH": str(folder.parent), "MANWIDTH": "100", "MAN_KEEP_FORMATTING": "", "PAGER": "cat"}
    shown = subprocess.run(["man", name], env=env, capture_output=True, text=True, check=True).stdout
    text = " ".join(re.sub(".\b", "", shown).split())
    for command in COMMANDS:
        assert f"gitexp {command} [OPTIONS]" in text or f"gitexp {command} " in text
    assert "--one-variable [warn|strict]" in text
    assert "gitexp breaker reset --why 'the disk was full; it has room again'" in text
    assert "needs: pip install 'gitexp[plot]'" in text


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not on PATH")
def test_the_manual_page_is_sound(tmp_path: Path) -> None:
    page = tmp_path / "gitexp.1"
    page.write_text(man.page())
    done = subprocess.run(["groff", "-man", "-ww", "-z", str(page)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
