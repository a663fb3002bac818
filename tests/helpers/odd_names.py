"""File names that git or a shell may take for something else, and a work tree that holds given files."""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.git.objects import EXECUTABLE, SYMLINK

ODD = [
    "a b",
    " a",
    "é",
    "日本",
    "'q'",
    '"dq"',
    "a\nb",
    "-f",
    "--all",
    "*",
    "a*",
    "[ab]",
    ":(glob)x",
    "a\tb",
    "\\",
    "!x",
    "#y",
]

Files = dict[str, tuple[str, str]]  # by path: mode, and content or link target


def lay(top: Path, files: Files) -> None:
    """Make the work tree hold these files and no others."""
    for root, folders, names in os.walk(top, topdown=False):
        if ".git" not in Path(root).relative_to(top).parts:
            for name in names:
                os.unlink(os.path.join(root, name))
            for folder in folders:
                if os.path.islink(os.path.join(root, folder)):
                    os.unlink(os.path.join(root, folder))
                elif folder != ".git":
                    os.rmdir(os.path.join(root, folder))
    for path, (mode, content) in files.items():
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if mode == SYMLINK:
            file.symlink_to(content)
        else:
            file.write_text(content)
            file.chmod(0o755 if mode == EXECUTABLE else 0o644)
