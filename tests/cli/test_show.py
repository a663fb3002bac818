"""``show``: message, diff, the end of the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp


@pytest.mark.parametrize("name", ["exp002", "2"])
def test_show_has_message_diff_and_log(one_of_each: Path, gitexp: Gitexp, name: str) -> None:
    text = gitexp("show", name).stdout
    assert "exp002 DISCARD 2.360000: LR 0.9" in text
    assert "Exp-Status: DISCARD" in text
    assert "-LR = 0.2\n+LR = 0.9" in text
    assert "val_bpb: 2.360000" in text


def test_show_of_what_is_not_there(one_of_each: Path, gitexp: Gitexp) -> None:
    assert "There is no exp009 in exp/train; the last is exp003." in gitexp("show", "exp009", code=1).stderr
