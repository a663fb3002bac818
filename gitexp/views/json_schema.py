"""What gitexp prints as JSON, key by key, and the objects that are made of a ledger alone.

Each class below is the shape of one object: a key, its type, and what it says. ``--json`` and the post-step hook print
these shapes, and the type checker and ``tests/views/test_json_schema.py`` hold every command to them. The manual's page
``json.md`` is made of them (``python -m tests.json_manual``).
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal, TypedDict

from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Sample, Status
from gitexp.text import UNSAFE
from gitexp.verdict.breaker import tripped

SCHEMA: Final = 1

Schema = Annotated[Literal[1], "The version of these shapes."]
Params = Annotated[dict[str, str], "The constants that a sweep set, by name, with their values as source code."]


class SampleJson(TypedDict):
    """One run of the post-run hook."""

    iteration: Annotated[str, "The id of the iteration whose tree was run: this one, or the incumbent that it met."]
    seed: Annotated[int, "What the run was given as `RANDOM_SEED`."]
    seconds: Annotated[float, "Wall-clock seconds of the whole run, start-up and evaluation included."]
    score: Annotated[float | None, "The metric as the run reported it; null if the run crashed or was pruned."]


class IterationJson(TypedDict):
    """One sealed iteration: the same keys and values from every command."""

    schema: Schema
    id: Annotated[str, "`exp000` for the baseline, then `exp001` and so on."]
    status: Annotated[str, "`KEEP`, `DISCARD` or `CRASH`."]
    score: Annotated[
        float | None,
        "The contract's metric, in its own unit: the mean of the iteration's own runs. Null for a CRASH, and for a run "
        "that was pruned.",
    ]
    delta: Annotated[
        float | None,
        "The score less that of the incumbent it met, as the rule weighed and sealed it, in the metric's unit. Null "
        "where no rule weighed anything: for the baseline, a CRASH, a pruned run and a broken guard.",
    ]
    test_score: Annotated[
        float | None,
        "The score on the held-out split that its own runs reported, in the metric's unit; null if they reported none. "
        "Looks by `gitexp test` are not in it.",
    ]
    memory_mb: Annotated[
        float | None,
        "Peak memory as the run reported it: `memory_mb`, `peak_memory_mb` or `peak_vram_mb`, whichever it printed; of "
        "several runs the largest. gitexp's own trainers report MiB (1,048,576 bytes). Null if the run reported none.",
    ]
    seconds: Annotated[float, "Wall-clock seconds of all its samples together, the incumbent's among them."]
    description: Annotated[str, "What was changed, in one line."]
    reason: Annotated[str, "Why the verdict is what it is."]
    error: Annotated[str | None, "The normalised signature of the crash; null unless it is a CRASH that has one."]
    changes: Annotated[list[str], "What the edit changed, by syntax, such as `constant LR` or `function step`."]
    params: Params
    spoiled: Annotated[list[str], "For each earlier run that was spoiled from outside and made again: how."]
    pruned: Annotated[str | None, "Why the run was ended early, on purpose; null if it was not."]
    curve: Annotated[
        list[tuple[int, float]],
        "The loss of its first run: for each tenth of the budget (1 to 10) the mean of what the run printed.",
    ]
    metrics: Annotated[
        dict[str, float],
        "Every other number that the run reported, by the name and in the unit that it was printed with: "
        "`steps_per_second` and `tokens_per_second` are different figures, and memory stands here again.",
    ]
    samples: Annotated[list[SampleJson], "All runs that its step made, in order."]
    device: Annotated[str, "What the run said that it ran on; empty if it said nothing."]
    hypothesis: Annotated[str | None, "What was expected, and why; null if its step said nothing new."]
    commit: Annotated[str, "The full id of its commit."]


class MetJson(TypedDict):
    """The incumbent that a step was compared with."""

    id: Annotated[str, "Its id."]
    score: Annotated[float, "Its score, in the metric's unit."]


class DiagnosisJson(TypedDict):
    """What probably caused a crash."""

    name: Annotated[str, "A short name, such as `out of memory`."]
    cause: Annotated[str, "The likely cause, in a sentence."]
    fix: Annotated[str, "What to do about it."]
    environment: Annotated[bool, "True if it is not the edit's fault: the same edit may be tried again."]


class StepJson(IterationJson):
    """What a step came to: its iteration, and what is known while it is fresh."""

    experiment: Annotated[str, "The experiment's name: its branch is `exp/` and this name."]
    incumbent: Annotated[MetJson, "The incumbent that it was compared with."]
    lead: Annotated[
        float | None,
        "As `delta`, with the sign by which higher is better, and not yet rounded to the 12 digits that are sealed.",
    ]
    noise: Annotated[
        float | None,
        "The standard deviation of the lead, in the metric's unit. Null where `delta` is, and under a rule that weighs "
        "no noise (`single`, `margin`).",
    ]
    evidence: Annotated[
        float | None,
        "The lead over its noise, as a standard normal deviate (no unit). Null where `noise` is, or is 0.",
    ]
    log: Annotated[str, "The absolute path of the first run's log."]
    left_alone: Annotated[list[str], "Files of the edit that somebody changed during the run: they are as they were."]
    diagnosis: Annotated[DiagnosisJson | None, "For a CRASH, what probably caused it; else null."]
    breaker_open: Annotated[bool, "True if the circuit breaker is open now: no further step is taken."]


class CountsJson(TypedDict):
    """Iterations by verdict, the baseline among the KEEPs."""

    KEEP: Annotated[int, "How many are a KEEP."]
    DISCARD: Annotated[int, "How many are a DISCARD."]
    CRASH: Annotated[int, "How many are a CRASH."]


class PendingJson(TypedDict):
    """A step that is under way, or was when its gitexp died."""

    id: Annotated[str, "Its id; empty before its edit is taken."]
    state: Annotated[str, "`running`, `measured` (not sealed yet) or `interrupted`."]
    holder: Annotated[str | None, "Which process is at it; null if none is: `gitexp recover` clears it up."]


class StatusJson(TypedDict):
    """Where an experiment stands."""

    schema: Schema
    experiment: Annotated[str, "The experiment's name: its branch is `exp/` and this name."]
    goal: Annotated[str | None, "What it is after; null if nobody said."]
    metric: Annotated[str, "The name of the score, as runs print it."]
    direction: Annotated[str, "`minimize` or `maximize`."]
    budget: Annotated[float, "Seconds of training a run has."]
    timeout: Annotated[float, "Seconds after which a run is ended."]
    script: Annotated[str, "What is run, relative to the top of the repository."]
    edit: Annotated[list[str], "The editable files and folders, relative to the top of the repository."]
    frozen: Annotated[list[str], "The files that may not change, relative to the top of the repository."]
    baseline: Annotated[float, "The baseline's score, in the metric's unit."]
    incumbent: Annotated[IterationJson, "The best iteration kept: what the next one is compared with."]
    counts: Annotated[CountsJson, "Its iterations by verdict."]
    pending: Annotated[PendingJson | None, "The step that is under way or was interrupted; null if there is none."]
    breaker_open: Annotated[bool, "True if the circuit breaker is open: no step is taken until it is reset."]
    edited: Annotated[list[str], "The changed files that the next step would take, or refuse."]
    hypothesis: Annotated[str | None, "What is expected, and why; null if nobody said."]
    constraints: Annotated[list[str], "What every change must respect."]
    next: Annotated[list[str], "What to try next."]
    foreign_commits: Annotated[list[str], "Commits on the branch that gitexp did not make, the newest first."]
    hidden_trailers: Annotated[list[str], "Ids of iterations whose trailers a later paragraph hides from git."]


class ExperimentJson(CountsJson):
    """One experiment of a repository, in a line."""

    schema: Schema
    experiment: Annotated[str, "The experiment's name: its branch is `exp/` and this name."]
    best: Annotated[IterationJson, "Its incumbent."]


class LoopEndJson(TypedDict):
    """How a loop or a sweep ended: the last line, and the only one with the key `ended`."""

    schema: Schema
    ended: Annotated[str, "Why it ended."]
    steps: Annotated[int, "How many steps it took."]
    summary: Annotated[str, "What it found, in a paragraph."]


class SettingJson(TypedDict):
    """A setting that a sweep would try."""

    schema: Schema
    message: Annotated[str, "The description that its iteration would have."]
    params: Params


class PlanJson(TypedDict):
    """What a sweep would cost: the last line, and the only one with the key `steps`."""

    schema: Schema
    steps: Annotated[int, "How many steps it would take."]
    seconds: Annotated[float, "About how many seconds all of them would take."]


class VerifiedJson(TypedDict):
    """A KEEP that was run again."""

    schema: Schema
    id: Annotated[str, "Its id."]
    holds: Annotated[bool, "True if it is not worse than its sealed runs by more than twice the noise."]
    sealed: Annotated[float, "Its sealed score, in the metric's unit."]
    samples: Annotated[list[SampleJson], "The runs that were made now."]
    why: Annotated[str, "The comparison, in a sentence."]


class FindingJson(TypedDict):
    """Something that is wrong with a branch, its trailers or its files."""

    schema: Schema
    code: Annotated[str, "What kind of finding it is, in a word."]
    sentence: Annotated[str, "What is wrong."]
    repair: Annotated[str, "The command that mends it, or looks closer."]


def iteration_json(iteration: Iteration) -> IterationJson:
    """An iteration as every command prints it."""
    m = iteration.measurement
    return {
        "schema": SCHEMA,
        "id": iteration.id,
        "status": iteration.status.value,
        "score": m.score,
        "delta": iteration.delta,
        "test_score": m.test,
        "memory_mb": m.memory_mb,
        "seconds": round(m.seconds, 2),
        "description": iteration.description,
        "reason": iteration.reason,
        "error": m.error or None,
        "changes": list(iteration.candidate.changes),
        "params": dict(iteration.candidate.params),
        "spoiled": list(m.spoiled),
        "pruned": m.pruned or None,
        "curve": list(m.curve),
        "metrics": dict(m.metrics),
        "samples": list(map(sample_json, m.samples)),
        "device": m.device,
        "hypothesis": iteration.notes.hypothesis,
        "commit": iteration.commit,
    }


def sample_json(sample: Sample) -> SampleJson:
    """One run of the post-run hook, as every command prints it."""
    return {
        "iteration": sample.iteration,
        "seed": sample.seed,
        "seconds": sample.seconds,
        "score": sample.score,
    }


def status_json(ledger: Ledger, pending: PendingJson | None, edited: list[str]) -> StatusJson:
    """Where an experiment stands: by its ledger, the step under way, and the files changed since the last one."""
    contract, notes = ledger.contract, ledger.notes
    baseline = ledger.baseline.score
    assert baseline is not None  # a KEEP was measured
    return {
        "schema": SCHEMA,
        "experiment": ledger.name,
        "goal": notes.goal,
        "metric": contract.metric,
        "direction": contract.direction.value,
        "budget": contract.budget,
        "timeout": contract.timeout,
        "script": contract.script,
        "edit": list(contract.edit),
        "frozen": list(contract.frozen),
        "baseline": baseline,
        "incumbent": iteration_json(ledger.incumbent),
        "counts": counts_json(ledger),
        "pending": pending,
        "breaker_open": bool(tripped(ledger)),
        "edited": edited,
        "hypothesis": notes.hypothesis,
        "constraints": list(notes.constraints or ()),
        "next": list(notes.next or ()),
        "foreign_commits": list(ledger.foreign_commits),
        "hidden_trailers": list(ledger.hidden_trailers),
    }


def counts_json(ledger: Ledger) -> CountsJson:
    """How many iterations have each verdict."""
    return {
        "KEEP": ledger.count(Status.KEEP),
        "DISCARD": ledger.count(Status.DISCARD),
        "CRASH": ledger.count(Status.CRASH),
    }


def dumps(value: object) -> str:
    """JSON on one line, in which no text can drive a terminal. Raises :class:`ValueError` for NaN and infinity."""
    return UNSAFE.sub(lambda c: f"\\u{ord(c.group()):04x}", json.dumps(value, ensure_ascii=False, allow_nan=False))
