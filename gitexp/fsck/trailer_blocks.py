"""Trailer blocks under audit: each is there, can be read, is git's too, and says nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Sealed
from gitexp.git.driver import PLAIN_LOG
from gitexp.git.repository import Repository
from gitexp.ledger import messages, trailer_block, trailers
from gitexp.ledger.trailers import FORMAT, ITERATION
from gitexp.model import headline
from gitexp.text import one_line, short

_REPEATED = {trailer.key for trailer in ITERATION if trailer.form.repeats}
_CONTRACT = [trailer.key for trailer in ITERATION if trailer.part == "contract" and trailer.key != FORMAT]


def check_blocks(repo: Repository, commits: Iterable[Sealed], version: int | None) -> Iterator[Finding]:
    """What is wrong with the trailers of commits. ``version`` is the format of their experiment, where it is known."""
    told = [sealed for sealed in commits if (sealed.message.trailers or sealed.claim) and not sealed.is_summary]
    by_git = _by_git(repo, told)
    for sealed in told:
        look = f"git show {short(sealed.oid)}"
        if fault := _fault(sealed, by_git.get(sealed.oid, []), version):
            yield Finding(fault[0], f"{sealed.name}: {fault[1]}.", look)
        if sealed.iteration and (said := headline(sealed.iteration)) != sealed.message.subject:
            ours, theirs = one_line(said, 60), one_line(sealed.message.subject, 60)
            yield Finding(
                "subject", f"{short(sealed.oid)} calls itself {theirs!r}, and its trailers say {ours!r}.", look
            )


def _fault(sealed: Sealed, by_git: list[tuple[str, str]], version: int | None) -> tuple[str, str] | None:
    """A code, and what is wrong with a block."""
    message = sealed.message
    if not message.trailers:
        return "lost", "its subject says that it is an iteration, and it has no trailers that can be read"
    if message.displaced:
        return "displaced", "a paragraph after its trailers hides them from git"
    if not sealed.base:
        return "trailers", f"its trailers cannot be read ({messages.fault(message)})"
    ours = [(key, value) for key, value in by_git if key.startswith("Exp-")]
    if ours != list(message.trailers):
        differ = sorted({key for key, _ in set(ours) ^ set(message.trailers)})
        return "trailers", f"git reads other trailers there than gitexp ({', '.join(differ) or 'in another order'})"
    return _unknown([key for key, _ in by_git], version) or _surplus(sealed)


def _unknown(keys: Sequence[str], version: int | None) -> tuple[str, str] | None:
    """A key that a reader passes by, as no gitexp writes it in this format; git takes a key in any case."""
    known = trailers.keys(version) if version else trailers.keys()
    in_any_case = {key.lower(): key for key in known}
    for key in keys:
        if key not in known and key.lower() in in_any_case:
            return "unknown-key", f"it has {key}, which git takes for {in_any_case[key.lower()]}"
        if key not in known and version:
            return "unknown-key", f"it has {key}, and format {version} has no such key"
    return None


def _surplus(sealed: Sealed) -> tuple[str, str] | None:
    """What a reader would not see: it takes the first of each key, and the contract from the baseline."""
    keys = Counter(key for key, _ in sealed.message.trailers)
    if twice := [key for key, count in keys.items() if count > 1 and key not in _REPEATED]:
        return "trailers", f"{twice[0]} stands {keys[twice[0]]} times in its trailers"
    if not sealed.is_baseline and (terms := [key for key in _CONTRACT if key in keys]):
        return "contract", f"it carries {terms[0]}, and the contract is the baseline's"
    return None


def _by_git(repo: Repository, commits: list[Sealed]) -> dict[str, list[tuple[str, str]]]:
    """By commit, the trailers that git finds, of the keys that begin with ``Exp-`` in any case: one process for all."""
    if not commits:
        return {}  # git log would take HEAD
    plain = ("--no-use-mailmap", *PLAIN_LOG)
    log = ("log", "-z", "--no-walk=unsorted", "--stdin", *plain, "--format=%H%n%(trailers:only,unfold)")
    out = repo.run("-c", "trailer.separators=:", *log, stdin="".join(f"{one.oid}\n" for one in commits).encode())
    found: dict[str, list[tuple[str, str]]] = {}
    for record in out.decode("utf-8", "replace").split("\0"):
        oid, _, block = record.partition("\n")
        lines = (line.partition(":") for line in block.split("\n") if line.lower().startswith("exp-"))
        found[oid] = [(key.rstrip(), trailer_block.decode(value)) for key, _, value in lines]
    return found
