"""The environment that every test and what it starts is given: nothing of the person's who runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers import toy_python

UNWANTED = ("GIT_", "GITEXP_", "XDG_", "TIME_BUDGET", "RANDOM_SEED", "RESULTS_TSV")
PERSON = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.org", "DATE": "2026-01-02T03:04:05Z"}


def make_hermetic(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set the environment; ``folder`` gets the files that it names."""
    for name in list(os.environ):
        if name.startswith(UNWANTED):
            monkeypatch.delenv(name)
    template = folder / "git-template"
    for name in ("hooks", "info"):
        (template / name).mkdir(parents=True)
    (template / "info" / "exclude").write_text("# what git leaves out\n")
    people = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in PERSON.items()}
    plain = {
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_TEMPLATE_DIR": str(template),  # git's own has 13 sample hooks, which each copy would copy
        "GITEXP_PYTHON": str(toy_python.write(folder)),
        "COLUMNS": "120",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
    }
    for name, value in {**people, **plain}.items():
        monkeypatch.setenv(name, value)
