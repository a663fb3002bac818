"""The folders of files that are shipped with the code: ``templates``, ``hooks`` and ``manual``."""

from __future__ import annotations

from pathlib import Path


def data_dir(name: str) -> Path:
    """The folder ``name``: inside the package when installed from a wheel, beside it in a checkout.

    ``importlib.resources`` does not find mapped packages in editable installs
    (https://github.com/pypa/setuptools/issues/4943), so both places are looked at here.
    """
    here = Path(__file__).resolve().parent
    installed = here / name
    return installed if installed.is_dir() else here.parent / name


def read_data(name: str, *path: str) -> bytes:
    """The bytes of a file that is shipped in the folder ``name``."""
    return data_dir(name).joinpath(*path).read_bytes()
