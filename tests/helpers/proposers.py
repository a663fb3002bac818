"""Scripts that propose an edit of the toy trainer, for a loop."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path


def proposes(proposer: Path, body: str) -> list[str]:
    head = """\
        import os, pathlib, sys, time
        number = int(os.environ["EXPERIMENT_ID"][3:])
        text = pathlib.Path("train.py").read_text()
        def write(lr):
            pathlib.Path("train.py").write_text(f"LR = {lr}\\n" + text.partition("\\n")[2])
    """
    proposer.write_text(textwrap.dedent(head) + textwrap.dedent(body))
    return ["--", sys.executable, str(proposer)]


BETTER = "write(0.1 + number / 100); print('LR up')\n"
WORSE = "write(1 + number / 100); print('LR far up')\n"
