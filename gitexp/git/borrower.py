"""A small repository that borrows another's objects, so that git commands in a clean tree touch nobody's refs or stash.

It has no remote and no hook, and of the other's configuration only what says how files are read and who commits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitexp.files import read_file, remove, write_file
from gitexp.git.repository import Repository

GIT_FOLDERS = (".git", ".git/info", ".git/objects", ".git/objects/info", ".git/refs", ".git/refs/heads")
_KEYS = ("core.autocrlf", "core.eol", "core.safecrlf", "core.ignorecase")
_CONTENTS = ("annex", "lfs")  # where git-annex, whose links lead there, and git-lfs keep the contents of files
_SECTIONS = ("filter.", "user.", "author.", "committer.", "diff.", "merge.", "lfs.")


def write_git_dir(repo: Repository, head: str, index: bytes, excluded: Iterable[str]) -> None:
    """Write ``.git`` at the top of ``repo`` anew, with HEAD at ``head``: whatever a run did in it is gone."""
    git_dir = repo.top / ".git"
    remove(git_dir)
    for folder in GIT_FOLDERS:
        (repo.top / folder).mkdir()
    files = {
        "HEAD": f"{head}\n".encode(),
        "config": _config(repo),
        "objects/info/alternates": os.fsencode(_quoted(repo.common_dir / "objects")) + b"\n",
        "info/exclude": os.fsencode("".join(f"/{_escaped(path)}\n" for path in excluded)),
        "index": index,
    }
    for name in ("shallow", "info/attributes"):
        if (repo.common_dir / name).is_file():
            files[name] = read_file(repo.common_dir / name, follow=True)
    for name, data in files.items():
        write_file(git_dir / name, data)
    for name in _CONTENTS:
        if (repo.common_dir / name).is_dir():
            os.symlink(repo.common_dir / name, git_dir / name)


def _quoted(path: Path) -> str:
    """A path as the file ``alternates`` has it."""
    text = str(path)
    return _string(text) if text.startswith('"') or "\n" in text else text


def _escaped(path: str) -> str:
    """A path as a pattern of .gitignore that means this path alone."""
    return "".join(f"\\{letter}" if letter in "\\*?[]! #" else letter for letter in path)


def _config(repo: Repository) -> bytes:
    sha256 = repo.config.get("extensions.objectFormat") == "sha256"
    lines = ["[core]", f"repositoryformatversion = {int(sha256)}", "bare = false", "logallrefupdates = true"]
    lines += ["[extensions]", "objectFormat = sha256"] if sha256 else []
    for key, value in _shared(repo.config.local()).items():
        section, _, rest = key.partition(".")
        middle, _, name = rest.rpartition(".")
        lines += [f"[{section} {_string(middle)}]" if middle else f"[{section}]", f"{name} = {_string(value)}"]
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


def _shared(local: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in local.items() if key in _KEYS or key.startswith(_SECTIONS)}


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
