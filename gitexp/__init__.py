"""gitexp: a git-native experiment tracker for time-budget training loops."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gitexp")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+checkout"
