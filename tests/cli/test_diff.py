"""``diff``: metrics side by side, then the code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.helpers.command_line import Gitexp


def test_diff_has_metrics_and_code(one_of_each: Path, gitexp: Gitexp) -> None:
    text = gitexp("diff", "exp001").stdout
    head, _, code = text.partition("diff --git")
    assert head.splitlines()[0].split() == ["exp000", "exp001", "difference"]
    assert re.search(r"^val_bpb +2\.040000 +2\.\d{6} +-0\.\d{6}$", head, re.MULTILINE)
    assert re.search(r"^num_steps +7 +7 +0$", head, re.MULTILINE)
    assert "-LR = 0.1\n+LR = " in code
    assert "The code is the same." in gitexp("diff", "exp000", "exp000").stdout
    assert "it met no incumbent" in gitexp("diff", "exp000", code=1).stderr
