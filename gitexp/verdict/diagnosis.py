"""What probably caused a crash, and what to do: from its signature and reason, and from its log if that is here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitexp.model import Iteration
from gitexp.text import one_line

STACK = 12  # lines of the log that are shown


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause of crashes, in words for a person."""

    name: str
    cause: str
    fix: str
    environment: bool = False  # the machine's fault, not the edit's: the same edit may be tried again


_OTHER = Diagnosis("error", "The edit brought an error.", "Read the stack in the log, and mend or drop the edit.")
# The first whose pattern is found in the signature, the reason or the end of the log is taken.
_KNOWN = (
    (
        r"No space left on device|Errno 28\b|disk quota exceeded",
        Diagnosis(
            "disk full", "There is no room left on the disk.", "Make room (df -h), then try the same edit again.", True
        ),
    ),
    (
        r"No CUDA GPUs|no CUDA-capable device|Found no NVIDIA driver|without gpu backend|No Metal device|"
        r"not compiled with CUDA|CUDA driver version is insufficient|no GPU",
        Diagnosis(
            "no GPU",
            "The script asks for a GPU, and this machine or this build of the library has none.",
            "Run it where there is one, or choose the device by what is there.",
            True,
        ),
    ),
    (
        r"MemoryError|out of memory|Unable to allocate|Insufficient Memory|Cannot allocate memory|std::bad_alloc|"
        r"killed by SIGKILL",
        Diagnosis(
            "out of memory",
            "The run needed more memory than there is (a SIGKILL that nobody sent is the kernel's, for memory).",
            "Make the model, the batch or the sequence smaller, or free memory (free -h).",
            True,
        ),
    ),
    (
        r"diverged|FloatingPointError|\bnan\b|loss is inf|is (?:nan|inf|-inf)\b|not finite",
        Diagnosis(
            "diverged",
            "The loss became NaN, infinite or too large: training diverged.",
            "Lower the learning rate, warm it up, or clip the gradients.",
        ),
    ),
    (
        r"ModuleNotFoundError|ImportError|No module named",
        Diagnosis(
            "missing module",
            "A module that the script imports is not installed for the Python that the hook runs.",
            "Install it there (pip install), or export GITEXP_PYTHON=/the/right/python.",
            True,
        ),
    ),
    (
        r"SyntaxError|IndentationError|TabError",
        Diagnosis("syntax error", "The edit is not valid Python.", "python -m py_compile SCRIPT names the line."),
    ),
    (
        r"FileNotFoundError|there is no data at|No such file or directory",
        Diagnosis(
            "missing data",
            "A file that the run reads is not there.",
            "Put it in place, or correct the path (the template's data: GITEXP_DATA).",
            True,
        ),
    ),
    (
        r"[Ss]hapes?\b|\[(?:reshape|matmul|broadcast_shapes|concatenate|addmm)\]|could not be broadcast|"
        r"[Dd]imension|size mismatch|Cannot reshape",
        Diagnosis(
            "shape mismatch",
            "Two arrays do not fit together.",
            "Look for a constant that must divide or equal another (head width and model width, say).",
        ),
    ),
    (
        r"no score:",
        Diagnosis(
            "no score",
            "The run ended well and did not say what it scored.",
            "Print `METRIC: value` at the end, or name the metric that is printed: gitexp init --metric NAME.",
        ),
    ),
    (
        r"the run stops itself",
        Diagnosis(
            "stopped",
            "The run's processes were stopped (SIGSTOP) each time.",
            "Look in the edit for SIGSTOP or SIGTSTP, or for a debugger that waits.",
        ),
    ),
    (
        r"timeout",
        Diagnosis(
            "timeout",
            "The run was still going on when its time was up: a step that is too slow, a hang, or a budget ignored.",
            "Make a step cheaper, or see that the script stops by TIME_BUDGET.",
        ),
    ),
    (
        r"killed by SIG",
        Diagnosis(
            "killed by a signal",
            "The process was killed, or crashed inside a library (SIGSEGV, SIGBUS, SIGABRT).",
            "Try it again; if it comes back, make the model smaller or undo what is unusual in the edit.",
            True,
        ),
    ),
)


def diagnose(crash: Iteration, tail: Sequence[str] = ()) -> Diagnosis:
    """The likely cause of a CRASH. ``tail`` is the end of its log, which only this machine may have."""
    sealed = f"{crash.measurement.error}\n{crash.reason}"
    for text in (sealed, "\n".join(tail)):
        for pattern, diagnosis in _KNOWN:
            if re.search(pattern, text):
                return diagnosis
    return _OTHER


def stack(tail: Sequence[str]) -> list[str]:
    """The end of the last traceback in ``tail``, or else its last lines."""
    starts = [at for at, line in enumerate(tail) if line.startswith("Traceback (most recent call last)")]
    lines = tail[starts[-1] if starts else -STACK :][-STACK:]
    return [" " * (len(line) - len(line.lstrip(" "))) + one_line(line, 200) for line in lines]
