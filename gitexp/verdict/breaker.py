"""The circuit breaker: crashes in a row on the same error stop an experiment until a person looks."""

from __future__ import annotations

from collections.abc import Sequence

from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Remark, Status, number
from gitexp.verdict.diagnosis import diagnose, stack

TRIP = 3  # crashes in a row with the same signature
KIND = "breaker"  # of the remark that resets it


def tripped(ledger: Ledger) -> tuple[Iteration, ...]:
    """The crashes that opened the breaker; empty when it is closed.

    They are computed from the history, so that a restart does not forget them.
    """
    reset = max((number(remark.of) for remark in ledger.remarks if remark.kind == KIND), default=-1)
    last = tuple(iteration for iteration in ledger.iterations[-TRIP:] if iteration.number > reset)
    same = {iteration.measurement.error for iteration in last}
    crashed = all(iteration.status is Status.CRASH for iteration in last)
    return last if len(last) == TRIP and crashed and len(same) == 1 else ()


def reset(ledger: Ledger, why: str) -> Remark:
    """The remark that closes the breaker after the ledger's last iteration."""
    return Remark(KIND, ledger.iterations[-1].id, why)


def report(crashes: tuple[Iteration, ...], tail: Sequence[str]) -> str:
    """What a person has to know of the crashes: the error, its likely cause, what to do, and the stack.

    ``tail`` are the last lines of the log; empty where it is not on this machine.
    """
    last = crashes[-1]
    diagnosis = diagnose(last, tail)
    ids = ", ".join(crash.id for crash in crashes)
    lines = [
        f"The circuit breaker is open: {ids} crashed in a row with the same error.",
        f"  error   {last.measurement.error}",
        f"  cause   {diagnosis.name}: {diagnosis.cause}",
        f"  fix     {diagnosis.fix}",
    ]
    return "\n".join(lines + [f"  {line}" for line in (["stack", *stack(tail)] if tail else [])])
