r"""The trailer block of an iteration's commit message: formats 1 and 2.

This is the format's specification. git decides what a trailer is: ``git interpret-trailers --parse --no-divider`` and
``git log --format=%(trailers)`` list exactly the pairs written here (tests hold it to that, with hostile text)::

    message = subject LF LF [text LF LF] block
    block   = trailer+                     ; the last paragraph, no blank line in it
    trailer = key ": " value LF
    key     = "Exp-" (letter | digit | "-")+   ; no key is a prefix of another: git matches keys by prefix
    value   = plain | json
    plain   = characters without controls, line ends, bidi marks or a NUL; not empty, no space at either end,
              not starting with a double quote
    json    = a JSON string, for every value that cannot be plain; unsafe characters stand as \uXXXX in it

Some keys may repeat; their order is kept. Every iteration carries:

==================  ==================================================================================================
Exp-Id              ``exp000`` (the baseline), ``exp001``, …
Exp-Run             a unique id of this step
Exp-Base            the commit it is an edit of: its first parent. A cherry-picked copy shows by another parent.
Exp-Tree            the tree that was measured: its own. An amended commit shows by another tree.
Exp-Status          ``KEEP``, ``DISCARD`` or ``CRASH``
Exp-Score           the contract's metric (absent for a CRASH)
Exp-Curve           ``tenth=loss …``: the mean loss of the first run in each tenth of the budget
Exp-Pruned          why the run was ended early, on purpose; such a DISCARD has no score
Exp-Metric          ``name=value``, one for each other metric
Exp-Test            score on the held-out split, when the run reported one
Exp-Memory-MB       peak memory in the unit that the run printed: MiB (2**20 bytes) for gitexp's own trainers
Exp-Seconds         wall-clock seconds of all replicates
Exp-Seed            the first replicate's seed
Exp-Sample          ``exp004 seed=0 seconds=8.1 score=1.8``, one for each replicate; ``score=`` is empty for a crash
Exp-Delta           its score less the incumbent's, as the rule weighed them
Exp-Change          what the edit changes, by syntax: ``constant LR``, ``function forward``; one for each
Exp-Param           ``LR=0.3``: a constant that a sweep set, its value as source; one for each
Exp-Simpler         by how many lines the code became shorter, where that was the point (``--simplify``)
Exp-Patch           git's patch id of the edit: an edit that was tried before has the same
Exp-Spoiled         what spoiled a run that was made again, one for each
Exp-Reason          why this verdict
Exp-Error           a CRASH's normalised signature: equal signatures are the same error
Exp-Device          where it ran
Exp-Data            what it was trained and scored on, as the run calls it
==================  ==================================================================================================

What people say travels in ``Exp-Goal``, ``Exp-Hypothesis``, ``Exp-Constraint`` (repeated), ``Exp-Next`` (repeated) and
``Exp-Note``; the newest that is present holds, and an empty value (``""``) clears it. The baseline also carries the
contract: ``Exp-Format`` (1 or 2), ``Exp-Optimize`` (``minimize val_bpb``), ``Exp-Budget`` and ``Exp-Timeout``
(seconds), ``Exp-Script``, ``Exp-Directory`` (absent for the top level), ``Exp-Edit`` (repeated), ``Exp-Freeze``
(``<blob id> <path>``, repeated), ``Exp-Rule``, ``Exp-Guard`` (``memory_mb<=8000``, repeated),
``Exp-One-Variable`` (``warn`` or ``strict``), ``Exp-Retries`` (of spoiled runs) and ``Exp-Hook`` (the hook's blob id).
Since format 2 there are ``Exp-Where`` (``a clean tree``; absent where candidates run in the work tree), ``Exp-Link`` (a
path that git ignores and a run needs: it is linked into the clean tree; repeated), ``Exp-Frozen-Data`` (``<SHA-256>
<bytes> <path>``: a frozen file that git does not hold; repeated) and ``Exp-Contract-Seed``: each candidate's first run
has it. In format 1 that is the baseline's ``Exp-Seed``.

An experiment is of the least format that has all keys that its baseline uses. A reader refuses a format that it does
not know, and passes by a key that it does not know. A key is written in exactly this case.

A remark is a commit of gitexp's that changes no file: ``Exp-Remark`` (``breaker exp009``: the circuit breaker was reset
after it; ``test exp007``: a look at the held-out split), ``Exp-Base``, and ``Exp-Note`` or ``Exp-Test``.

A summary is the commit that ends the branch ``review/<name>``, so that a squash merge keeps the record: ``Exp-Summary``
(the experiment's name), ``Exp-Tip`` (the commit of ``exp/<name>`` that it sums up), ``Exp-Base`` and ``Exp-Tree`` (its
own), ``Exp-Goal``, ``Exp-Optimize``, ``Exp-Rule``, ``Exp-First`` and ``Exp-Best`` (the baseline and the incumbent: id,
commit, score, description), ``Exp-Count`` (``KEEP 5``, one for each verdict) and ``Exp-Kept`` (one for each KEEP, as
for the incumbent). It has no ``Exp-Id``: no reader takes it for an iteration.

A reader takes the last paragraph that looks like a block and holds ``Exp-Id``, ``Exp-Remark`` or ``Exp-Summary``, also
when something was put after it (a ``Co-authored-by`` paragraph, say), and then says that the block is displaced: git
does not see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gitexp.ledger import forms
from gitexp.ledger.forms import Form, Texts, count, number, text
from gitexp.model import ID, IN_PLACE

FORMATS = (1, 2)  # that can be read
FORMAT, FIRST_SEED, CONTRACT_SEED = "Exp-Format", "Exp-Seed", "Exp-Contract-Seed"
FIRST = ("Exp-Id", "Exp-Remark", "Exp-Summary")  # each block of gitexp's holds one of these
ONCE, MAYBE, ANY, SOME = "{1}", "?", "*", "+"  # how often, as a regular expression says it


# What a trailer tells of: a class of gitexp.model, or of gitexp.ledger.summary. An iteration's commit tells of a
# candidate, a verdict, a measurement and notes; a baseline's also of the contract.
Part = Literal["candidate", "verdict", "measurement", "notes", "contract", "remark", "summary"]


@dataclass(frozen=True, slots=True)
class Trailer:
    """A key, and what stands under it on one kind of commit."""

    key: str
    part: Part
    field: str  # of the part; empty: the form is of the whole part
    form: Form
    usually: str = ""  # how often it stands in the usual message of an iteration; empty: that has none
    required: bool = False  # a commit without it, or with an empty one, is not read
    computed: bool = False  # from other fields: written for people, and not read back
    since: int = 1  # the first format that has it


WORD = text(always=True, usual=forms.NAME)
TEXT = text()

# What an iteration's commit tells, in the order in which it is written.
ITERATION = (
    Trailer(FORMAT, "contract", "", forms.BY_HAND),
    Trailer("Exp-Id", "candidate", "id", text(always=True, usual=ID), ONCE, required=True),
    Trailer("Exp-Run", "candidate", "run", WORD, ONCE, required=True),
    Trailer("Exp-Base", "candidate", "base", WORD, ONCE, required=True),
    Trailer("Exp-Tree", "candidate", "tree", WORD, ONCE, required=True),
    Trailer("Exp-Status", "verdict", "status", forms.STATUS, ONCE, required=True),
    Trailer("Exp-Score", "measurement", "score", number(), ONCE),
    Trailer("Exp-Metric", "measurement", "metrics", forms.METRICS, ANY),
    Trailer("Exp-Test", "measurement", "test", number(), MAYBE),
    Trailer("Exp-Memory-MB", "measurement", "memory_mb", number(".1f"), MAYBE),
    Trailer("Exp-Seconds", "measurement", "seconds", number(".2f"), ONCE, computed=True),
    Trailer(FIRST_SEED, "measurement", "seed", count(always=True), ONCE, computed=True),
    Trailer("Exp-Sample", "measurement", "samples", forms.SAMPLES, SOME, required=True),
    Trailer("Exp-Curve", "measurement", "curve", forms.CURVE, MAYBE),
    Trailer("Exp-Pruned", "measurement", "pruned", forms.MAYBE_SENTENCE),
    Trailer("Exp-Spoiled", "measurement", "spoiled", forms.TEXTS),
    Trailer("Exp-Error", "measurement", "error", TEXT),
    Trailer("Exp-Device", "measurement", "device", TEXT, MAYBE),
    Trailer("Exp-Data", "measurement", "data", TEXT, MAYBE),
    Trailer("Exp-Delta", "verdict", "delta", number(".12g"), MAYBE),
    Trailer("Exp-Change", "candidate", "changes", forms.TEXTS, ANY),
    Trailer("Exp-Param", "candidate", "params", forms.PARAMS, ANY),
    Trailer("Exp-Simpler", "candidate", "simpler", count()),
    Trailer("Exp-Patch", "candidate", "patch", text(usual=forms.NAME), MAYBE),
    Trailer("Exp-Reason", "verdict", "reason", forms.SENTENCE, ONCE),
    Trailer("Exp-Goal", "notes", "goal", forms.NOTE),
    Trailer("Exp-Hypothesis", "notes", "hypothesis", forms.NOTE),
    Trailer("Exp-Constraint", "notes", "constraints", forms.NOTES),
    Trailer("Exp-Next", "notes", "next", forms.NOTES),
    Trailer("Exp-Note", "notes", "note", forms.NOTE),
    Trailer("Exp-Optimize", "contract", "", forms.OBJECTIVE, required=True),
    Trailer("Exp-Budget", "contract", "budget", number(".10g"), required=True),
    Trailer("Exp-Timeout", "contract", "timeout", number(".10g"), required=True),
    Trailer("Exp-Script", "contract", "script", text(always=True), required=True),
    Trailer("Exp-Directory", "contract", "directory", text(".")),
    Trailer("Exp-Edit", "contract", "edit", forms.TEXTS),
    Trailer("Exp-Freeze", "contract", "freeze", forms.FREEZE),
    Trailer("Exp-Rule", "contract", "rule", text(always=True), required=True),
    Trailer("Exp-Guard", "contract", "guards", forms.TEXTS),
    Trailer("Exp-One-Variable", "contract", "one_variable", text("warn", always=True)),
    Trailer("Exp-Retries", "contract", "retries", count(2, always=True)),
    Trailer("Exp-Hook", "contract", "hook", text(always=True), required=True),
    Trailer("Exp-Where", "contract", "runs_in", text(IN_PLACE), since=2),
    Trailer("Exp-Link", "contract", "links", forms.TEXTS, since=2),
    Trailer("Exp-Frozen-Data", "contract", "data", forms.DATA, since=2),
    Trailer(CONTRACT_SEED, "contract", "seed", count(always=True), required=True, since=2),
)
REMARKS = (
    Trailer("Exp-Remark", "remark", "", forms.REMARK, required=True),
    Trailer("Exp-Base", "remark", "base", WORD, required=True),
    Trailer("Exp-Note", "remark", "text", TEXT),
    Trailer("Exp-Test", "remark", "score", number()),
)
SUMMARIES = (
    Trailer("Exp-Summary", "summary", "name", text(always=True)),
    Trailer("Exp-Tip", "summary", "tip", WORD),
    Trailer("Exp-Base", "summary", "base", WORD),
    Trailer("Exp-Tree", "summary", "tree", WORD),
    Trailer("Exp-Goal", "summary", "goal", TEXT),
    Trailer("Exp-Optimize", "summary", "contract", forms.OBJECTIVE),
    Trailer("Exp-Rule", "summary", "rule", text(always=True)),
    Trailer("Exp-First", "summary", "first", text(always=True)),
    Trailer("Exp-Best", "summary", "best", text(always=True)),
    Trailer("Exp-Count", "summary", "counts", forms.TEXTS),
    Trailer("Exp-Kept", "summary", "kept", forms.TEXTS),
)
TABLE = (*ITERATION, *REMARKS, *SUMMARIES)
_OF = {part: [each for each in TABLE if each.part == part and not each.computed] for part in get_args(Part)}


def keys(version: int = FORMATS[-1]) -> set[str]:
    """All keys that a format has."""
    return {trailer.key for trailer in TABLE if trailer.since <= version}


def least_format(used: Iterable[str]) -> int:
    """The least format in which an iteration can have all the keys ``used``."""
    since = {trailer.key: trailer.since for trailer in ITERATION}
    return max(since[key] for key in used)


def fields_of(part: Part, texts_of: Callable[[str], Texts], version: int = FORMATS[-1]) -> dict[str, Any]:
    """By field of a part, what a message tells of it in a format; ``texts_of`` gives the values under a key.

    Raises :class:`LookupError` where a required key is missing, :class:`ValueError` for a value that cannot be read.
    """
    values: dict[str, Any] = {}
    for trailer in _OF[part]:
        texts = texts_of(trailer.key) if trailer.since <= version else ()
        if texts and (texts[0] or not trailer.required):
            value = trailer.form.read(texts)
            values |= {trailer.field: value} if trailer.field else value
        elif trailer.required and trailer.since <= version:
            raise LookupError(trailer.key)
    return values


def written(table: Iterable[Trailer], parts: Mapping[Part, object]) -> Iterator[tuple[str, str]]:
    """The keys and values that tell of ``parts``."""
    for trailer in table:
        if trailer.part in parts:
            part = parts[trailer.part]
            for value in trailer.form.write(getattr(part, trailer.field) if trailer.field else part):
                yield trailer.key, value
