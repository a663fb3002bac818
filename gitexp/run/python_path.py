"""Where Python finds a project's own packages in a clean tree, and not in the checkout that was installed.

``pip install -e`` and ``uv sync`` write the checkout's path into an environment: a run in another folder would import
the checkout's text. ``PYTHONPATH`` comes before both kinds that they write (a ``.pth`` line, and a finder).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitexp.files import find_file

_QUOTED = re.compile(r"""['"](/[^'"\n]+)['"]""")
_MAPPED = re.compile(r"""['"](\w+)['"]: ['"](/[^'"\n]+)['"]""")  # a package's name, and its folder


def installed_folders(top: Path, environments: Iterable[Path]) -> list[str]:
    """The folders of the checkout ``top``, relative to it, that Python ``environments`` import packages from."""
    found: dict[str, None] = {}
    for environment in environments:
        for file in sorted(environment.glob("lib/python*/site-packages/*")):
            if file.suffix == ".pth" or (file.name.startswith("__editable__") and file.suffix == ".py"):
                found |= dict.fromkeys(_below(top, _folders(file)))
    return list(found)


def link_renamed(checkout: Path, tree: Path, environments: Iterable[Path], folder: Path) -> None:
    """Put a link into ``folder`` for each package that has another name than its folder: to that folder in ``tree``."""
    for environment in environments:
        for file in environment.glob("lib/python*/site-packages/__editable__*.py"):
            for name, path in _MAPPED.findall((find_file(file) or b"").decode("utf-8", "replace")):
                inside = _below(checkout, [path])
                if inside and os.path.basename(path) != name and not os.path.lexists(folder / name):
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / name).symlink_to(tree / inside[0])


def _folders(file: Path) -> list[str]:
    """The folders that a file of an environment puts on the path: lines of a ``.pth``, parents of mapped packages."""
    try:
        text = (find_file(file) or b"").decode("utf-8", "replace")
    except OSError:
        return []
    if file.suffix == ".pth":
        return [line.strip() for line in text.splitlines() if line.startswith("/")]
    return [os.path.dirname(path) for path in _QUOTED.findall(text)]


def _below(top: Path, folders: Iterable[str]) -> list[str]:
    names = [os.path.relpath(os.path.realpath(folder), top) for folder in folders]
    return [name for name in names if name != ".." and not name.startswith("../")]


def python_path(checkout: Path, tree: Path, environments: Iterable[Path], caller: Mapping[str, str]) -> str:
    """``PYTHONPATH`` for a run in ``tree``: each folder of the checkout stands as the tree's; empty for none."""
    named = [path for path in caller.get("PYTHONPATH", "").split(os.pathsep) if path]
    inside = [str(tree / name) for name in installed_folders(checkout, environments)]
    own = [_moved(path, checkout, tree) for path in named]
    return os.pathsep.join(dict.fromkeys([*inside, *own]))


def _moved(path: str, checkout: Path, tree: Path) -> str:
    relative = os.path.relpath(os.path.realpath(path), checkout)
    outside = not os.path.isabs(path) or relative == ".." or relative.startswith("../")
    return path if outside else str(tree / relative)
