"""The installed version. It has a module of its own as the look-up takes 20 ms, and few commands need it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("gitexp")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+checkout"
