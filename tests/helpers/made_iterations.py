"""Iterations by the names of their fields, whichever part of an iteration holds them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from gitexp.model import Candidate, Contract, Iteration, Measurement, Notes, Status, Verdict

_CANDIDATE = {field.name for field in fields(Candidate)}
_VERDICT = {field.name for field in fields(Verdict)}


def make_iteration(
    id: str,  # noqa: A002  the field's name
    run: str,
    base: str,
    tree: str,
    status: Status,
    description: str,
    reason: str,
    measurement: Measurement,
    notes: Notes = Notes(),
    contract: Contract | None = None,
    **more: Any,
) -> Iteration:
    candidate = Candidate(id, run, base, tree, description, notes=notes, contract=contract)
    return changed(Iteration(candidate, Verdict(status, reason), measurement), **more)


def changed(iteration: Iteration, **values: Any) -> Iteration:
    """The iteration with other values of its own fields, its candidate's, or its verdict's."""
    candidate = {name: values.pop(name) for name in _CANDIDATE & values.keys()}
    verdict = {name: values.pop(name) for name in _VERDICT & values.keys()}
    return replace(
        iteration,
        candidate=replace(iteration.candidate, **candidate),
        verdict=replace(iteration.verdict, **verdict),
        **values,
    )
