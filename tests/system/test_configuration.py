"""What gitexp reads of git, seals and prints is the same whatever the user's configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.iteration.snapshot import take_snapshot
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Notes
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_constant

pytestmark = pytest.mark.slow  # a dozen commands, twice

HOSTILE = {
    "alias.log": "!false",
    "alias.diff": "!false",
    "alias.request-pull": "!false",
    "blame.coloring": "highlightRecent",
    "color.branch": "always",
    "color.diff": "always",
    "color.status": "always",
    "color.ui": "always",
    "column.ui": "always",
    "core.abbrev": "5",
    "core.pager": "false",
    "core.quotePath": "false",
    "diff.algorithm": "histogram",
    "diff.colorMoved": "zebra",
    "diff.context": "0",
    "diff.external": "false",
    "diff.indentHeuristic": "false",
    "diff.interHunkContext": "9",
    "diff.mnemonicPrefix": "true",
    "diff.noprefix": "true",
    "diff.odd.command": "false",
    "diff.odd.textconv": "false",
    "diff.relative": "true",
    "diff.renames": "copies",
    "diff.submodule": "log",
    "diff.suppressBlankEmpty": "true",
    "diff.wsErrorHighlight": "all",
    "format.pretty": "fuller",
    "i18n.logOutputEncoding": "ISO-8859-1",
    "log.abbrevCommit": "true",
    "log.date": "iso",
    "log.decorate": "full",
    "log.diffMerges": "remerge",
    "log.follow": "true",
    "log.mailmap": "false",
    "log.showRoot": "false",
    "log.showSignature": "true",
    "pager.diff": "true",
    "pager.log": "true",
    "status.branch": "true",
    "status.relativePaths": "false",
    "status.renames": "copies",
    "status.short": "true",
    "status.showUntrackedFiles": "no",
}
COMMANDS = (
    ("status",),
    ("log",),
    ("log", "--json"),
    ("show", "exp003"),
    ("show", "exp009"),
    ("why", "exp009"),
    ("diff", "exp000", "exp009"),
    ("best",),
    ("brief",),
    ("pr",),
    ("pick", "exp001", "--onto", "results"),
    ("fsck",),
    ("fsck", "main"),
)


def _configure() -> None:
    """Give the user a configuration in which every setting is an odd one."""
    lines = [f"[{key.rpartition('.')[0]}]\n\t{key.rpartition('.')[2]} = {value}\n" for key, value in HOSTILE.items()]
    home = Path.home()
    text = "".join(lines).replace("[diff.odd]", '[diff "odd"]').replace("!false", '"!false"')
    (home / "order").write_text("z*\n")
    (home / "attributes").write_text("* diff=odd\n")
    text += f"[diff]\n\torderFile = {home / 'order'}\n[core]\n\tattributesFile = {home / 'attributes'}\n"
    (home / ".gitconfig").write_text(text)
    assert git("config", "diff.odd.command").strip() == "false"


def _printed(gitexp: Gitexp) -> list[str]:
    return [gitexp(*command).output for command in COMMANDS]


def test_every_command_prints_the_same(kept: Path, gitexp: Gitexp) -> None:
    set_constant(kept, "B", "3")
    gitexp("step", "-m", "größer, déjà vu")
    _printed(gitexp)  # the first pr makes the review
    plain = _printed(gitexp)
    _configure()
    hostile = _printed(gitexp)
    for command, expected, actual in zip(COMMANDS, plain, hostile, strict=True):
        assert actual == expected, command
    assert "\x1b" not in "".join(plain)
    assert sum("größer, déjà vu" in text for text in plain) >= 7


def test_the_page_is_the_same(kept: Path, gitexp: Gitexp) -> None:
    gitexp("report", "-o", "plain.html")
    _configure()
    gitexp("report", "-o", "hostile.html")
    assert Path("hostile.html").read_text() == Path("plain.html").read_text()


def test_what_is_sealed_is_the_same(kept: Path, repo: Repository) -> None:
    """The patch id of an edit, here of a file whose name git would quote, is in the iteration's trailers."""
    (kept / "größe.py").write_text("\n".join(f"A{n} = {n}\n\n" for n in range(20)))
    git("add", "-A")
    git("commit", "-q", "-m", "another file")
    (kept / "größe.py").write_text("\n".join(f"A{n} = {n or 7}\n\n" for n in range(20)) + "B = 1\n")

    def patch() -> str:
        fresh = Repository.discover(kept)
        return take_snapshot(
            fresh,
            ExperimentFiles.of(fresh, "train"),
            "exp009",
            base=git("rev-parse", "HEAD").strip(),
            paths=("größe.py",),
            description="x",
            notes=Notes(),
            home=".",
        ).candidate.patch

    plain = patch()
    _configure()
    assert patch() == plain != ""
