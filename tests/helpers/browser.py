"""The browser that draws reports in tests: headless Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


def chromium() -> str | None:
    """The browser, where there is one."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = play.chromium.launch(executable_path=chromium(), args=root)
        yield running
        running.close()
