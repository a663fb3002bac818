"""gitexp as a wheel installs it, in an environment of its own, with the libraries of this Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from functools import cache
from pathlib import Path

from .histories import git
from .places import folder

ROOT = Path(__file__).parents[2]
UNWANTED = ("GIT_", "GITEXP_", "XDG_", "PYTHON")


@cache
def environment() -> dict[str, str]:
    """What a measured process is given: no configuration of a person's, and its bytecode is cached as anywhere."""
    home = folder() / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    return kept | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}


@cache
def programs() -> Path:
    """Where this ``python`` and this ``gitexp`` are.

    It is not the editable install that may run the bench: with that every start of Python, also a baseline's, pays for
    the hook that finds it.
    """
    where, source = folder() / "environment", folder() / "source"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in listed:
        if (ROOT / name).is_file():  # from a copy: pip builds where the source is, and an old build would leak into it
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    venv.create(where, with_pip=True)
    pip = [str(where / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", str(source)], env=environment(), check=True)
    site = next(where.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return where / "bin"
