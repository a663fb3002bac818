"""``gitexp help``: the manual's chapters, listed and shown, and the likely one for a name that is none."""

from __future__ import annotations

import click
import pytest

from gitexp.cli.help import chapters
from gitexp.resources import data_dir
from tests.helpers.command_line import Gitexp

MANUAL = data_dir("manual")


def test_it_lists_each_chapter_with_a_line(gitexp: Gitexp) -> None:
    lines = gitexp("help").stdout.splitlines()
    assert lines[0] == "The manual:"
    assert "  gitexp help verdicts      Verdicts: when a change is kept, and why you can trust that" not in lines
    assert "  gitexp help verdicts      when a change is kept, and why you can trust that" in lines
    for chapter in chapters():
        (line,) = [line for line in lines if line.startswith(f"  gitexp help {chapter} ")]
        assert len(line.split(maxsplit=3)[3]) > 20
        assert len(line) <= 100


def test_it_shows_a_chapter_as_it_is(gitexp: Gitexp) -> None:
    for chapter in chapters():
        text = (MANUAL / f"{chapter}.md").read_text()
        assert gitexp("help", chapter).stdout.rstrip("\n") == text.rstrip("\n")
        assert text.lower().startswith(f"# {chapter}: ")


def test_a_terminal_gets_a_pager(gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    paged: list[str] = []
    monkeypatch.setattr(click, "echo_via_pager", paged.append)
    assert gitexp("help", "costs").stdout == ""
    assert paged == [(MANUAL / "costs.md").read_text()]


def test_a_command_gets_its_own_help(gitexp: Gitexp) -> None:
    assert gitexp("help", "step").stdout == gitexp("step", "-h").stdout


def test_another_name_gets_the_likely_one(gitexp: Gitexp) -> None:
    assert "try: gitexp help verdicts   # the chapters: gitexp help\n" in gitexp("help", "verdict", code=1).stderr
    assert "try: gitexp help status " in gitexp("help", "staus", code=1).stderr
    assert gitexp("help", "xyzzy", code=1).stderr.endswith("try: gitexp help\n")
