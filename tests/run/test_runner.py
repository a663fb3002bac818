"""Process control, with real processes: how they end, what is kept of what they say, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote
from typing import IO

import psutil
import pytest

from gitexp.run import guardian, processes, runner
from gitexp.run.output import LINE_LIMIT, LOG_HEAD, LOG_TAIL
from gitexp.run.runner import TAIL_LINES, Execution, NotStarted, run
from tests.helpers.processes import DAEMON, is_gone

PATIENCE = 20  # seconds: only a test that fails waits so long
SOON = 0.3  # seconds: long enough for a shell to have started
LEFT_OUT = re.compile(rb"\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n")

Run = Callable[..., Execution]


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.2)
    monkeypatch.setattr(runner, "LINGER", 0.1)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "run.log"


@pytest.fixture
def sh(tmp_path: Path, log: Path, lines: list[str]) -> Run:
    """Run a shell script, or a Python program: ``sh("exit 3")``, ``sh(python="print(1)")``."""

    def start(script: str = "", python: str = "", timeout: float = PATIENCE, **more: object) -> Execution:
        command = [sys.executable, "-I", "-S", "-c", python] if python else ["/bin/sh", "-c", script]
        environment = {"PATH": os.environ["PATH"], "HELD": str(tmp_path / "held")}
        given = {"cwd": tmp_path, "env": environment, "log": log, "on_line": lines.append} | more
        return run(command, timeout=timeout, **given)  # type: ignore[arg-type]

    return start


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """Whether some process still holds the pipe ``$HELD``: the answer comes when the last one is gone."""
    os.mkfifo(tmp_path / "held")
    end = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)

    def is_held(patience: float = PATIENCE) -> bool:
        with contextlib.suppress(BlockingIOError):
            return os.read(end, 1) != b""
        select.select([end], [], [], patience)
        with contextlib.suppress(BlockingIOError):
            return os.read(end, 1) != b""
        return True

    yield is_held
    os.close(end)


# -- how it ended ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 125, 127, 255])
def test_the_exit_code(sh: Run, code: int) -> None:
    execution = sh(f"echo last; exit {code}")
    assert (execution.exit_code, execution.timed_out, execution.tail) == (code, False, ("last",))
    assert 0 < execution.seconds < PATIENCE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_a_signal_is_a_negative_exit_code(sh: Run, number: signal.Signals) -> None:
    assert sh(f"echo last; kill -{number.value} $$").exit_code == -number
    assert sh("sh -c 'kill -9 $$'; exit $?").exit_code == 128 + 9


def test_a_command_that_cannot_be_started(sh: Run, tmp_path: Path, log: Path) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    options = {"cwd": tmp_path, "env": {}, "timeout": 1.0, "log": log, "on_line": print}
    with pytest.raises(NotStarted, match="No such file"):
        run([str(tmp_path / "missing")], **options)  # type: ignore[arg-type]
    with pytest.raises(NotStarted, match="Permission denied"):
        run([str(tmp_path / "plain")], **options)  # type: ignore[arg-type]
    with pytest.raises(NotStarted, match="No such file"):
        sh("exit", cwd=tmp_path / "missing")
    assert no_children()


def test_it_has_its_own_session_no_input_and_the_environment_given(sh: Run, tmp_path: Path, lines: list[str]) -> None:
    sh(
        python="import os, sys; print(os.getsid(0) == os.getpid()); print(repr(sys.stdin.read()));"
        "print(os.getcwd()); print(sorted(os.environ))",
        env={"ONE": "1", "LC_ALL": "C"},
    )
    assert lines[:3] == ["True", "''", os.path.realpath(tmp_path)]
    assert lines[3] == "['LC_ALL', 'ONE']"


def test_two_outputs_are_one(sh: Run, log: Path, lines: list[str]) -> None:
    sh("echo one; echo two >&2; echo three")
    assert lines == ["one", "two", "three"]
    assert log.read_bytes() == b"one\ntwo\nthree\n"


# -- timeouts --------------------------------------------------------------------------------------------------------


def test_past_the_timeout_it_is_told_to_end(sh: Run, held: Callable[[], bool]) -> None:
    execution = sh('exec 9>"$HELD"; echo started; sleep 60; echo never', timeout=SOON)
    assert (execution.exit_code, execution.timed_out, execution.tail) == (-signal.SIGTERM, True, ("started",))
    assert not held()


def test_what_it_says_to_the_end_is_kept(sh: Run, lines: list[str]) -> None:
    execution = sh("trap 'echo saved; exit 7' TERM; echo started; while :; do sleep 0.02; done", timeout=SOON)
    assert (execution.exit_code, execution.timed_out) == (7, True)
    assert (lines[0], lines[-1]) == ("started", "saved")


def test_one_that_ignores_term_is_killed_with_all_its_group(sh: Run, held: Callable[[], bool]) -> None:
    execution = sh(
        "trap '' TERM; exec 9>\"$HELD\"; (while :; do sleep 0.05; done) & while :; do sleep 0.05; done", timeout=SOON
    )
    assert (execution.exit_code, execution.timed_out) == (-signal.SIGKILL, True)
    assert not held()


def test_a_grandchild_that_ignores_term_is_gone_too(sh: Run, held: Callable[[], bool]) -> None:
    execution = sh("(trap '' TERM; exec 9>\"$HELD\"; while :; do sleep 0.05; done) & wait", timeout=SOON)
    assert execution.timed_out
    assert not held()


@pytest.mark.parametrize("end", ["sleep 60", "trap '' TERM; while :; do sleep 0.05; done"])
def test_one_that_closed_its_output_is_ended_as_well(sh: Run, held: Callable[[], bool], end: str) -> None:
    execution = sh(f'exec 9>"$HELD"; echo last; exec >&- 2>&-; {end}', timeout=SOON)
    assert execution.timed_out
    assert execution.exit_code < 0
    assert execution.tail == ("last",)
    assert not held()


def test_one_that_closed_its_output_may_go_on_within_its_time(sh: Run, tmp_path: Path) -> None:
    execution = sh("echo last; exec >&- 2>&-; sleep 0.2; touch done; exit 3")
    assert (execution.exit_code, execution.timed_out) == (3, False)
    assert (tmp_path / "done").exists()


def test_one_that_never_stops_printing_is_ended(sh: Run) -> None:
    execution = sh("while :; do echo x; done", timeout=SOON)
    assert (execution.exit_code, execution.timed_out) == (-signal.SIGTERM, True)
    assert execution.tail == ("x",) * TAIL_LINES


# -- nothing stays behind --------------------------------------------------------------------------------------------


def no_children() -> bool:
    """No process of ours is left but the guard, not even one that ended and waits to be asked for its exit code.

    Those of git that other tests' repositories keep open are none of ours.
    """
    return all(child.name() == "git" or child.pid == guard() for child in psutil.Process().children())


def guard() -> int:
    return guardian._guardians[os.getpid()].pid


def test_no_zombie_is_left(sh: Run) -> None:
    sh("exit 0")
    assert no_children()
    sh("sleep 60", timeout=0.05)
    assert no_children()


def test_a_child_in_the_background_does_not_outlive_it(sh: Run, held: Callable[[], bool]) -> None:
    execution = sh('(exec 9>"$HELD" >&- 2>&-; sleep 60) & sleep 0.1; echo done')
    assert (execution.exit_code, execution.timed_out, execution.tail) == (0, False, ("done",))
    assert not held()


def test_output_held_open_by_a_background_child_does_not_keep_it(sh: Run, held: Callable[[], bool]) -> None:
    execution = sh('(exec 9>"$HELD"; sleep 60) & echo done; exit 4')
    assert (execution.exit_code, execution.timed_out, execution.tail) == (4, False, ("done",))
    assert execution.seconds < PATIENCE
    assert not held()


def test_a_background_child_that_goes_on_printing_does_not_keep_it(sh: Run) -> None:
    execution = sh("(while :; do echo noise; done) & sleep 0.05; exit 4")
    assert (execution.exit_code, execution.timed_out) == (4, False)


def test_output_held_open_from_another_session_does_not_keep_it(sh: Run, tmp_path: Path) -> None:
    program = f"""
import os, time
ready, tell = os.pipe()
if os.fork():
    os.read(ready, 1)
    os._exit(5)
os.setsid()
open("pid", "w").write(str(os.getpid()))
os.write(tell, b".")
time.sleep({PATIENCE})
"""
    execution = sh(python=program)
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert (execution.exit_code, execution.timed_out) == (5, False)
    assert execution.seconds < PATIENCE


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_however_it_is_left_nothing_is_left_running(
    sh: Run, held: Callable[[], bool], error: type[BaseException]
) -> None:
    def raise_it(line: str) -> None:
        raise error(line)

    with pytest.raises(error, match="started"):
        sh("trap '' TERM; exec 9>\"$HELD\"; (sleep 60) & echo started; while :; do sleep 0.05; done", on_line=raise_it)
    assert not held()
    assert no_children()


def test_a_log_that_cannot_be_written_leaves_nothing_running(sh: Run, held: Callable[[], bool], tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        sh('exec 9>"$HELD"; sleep 60', log=tmp_path)
    assert not held()
    assert no_children()


RUNS = """
import os, sys
from pathlib import Path
from gitexp.run import guardian, processes
from gitexp.run.runner import run
here = Path(sys.argv[1])
env = {"PATH": "/usr/bin:/bin", processes.MARK: "r1"}
for script in sys.argv[2:]:
    run(["/bin/sh", "-c", script], cwd=here, env=env, timeout=60, log=here / "log", on_line=print)
    print(guardian._guardians[os.getpid()].pid)
"""


def runs(tmp_path: Path, *scripts: str) -> subprocess.Popen[bytes]:
    """One run after another in a process of their own, which prints its guard's pid after each."""
    return subprocess.Popen([sys.executable, "-u", "-c", RUNS, str(tmp_path), *scripts], stdout=subprocess.PIPE)


@pytest.mark.slow
def test_the_death_of_its_parent_takes_it_along_with_its_daemons(held: Callable[[], bool], tmp_path: Path) -> None:
    daemon = f"{quote(sys.executable)} -c {quote(DAEMON.format(then='time.sleep(60)'))}"
    parent = runs(tmp_path, "true", f"exec 9>held; {daemon}; echo started; exec sleep 60")
    assert parent.stdout
    guard = int(parent.stdout.readline())
    assert parent.stdout.readline() == b"started\n"
    assert held(0.1)
    parent.kill()
    parent.communicate()
    assert not held()
    wait_until_gone(guard)


@pytest.mark.slow
def test_one_guard_serves_all_runs_of_a_process_and_ends_with_it(tmp_path: Path) -> None:
    out, _ = runs(tmp_path, "true", "true", "true").communicate()
    (guard,) = set(out.split())
    wait_until_gone(int(guard))


def test_a_guard_that_was_killed_is_replaced(sh: Run) -> None:
    sh("true")
    first = guard()
    sh("true")
    assert guard() == first
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert sh("exit 3").exit_code == 3
    assert guard() != first
    assert no_children()


def test_a_run_is_ended_in_time_while_its_reader_is_busy(sh: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader takes as long as it takes over a line: the guard knows the time."""
    monkeypatch.setattr(processes, "GRACE", 0.1)
    monkeypatch.setattr(runner, "LATE", 0.1)
    ended: list[bool] = []

    def busy(line: str) -> None:
        until = time.monotonic() + 20
        while not ended and time.monotonic() < until:
            ended.extend([True] * is_gone(int(line)))

    execution = sh("echo $$; exec sleep 60", timeout=SOON, on_line=busy)
    assert ended
    assert execution.timed_out


def test_the_guard_holds_no_lock(sh: Run, tmp_path: Path) -> None:
    guardian._guardians.pop(os.getpid()).dismiss()
    with open(tmp_path / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sh("true")
    with open(tmp_path / "lock") as file:
        until = time.monotonic() + PATIENCE
        while not lockable(file) and time.monotonic() < until:
            time.sleep(0.001)  # the guard may not have come to it
        assert lockable(file)
    assert not is_gone(guard())


def lockable(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + PATIENCE
    while not is_gone(pid) and time.monotonic() < until:
        time.sleep(0.005)
    assert is_gone(pid)


@pytest.mark.parametrize(
    "then",
    [
        "time.sleep(60)",
        "os.execve(sys.executable, ['python', '-c', 'import time; time.sleep(60)'], {})",
        "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(60)",
        "[os.fork() for _ in range(4)]; time.sleep(60)",
    ],
    ids=["plain", "environment scrubbed", "signals ignored", "sixteen of them"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a scrubbed environment hides a daemon")
def test_a_daemon_in_a_session_of_its_own_does_not_outlive_the_run(sh: Run, tmp_path: Path, then: str) -> None:
    before = set(psutil.pids())
    assert sh(python=DAEMON.format(then=then)).exit_code == 0
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert all(map(is_gone, [pid for pid in set(psutil.pids()) - before if "time.sleep(60)" in command_of(pid)]))
    assert no_children()


def command_of(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


@pytest.mark.parametrize(
    "then",
    ["time.sleep(60)", "[os.fork() for _ in range(4)]; time.sleep(60)"],
    ids=["plain", "sixteen of them"],
)
def test_where_orphans_are_not_adopted_a_daemon_is_known_by_its_mark(
    sh: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(processes, "_adopt_orphans", lambda adopt: False)
    mine = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], processes.MARK: "r2"})
    assert sh(python=DAEMON.format(then=then), env={processes.MARK: "r1"}).exit_code == 0
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert mine.poll() is None
    end(mine)
    assert no_children()


@pytest.mark.parametrize("own_session", [False, True])
def test_children_that_were_there_before_the_run_are_left_alone(sh: Run, own_session: bool) -> None:
    mine = subprocess.Popen(["sleep", "60"], start_new_session=own_session)
    sh("true")
    assert mine.poll() is None
    end(mine)


def test_what_gitexp_starts_for_itself_during_a_run_is_left_alone(sh: Run, tmp_path: Path) -> None:
    mine: list[subprocess.Popen[bytes]] = []

    def start(pid: int, leavings: processes.Strays) -> None:
        mine.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        leavings.end_all_but(pid)

    assert sh(python=DAEMON.format(then="time.sleep(60)"), on_start=start).exit_code == 0
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert mine[0].communicate(b"still here") == (b"still here", None)
    assert no_children()


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_a_run_that_lost_its_gitexp_is_found_by_its_mark_and_by_its_leader(tmp_path: Path) -> None:
    marked = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], processes.MARK: "r1"})
    led = subprocess.Popen(["sleep", "60"], start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], processes.MARK: "r2"})
    assert processes.end_run("r1") == [marked.pid]
    assert processes.end_run("r1", led.pid, processes.start_time(led.pid) - 60) == []  # the pid is somebody else's
    assert processes.end_run("r1", led.pid, processes.start_time(led.pid)) == [led.pid]
    assert other.poll() is None
    other.kill()
    for process in (marked, led, other):
        process.wait()


def test_it_ticks_after_the_output_was_closed(sh: Run) -> None:
    ticks: list[int] = []
    sh("exec >/dev/null 2>&1; sleep 0.5", on_tick=lambda: ticks.append(1))
    assert len(ticks) > 4


# -- lines -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (r"one\ntwo\n", ["one", "two"]),
        (r"no newline", ["no newline"]),
        (r"\n\n one \n\n", [" one "]),
        (r"step 1\rstep 2\rstep 3\nend\r", ["step 1", "step 2", "step 3", "end"]),
        (r"dos\r\nlines\r\n", ["dos", "lines"]),
        (r"caf\303\251 \360\237\230\200\n", ["café 😀"]),
        (r"a\377b\300\n", ["a\ufffdb\ufffd"]),
        (r"cut \342\202", ["cut \ufffd"]),
        (r"a\0b\033[31m\n", ["a\0b\x1b[31m"]),
        (r"a\342\200\250b\014c\n", ["a\u2028b\x0cc"]),
        ("", []),
    ],
)
def test_lines(sh: Run, lines: list[str], printed: str, expected: list[str]) -> None:
    execution = sh(f"printf '{printed}'")
    assert lines == expected
    assert list(execution.tail) == expected


def test_a_character_may_come_in_two_parts(sh: Run, lines: list[str]) -> None:
    sh(r"printf 'caf\303'; sleep 0.1; printf '\251\n'")
    assert lines == ["café"]


@pytest.mark.parametrize("end", ["\\n", ""])
def test_a_very_long_line_is_cut(sh: Run, lines: list[str], log: Path, end: str) -> None:
    sh(python=f"import sys; sys.stdout.write('x' * 3_000_000 + '{end}'); sys.stdout.write('next\\n')")
    assert [len(line) for line in lines] == [LINE_LIMIT, *([4] if end else [])]
    assert log.stat().st_size == 3_000_000 + len(end) // 2 + len("next\n")


def test_the_tail_is_the_last_lines(sh: Run, lines: list[str]) -> None:
    execution = sh(python="for n in range(1000): print(n)")
    assert lines == [str(n) for n in range(1000)]
    assert execution.tail == tuple(lines[-TAIL_LINES:])


# -- the log ---------------------------------------------------------------------------------------------------------


def test_a_short_log_is_whole_byte_for_byte(sh: Run, log: Path) -> None:
    sh(r"printf 'a\r\n\377\0\n\033[1mno newline'")
    assert log.read_bytes() == b"a\r\n\xff\0\n\x1b[1mno newline"
    sh("echo another")
    assert log.read_bytes() == b"another\n"


def test_a_log_can_be_read_while_it_grows(sh: Run, log: Path, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def look(line: str) -> None:
        seen.append(log.read_bytes())
        (tmp_path / "go").touch()

    sh("echo one; while [ ! -e go ]; do sleep 0.01; done; echo two", on_line=look)
    assert seen == [b"one\n", b"one\ntwo\n"]


def test_thirty_megabytes_leave_a_log_of_bounded_size_with_head_and_tail(sh: Run, log: Path) -> None:
    size = 30 << 20
    execution = sh(
        python="import sys\n"
        "block = ''.join(f'{n:1023d}\\n' for n in range(1024))\n"
        f"for _ in range({size >> 20}): sys.stdout.write(block)\n"
        "print('the end')",
        on_line=len,
    )
    data = log.read_bytes()
    found = LEFT_OUT.search(data)
    assert found
    head, tail = data[: found.start()], data[found.end() :]
    assert len(head) == LOG_HEAD
    assert LOG_TAIL <= len(tail) <= 2 * LOG_TAIL
    assert len(head) + int(found[1]) + len(tail) == size + len("the end\n")
    assert head.startswith(b" " * 1022 + b"0\n")
    assert tail.endswith(b"1023\nthe end\n")
    assert execution.tail[-1] == "the end"


@pytest.mark.parametrize("more", [0, 1, LOG_TAIL, 2 * LOG_TAIL, 2 * LOG_TAIL + 1])
def test_a_log_at_its_limits_says_what_it_left_out(tmp_path: Path, more: int) -> None:
    log = tmp_path / "log"
    command = ["/bin/sh", "-c", f"head -c {LOG_HEAD + more} /dev/zero"]
    run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, timeout=PATIENCE, log=log, on_line=len)
    data = log.read_bytes()
    found = LEFT_OUT.search(data)
    left_out = int(found[1]) if found else 0
    assert len(data) - len(found[0] if found else b"") + left_out == LOG_HEAD + more
    assert bool(found) == (more > 2 * LOG_TAIL)


def test_the_log_s_folder_is_made(sh: Run, log: Path) -> None:
    assert not log.parent.exists()
    sh("exit")
    assert stat.S_ISREG(log.stat().st_mode)
