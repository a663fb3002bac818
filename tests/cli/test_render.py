"""``render``: both views come back, the same bytes in any clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git


def test_render_brings_both_views_back(one_of_each: Path, gitexp: Gitexp) -> None:
    views = {name: (one_of_each / name).read_bytes() for name in ("results.tsv", "EXPERIMENT.md")}
    for name in views:
        (one_of_each / name).unlink()
    gitexp("render")
    assert {name: (one_of_each / name).read_bytes() for name in views} == views


@pytest.mark.parametrize("kind", ["plain", "bare", "local branch"])
def test_a_clone_renders_the_same_bytes(
    one_of_each: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    views = {name: (one_of_each / name).read_bytes() for name in ("results.tsv", "EXPERIMENT.md")}
    clone = tmp_path / "clone"
    git("clone", "-q", *(["--bare"] if kind == "bare" else []), str(one_of_each), str(clone))
    monkeypatch.chdir(clone)
    if kind == "bare":
        assert "This repository has no work tree." in gitexp("render", code=1).stderr
        gitexp("render", "-o", str(tmp_path / "out"))
        made = tmp_path / "out"
    elif kind == "plain":
        git("switch", "-q", "-c", "aside", "HEAD~1")
        git("branch", "-q", "-D", "exp/train")
        gitexp("render", "-e", "train")
        made = clone
    else:
        gitexp("render")
        made = clone
        assert git("status", "--porcelain") == ""
    assert {name: (made / name).read_bytes() for name in views} == views
