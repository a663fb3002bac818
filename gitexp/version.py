"""The version that is installed; apart, as only some commands need it, and looking it up takes 20 ms."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("gitexp")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+checkout"
