"""What a person sees while a run goes on: the bar on a terminal, the line elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest

from gitexp.cli import progress
from gitexp.cli.progress import UP_AND_CLEAR, Terminal


class Screen(io.StringIO):
    """A terminal, or what stands in for one."""

    terminal = True

    def isatty(self) -> bool:
        return self.terminal

    def frames(self) -> list[str]:
        """What was drawn, one entry a time."""
        return [frame.rstrip() for frame in re.split(r"\r|\n|\x1b\[\?25[lh]", self.getvalue()) if frame.strip()]


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def bar(share: float) -> str:
    filled = int(share * 24)
    return f"[{'#' * filled}{'-' * (24 - filled)}]"


def test_the_bar_goes_by_the_clock_where_the_run_says_nothing(screen: Screen, pass_time: Callable[..., None]) -> None:
    with redirect_stderr(screen):
        terminal = Terminal()
        terminal.run_starts("exp001", 10)
        pass_time(5)
        terminal.run_goes_on()
        pass_time(0.01)
        terminal.run_goes_on()  # too soon to draw it again
        pass_time(50)
        terminal.run_goes_on()
        terminal.run_ends(True)
        shown = [f"exp001  {bar(share)}  {percent:>4}" for share, percent in ((0, "0%"), (0.5, "50%"), (0.99, "99%"))]
        assert screen.frames() == [*shown, f"exp001  {bar(1)}  100%"]


def test_the_bar_goes_by_the_run_s_word_and_never_back(screen: Screen, pass_time: Callable[..., None]) -> None:
    with redirect_stderr(screen):
        terminal = Terminal()
        terminal.run_starts("exp001", 10)
        for line in ("step 5 (50.0%) | loss 2.5", "step 1 (10%)", "a\x1b[31m line " + "x" * 200):
            pass_time(1)
            terminal.run_prints(line)
            terminal.run_goes_on()
        terminal.run_ends(False)
        _, half, back, last, end = screen.frames()
        assert half == f"exp001  {bar(0.5)}   50%  loss 2.5"
        assert back == f"exp001  {bar(0.5)}   50%"
        assert last.startswith(f"exp001  {bar(0.5)}   50%  a [31m line xxx")
        assert len(last) < 120
        assert end == back


def test_without_a_budget_there_is_only_the_percentage(screen: Screen, pass_time: Callable[..., None]) -> None:
    with redirect_stderr(screen):
        terminal = Terminal()
        terminal.run_starts("exp001", 0)
        pass_time(1)
        terminal.run_prints("(25%)")
        terminal.run_goes_on()
        assert screen.frames() == ["exp001    0%", "exp001   25%"]


def test_the_lines_of_a_loop_go_away_after_each_run(screen: Screen) -> None:
    with redirect_stderr(screen):
        terminal = Terminal(whole=lambda: "loop step 1 of 9")
        terminal.run_starts("exp001", 10)
        terminal.run_ends(True)
        assert screen.frames()[0] == "loop step 1 of 9"
        assert screen.getvalue().endswith(2 * UP_AND_CLEAR)


def test_elsewhere_there_is_a_line_a_run(screen: Screen) -> None:
    with redirect_stderr(screen):
        screen.terminal = False
        for terminal in (Terminal(), Terminal(quiet=True), Terminal(whole=lambda: "loop")):
            terminal.run_starts("exp001", 7.5)
            terminal.run_prints("50%")
            terminal.run_goes_on()
            terminal.run_ends(True)
        assert screen.getvalue() == "exp001: training for 7.5 s\n"


@pytest.mark.parametrize("closed_at", ["start", "run", "end"])
def test_a_terminal_that_is_closed_costs_no_run(closed_at: str, screen: Screen, pass_time: Callable[..., None]) -> None:
    with redirect_stderr(screen):
        terminal = Terminal()
        calls = {
            "start": lambda: terminal.run_starts("exp001", 10),
            "run": terminal.run_goes_on,
            "end": lambda: terminal.run_ends(True),
        }
        for name, call in calls.items():
            pass_time(1)
            if name == closed_at:
                screen.close()
            call()
        terminal.say("done")
        terminal.run_starts("exp002", 10)
        assert screen.closed
