"""Output whose reader stops reading: that is not an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest


@pytest.mark.parametrize("words", ["show exp000", "diff exp000 exp000", "log", "brief"])
def test_who_stops_reading_is_no_error(experiment: Path, words: str) -> None:
    line = f"{quote(sys.executable)} -m gitexp {words} | true"
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stderr
    assert said == ""
