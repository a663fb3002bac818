"""What a run needs and git ignores (an environment, data): linked into the clean tree by name, never copied.

Where a link points is each machine's own: its target is the path of that name in the work tree, or what ``--link
NAME=PATH`` says. So a contract from elsewhere can name an input, and point at nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import find_file, read_file, stat_signature
from gitexp.git.repository import Repository
from gitexp.git.status import ignored_paths
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import VIEWS, Contract
from gitexp.paths import link_place
from gitexp.shell import command
from gitexp.text import visible

NOTE = "links"
VENV = ".venv"
# What a build, a run or a tool leaves: a stale binary, or a training that is resumed, is no measurement.
_LEFT_BY_TOOLS = re.compile(
    r"(?i)__pycache__|build|dist|target|node_modules|out(?:puts?)?|logs?|runs?|results?|wandb|mlruns|lightning_logs"
    r"|tensorboard|.*cache.*|.*checkpoint.*|.*ckpts?|.*\.egg-info|\..*"
    r"|.*\.(?:pt|pth|ckpt|safetensors|onnx|log|out|err|tmp|pyc|o|a|so|d|dylib|exe|png|jpe?g|svg|pdf)"
)
CONFIGS = (".yaml", ".yml", ".toml", ".json", ".ini", ".cfg", ".mk")
ENTRIES = 1000  # of a linked folder that are counted at most


def find_links(repo: Repository, directory: str, texts: Iterable[bytes]) -> list[str]:
    """The ignored paths that a run needs: ``.venv`` where the command starts, and what is named in ``texts``.

    Left out are build folders, caches, checkpoints and logs.
    """
    said = b"\n".join(texts)
    found = [path for path in ignored_paths(repo) if _is_environment(path, directory) or _is_named(path, said)]
    return [path for path in found if not _is_empty(repo.top / path) and not _is_below(path, found)]


def _is_environment(path: str, directory: str) -> bool:
    folder, name = os.path.split(path)
    return name == VENV and (folder in ("", directory) or f"{directory}/".startswith(f"{folder}/"))


def _is_named(path: str, said: bytes) -> bool:
    name = os.path.basename(path)
    if name in VIEWS or any(_LEFT_BY_TOOLS.fullmatch(part) for part in path.split("/")):
        return False
    return re.search(rb"(?<![\w.-])" + re.escape(os.fsencode(name)) + rb"(?![\w-])", said) is not None


def _is_empty(path: Path) -> bool:
    """A folder without a name in it is no input."""
    if not path.is_dir():
        return False
    with os.scandir(path) as found:
        return next(found, None) is None


def _is_below(path: str, others: Collection[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:depth]) in others for depth in range(1, len(parts)))


def named_texts(repo: Repository, directory: str, paths: Iterable[str], hook: Path) -> dict[str, bytes]:
    """The contents of the files at ``paths``, of the hook, and of the configs that these name, by path."""
    texts = {path: text for path in paths if (text := _text(repo.top / path))}
    texts[hook.name] = read_file(hook, follow=True)
    words = [os.fsdecode(word) for word in re.findall(rb"[\w./-]+", b"\n".join(texts.values()))]
    names = [word for word in words if word.endswith(CONFIGS)]
    configs = {os.path.normpath(os.path.join(base, name)) for name in names for base in (directory, "")}
    return texts | {name: text for name in sorted(configs) if (text := _text(repo.top / name))}


def _text(file: Path) -> bytes:
    try:
        return find_file(file) or b""
    except OSError:
        return b""


def targets(repo: Repository, place: ExperimentFiles, contract: Contract) -> dict[str, Path]:
    """Where each link of the contract points on this machine. Raises for one that points at nothing."""
    named = place.read_note(NOTE, dict) or {}
    found: dict[str, Path] = {}
    for path in contract.links:
        target = Path(named[path]) if path in named else link_place(repo.top, path)
        if not target.exists():
            raise GitexpError(
                f"A run needs {visible(path)}, which git ignores, and it is not here ({visible(str(target))}).",
                f"{command('ln', '-s', '/path/to/it', repo.top / path)}   # or copy it there",
            )
        found[path] = target
    return found


def name_targets(place: ExperimentFiles, named: Mapping[str, str]) -> None:
    """Note where links point that are not found under their own names."""
    if named:
        place.write_note(NOTE, dict(named))
    else:
        place.forget_note(NOTE)  # of an experiment of this name that is gone


def signature(target: Path) -> tuple[object, ...]:
    """What a change behind a link shows in: inode, size and time, and the same of a folder's first ``ENTRIES``."""
    inner: list[tuple[str, tuple[int, ...] | None]] = []
    if target.is_dir():
        with os.scandir(target) as entries:
            inner = sorted((entry.name, stat_signature(entry.path)) for entry in islice(entries, ENTRIES))
    return (stat_signature(target), *inner)
