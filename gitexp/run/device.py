"""The device of this machine, for one run at a time: two that share it spoil each other's budgets.

Its lock is a file in the user's cache folder, so that it holds across repositories. What ``CUDA_VISIBLE_DEVICES`` names
is a device of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from gitexp.errors import GitexpError
from gitexp.files import holder_of, is_alive, lock
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.observer import Observer
from gitexp.text import visible

WHAT = "The device of this machine"
NAME_LIMIT = 100  # characters of a device's name


class Busy(Enum):
    """What is done while a run of somebody else uses the device."""

    REFUSE = "refuse"
    WAIT = "wait"
    SHARE = "share"  # run beside it


@contextmanager
def device_held(place: ExperimentFiles, purpose: str, busy: Busy, observer: Observer) -> Iterator[None]:
    """Hold the device for runs of an experiment; ``purpose`` is the command's name.

    Raises GitexpError where it is in use and that is to be refused.
    """
    repository = place.directory.parent.parent
    folder = repository.parent if repository.name == ".git" else repository
    title = visible(f"{purpose} of {place.branch} in {folder}")
    with ExitStack() as held:
        if busy is not Busy.SHARE:
            on_wait = (lambda holder: observer.say(_waits(holder))) if busy is Busy.WAIT else None
            try:
                held.enter_context(lock(_lock_file(), WHAT, title, hint=_hint(purpose), on_wait=on_wait))
            except OSError as error:  # a home that cannot be written to must not keep anybody from working
                observer.say(f"Nothing keeps another run from this device meanwhile: {error}")
        yield


def check_device(purpose: str, busy: Busy) -> None:
    """Raise GitexpError where the device is in use and that is to be refused: better now than after an edit."""
    holder = ""
    if busy is Busy.REFUSE:
        with suppress(OSError):  # then nothing is held either
            holder = holder_of(_lock_file())
    if holder and is_alive(holder):
        raise GitexpError(f"{WHAT} is in use by {holder}.", _hint(purpose))


def _waits(holder: str) -> str:
    return f"{WHAT} is in use by {holder}: this waits for it. With --share-device it runs beside it."


def _hint(purpose: str) -> str:
    return f"gitexp {purpose} ... --share-device   # runs beside it; or wait until that is done"


def _lock_file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    name = quote(os.environ.get("CUDA_VISIBLE_DEVICES", ""), safe="")[:NAME_LIMIT]
    return Path(cache, "gitexp", f"device-{name}.lock" if name else "device.lock")
