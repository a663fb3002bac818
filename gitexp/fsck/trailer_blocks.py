"""Trailer blocks under audit: each is there, can be read, reads the same in git, and says nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import ParsedCommit
from gitexp.git.driver import PLAIN_LOG
from gitexp.git.repository import Repository
from gitexp.ledger import forms, messages, trailer_block, trailers
from gitexp.ledger.trailers import FORMAT, ITERATION, REMARKS
from gitexp.model import headline
from gitexp.text import one_line, short

_REPEATED = {trailer.key for trailer in ITERATION if trailer.form.repeats}
_ROUNDED = 0.006  # seconds that a figure with two decimals may be off, with some room
_CONTRACT = [trailer.key for trailer in ITERATION if trailer.part == "contract" and trailer.key != FORMAT]


def check_blocks(repo: Repository, commits: Iterable[ParsedCommit], version: int | None) -> Iterator[Finding]:
    """Whether each commit that is sealed, or says so, has a trailer block that gitexp and git read alike.

    ``version`` is the format of their experiment; ``None`` where its baseline is not known.
    """
    sealed = [commit for commit in commits if (commit.message.trailers or commit.claim) and not commit.is_summary]
    by_git = _by_git(repo, sealed)
    for commit in sealed:
        look = f"git show {short(commit.oid)}"
        if fault := _fault(commit, by_git.get(commit.oid, []), version):
            code, clause = fault
            yield Finding(code, f"{commit.name}: {clause}.", look)
        if commit.iteration and (subject := headline(commit.iteration)) != commit.message.subject:
            expected, actual = one_line(subject, 60), one_line(commit.message.subject, 60)
            sentence = f"The subject of {short(commit.oid)} is {actual!r}, and its trailers say {expected!r}."
            yield Finding("subject", sentence, look)


def _fault(commit: ParsedCommit, by_git: list[tuple[str, str]], version: int | None) -> tuple[str, str] | None:
    """A code, and what is wrong with a commit's block; ``by_git``: the block as git reads it."""
    message = commit.message
    if not message.trailers:
        return "no-trailers", "its subject says that it is an iteration, and it has no trailers that can be read"
    if message.displaced:
        return "hidden-trailers", "a paragraph after its trailers hides them from git"
    if not commit.base:
        return "trailers", f"its trailers cannot be read ({messages.fault(message)})"
    ours = [(key, value) for key, value in by_git if key.startswith("Exp-")]
    if ours != list(message.trailers):
        differ = sorted({key for key, _ in set(ours) ^ set(message.trailers)})
        return "trailers", f"git reads other trailers there than gitexp ({', '.join(differ) or 'in another order'})"
    return _unknown([key for key, _ in by_git], version) or _surplus(commit)


def _unknown(keys: Sequence[str], version: int | None) -> tuple[str, str] | None:
    """The first key that gitexp does not write in this format, and so does not read; git ignores the case of keys."""
    valid = trailers.keys(version) if version else trailers.keys()
    in_any_case = {key.lower(): key for key in valid}
    for key in keys:
        if key not in valid and key.lower() in in_any_case:
            return "unknown-key", f"it has {key}, which git takes for {in_any_case[key.lower()]}"
        if key not in valid and version:
            return "unknown-key", f"it has {key}, and format {version} has no such key"
    return None


def _surplus(commit: ParsedCommit) -> tuple[str, str] | None:
    """Trailers that no reader uses: the second of a key that may stand once, and terms outside the baseline."""
    counts = Counter(key for key, _ in commit.message.trailers)
    if repeated := [key for key, count in counts.items() if count > 1 and key not in _REPEATED]:
        return "trailers", f"{repeated[0]} stands {counts[repeated[0]]} times in its trailers"
    table = ITERATION if commit.iteration else REMARKS
    if alien := [key for key in counts if key not in {trailer.key for trailer in table}]:
        return "trailers", f"it has {alien[0]}, which belongs to another kind of commit"
    if not commit.is_baseline and (terms := [key for key in _CONTRACT if key in counts]):
        return "contract", f"it has {terms[0]}, a term of the contract, which only the baseline may hold"
    return None


def check_computed(commits: Iterable[ParsedCommit]) -> Iterator[Finding]:
    """Whether the trailers that are computed of the samples, for people to read, say what the samples do."""
    for commit in commits:
        if fault := _computed_fault(commit):
            yield Finding("trailers", f"{commit.name}: {fault}.", f"git show {short(commit.oid)}")


def _computed_fault(commit: ParsedCommit) -> str:
    if commit.iteration is None or not (samples := commit.iteration.measurement.samples):
        return ""
    seed, total = commit.message.first("Exp-Seed"), commit.message.first("Exp-Seconds")
    if seed not in (None, str(samples[0].seed)):
        return f"its Exp-Seed is {one_line(seed or '', 20)!r}, and the first sample's seed {samples[0].seed}"
    seconds = commit.iteration.measurement.seconds
    try:
        differ = total is not None and abs(forms.finite(total) - seconds) > _ROUNDED * (len(samples) + 1)
    except ValueError:
        differ = True
    return f"its Exp-Seconds is {one_line(total or '', 20)!r}, and its samples took {seconds:.2f}" if differ else ""


def _by_git(repo: Repository, commits: list[ParsedCommit]) -> dict[str, list[tuple[str, str]]]:
    """By commit, the trailers that git finds whose keys begin with ``Exp-`` in any case, asked of one process."""
    if not commits:
        return {}  # git log would show HEAD
    plain = ("--no-use-mailmap", *PLAIN_LOG)
    log = ("log", "-z", "--no-walk=unsorted", "--stdin", *plain, "--format=%H%n%(trailers:only,unfold)")
    oids = "".join(f"{commit.oid}\n" for commit in commits).encode()
    out = repo.run("-c", "trailer.separators=:", *log, stdin=oids)
    by_git: dict[str, list[tuple[str, str]]] = {}
    for record in out.decode("utf-8", "replace").split("\0"):
        oid, _, block = record.partition("\n")
        lines = (line.partition(":") for line in block.split("\n") if line.lower().startswith("exp-"))
        by_git[oid] = [(key.rstrip(), trailer_block.decode(value)) for key, _, value in lines]
    return by_git
