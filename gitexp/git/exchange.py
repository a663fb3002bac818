"""Two moves of files that overwrite nothing, from the C library: Python has neither.

``renameat2`` of Linux and ``renamex_np`` of macOS exchange two names in one step, and rename only where nothing stands.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

_SWAP, _NEW = (2, 4) if sys.platform == "darwin" else (2, 1)  # RENAME_SWAP, RENAME_EXCL; RENAME_EXCHANGE, _NOREPLACE
_HERE = -100  # AT_FDCWD
_MISSING = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # what a file system without it answers


class NoExchangeError(OSError):
    """The file system, or the C library, cannot exchange two names."""


def exchange(one: Path, other: Path) -> None:
    """Exchange what stands at two paths in one step: no moment shows a path empty, and nothing is overwritten.

    Raises :class:`NoExchangeError`, and :class:`OSError` as a rename does.
    """
    _rename(one, other, _SWAP)


def move_new(source: Path, target: Path) -> None:
    """Rename, unless something stands at ``target``: then raise :class:`FileExistsError`.

    Where nothing does that in one step (no ``link`` either, as on FAT), it looks first.
    """
    try:
        return _rename(source, target, _NEW)
    except NoExchangeError:
        pass
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(source, target)
    else:
        os.unlink(source)


def _rename(source: Path, target: Path, flag: int) -> None:
    function = _c_function()
    if function is None:
        raise NoExchangeError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(source), None, str(target))
    names = (os.fsencode(source), os.fsencode(target))
    apple = sys.platform == "darwin"
    failed = function(*names, flag) if apple else function(_HERE, names[0], _HERE, names[1], flag)
    if failed:
        number = ctypes.get_errno()
        kind = NoExchangeError if number in _MISSING else OSError  # OSError picks its own subclass
        raise kind(number, os.strerror(number), str(source), None, str(target))


def _c_function() -> Callable[..., int] | None:
    name = "renamex_np" if sys.platform == "darwin" else "renameat2"  # the latter is in glibc 2.28 and newer
    return getattr(ctypes.CDLL(None, use_errno=True), name, None)
