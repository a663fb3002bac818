"""Logs and loss curves as git objects: a clone has none of them, until they are pushed and fetched by name.

They are the tree of a commit at ``refs/gitexp/logs/NAME``, which no plain clone or fetch brings along. Of a log its end
is taken, of a curve all of it (at most ``curve.MOST`` points).
"""

from __future__ import annotations

from gitexp.errors import GitexpError
from gitexp.files import read_tail, write_file
from gitexp.git import moved_refs
from gitexp.git.commits import commit_tree
from gitexp.git.driver import GitCommandError
from gitexp.git.objects import REGULAR, Entry, entries, read_blobs, write_tree
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles, all_logs
from gitexp.ledger.ledger import Ledger

END = 1 << 16  # bytes of a log that travel
KINDS = (".log", ".curve.jsonl")


def ref(name: str) -> str:
    """The ref that holds the logs of an experiment."""
    return f"refs/gitexp/logs/{name}"


def push(repo: Repository, ledger: Ledger, remote: str) -> int:
    """Store the logs that are here in the ref, and push it; the number of files that the ref holds now.

    Raises :class:`GitexpError` when there are no logs, or when git cannot push them.
    """
    name, held = ledger.name, _stored(repo, ledger.name)
    new = {path: entry for path, entry in _here(repo, ledger).items() if held.get(path) != entry}
    if new:
        old = repo.resolve(ref(name))
        base = old + "^{tree}" if old else repo.line("mktree", stdin=b"")
        commit = commit_tree(repo, write_tree(repo, base, new), old, f"Logs of exp/{name}\n".encode())
        moved_refs.move(repo, "gitexp: logs", ref(name), commit, old, old)
    if not held and not new:
        raise GitexpError(f"There are no logs of {name} here.", "gitexp logs fetch")
    _transfer(repo, "push", remote, f"{ref(name)}:{ref(name)}")
    return len({**held, **new})


def fetch(repo: Repository, name: str, remote: str) -> int:
    """Fetch the ref, and write the files that are not here; their number. No file that is here is replaced.

    Raises :class:`GitexpError` when git cannot fetch it.
    """
    with moved_refs.noted(repo, ref(name)):
        _transfer(repo, "fetch", remote, f"+{ref(name)}:{ref(name)}")
    place = ExperimentFiles.of(repo, name)
    folder = place.log("x").parent
    missing = {
        path: entry
        for path, entry in _stored(repo, name).items()
        if "/" not in path and path.endswith(KINDS) and not (folder / path).exists()
    }
    for oid, content in read_blobs(repo, {entry.oid for entry in missing.values()}).items():
        for path in (path for path, entry in missing.items() if entry.oid == oid):
            write_file(folder / path, content)
    return len(missing)


def _stored(repo: Repository, name: str) -> dict[str, Entry]:
    return entries(repo, ref(name)) if repo.resolve(ref(name)) else {}


def _here(repo: Repository, ledger: Ledger) -> dict[str, Entry]:
    """The files of the ledger's own runs, whatever the branch was called when they were made."""
    files = [file for file in all_logs(repo.private_dir) if file.name.endswith(KINDS) and _is_of(ledger, file.name)]
    return {
        file.name: Entry(REGULAR, repo.line("hash-object", "-w", "--stdin", stdin=read_tail(file, END)))
        for file in files
    }


def _is_of(ledger: Ledger, name: str) -> bool:
    """Whether a file belongs to a run of one of the iterations, and not to one of the same id on another branch."""
    label = name.partition(".")[0]
    iteration = ledger.named(label.partition("-")[0])
    return iteration is not None and iteration.candidate.label(1) == label


def _transfer(repo: Repository, verb: str, remote: str, refspec: str) -> None:
    try:
        repo.run(verb, "--quiet", "--", remote, refspec)
    except GitCommandError as error:
        hint = "gitexp logs fetch   # somebody pushed other ones: with those, push again"
        if verb == "fetch" or "rejected" not in error.sentence:
            hint = "git remote -v"
        raise GitexpError(error.sentence, hint) from None
