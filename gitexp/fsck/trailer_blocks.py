"""Trailer blocks under audit: each is there, can be read, is git's too, and says nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Sealed
from gitexp.git.driver import PLAIN_LOG
from gitexp.git.repository import Repository
from gitexp.ledger import messages, trailers
from gitexp.model import headline
from gitexp.text import one_line, short

_REPEATED = (
    "Exp-Metric Exp-Sample Exp-Change Exp-Param Exp-Spoiled Exp-Constraint Exp-Next Exp-Edit Exp-Freeze Exp-Guard"
).split()
_CONTRACT = (
    "Exp-Optimize Exp-Budget Exp-Timeout Exp-Script Exp-Directory Exp-Edit Exp-Freeze Exp-Rule Exp-Guard "
    "Exp-One-Variable Exp-Retries Exp-Hook"
).split()


def check_blocks(repo: Repository, commits: Iterable[Sealed]) -> Iterator[Finding]:
    told = [sealed for sealed in commits if (sealed.message.trailers or sealed.claim) and not sealed.is_summary]
    by_git = _by_git(repo, told)
    for sealed in told:
        look = f"git show {short(sealed.oid)}"
        if fault := _fault(sealed, by_git.get(sealed.oid, [])):
            yield Finding(fault[0], f"{sealed.name}: {fault[1]}.", look)
        if sealed.iteration and (said := headline(sealed.iteration)) != sealed.message.subject:
            ours, theirs = one_line(said, 60), one_line(sealed.message.subject, 60)
            yield Finding(
                "subject", f"{short(sealed.oid)} calls itself {theirs!r}, and its trailers say {ours!r}.", look
            )


def _fault(sealed: Sealed, by_git: list[tuple[str, str]]) -> tuple[str, str] | None:
    """A code, and what is wrong with a block."""
    message = sealed.message
    if not message.trailers:
        return "lost", "its subject says that it is an iteration, and it has no trailers that can be read"
    if message.displaced:
        return "displaced", "a paragraph after its trailers hides them from git"
    if not sealed.base:
        return "trailers", f"its trailers cannot be read ({messages.fault(message)})"
    if by_git != list(message.trailers):
        differ = sorted({key for key, _ in set(by_git) ^ set(message.trailers)})
        return "trailers", f"git reads other trailers there than gitexp ({', '.join(differ) or 'in another order'})"
    return _surplus(sealed)


def _surplus(sealed: Sealed) -> tuple[str, str] | None:
    """What a reader would not see: it takes the first of each key, and the contract from the baseline."""
    keys = Counter(key for key, _ in sealed.message.trailers)
    if twice := [key for key, count in keys.items() if count > 1 and key not in _REPEATED]:
        return "trailers", f"{twice[0]} stands {keys[twice[0]]} times in its trailers"
    if not sealed.is_baseline and (terms := [key for key in _CONTRACT if key in keys]):
        return "contract", f"it carries {terms[0]}, and the contract is the baseline's"
    return None


def _by_git(repo: Repository, commits: list[Sealed]) -> dict[str, list[tuple[str, str]]]:
    """By commit, the trailers of ours that git finds: one process, whatever their number."""
    if not commits:
        return {}  # git log would take HEAD
    plain = ("--no-use-mailmap", *PLAIN_LOG)
    log = ("log", "-z", "--no-walk=unsorted", "--stdin", *plain, "--format=%H%n%(trailers:only,unfold)")
    out = repo.run("-c", "trailer.separators=:", *log, stdin="".join(f"{one.oid}\n" for one in commits).encode())
    found: dict[str, list[tuple[str, str]]] = {}
    for record in out.decode("utf-8", "replace").split("\0"):
        oid, _, block = record.partition("\n")
        lines = (line.partition(":") for line in block.split("\n") if line.startswith("Exp-"))
        found[oid] = [(key.rstrip(), trailers.decode(value)) for key, _, value in lines]
    return found
