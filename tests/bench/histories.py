"""Experiments of any length, made by ``git fast-import`` in seconds, as ``gitexp`` would have sealed them.

They are one pack without a commit-graph, as a clone is. One that grew here step by step has loose objects and several
packs until they are packed; what steps leave behind is measured by taking some (the row ``disk``).
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from gitexp.ledger.messages import revert_message, to_message
from gitexp.model import (
    CLEAN_TREE,
    Candidate,
    Contract,
    Direction,
    Iteration,
    Measurement,
    Notes,
    Sample,
    Status,
    Verdict,
    score_text,
)
from gitexp.verdict.rules import parse

WHO = "Ada Lovelace <ada@example.org>"
SINCE = 1_700_000_000  # seconds; a commit a second from there on
KEPT_EVERY = 5  # of five iterations one is kept, as in the published tables
NAME = "train"
BRANCH = f"exp/{NAME}"


def git(folder: Path, *args: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["git", *args], cwd=folder, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def make(folder: Path, iterations: int, files: int = 10, runs_in: str = CLEAN_TREE) -> Path:
    """A repository with ``files`` tracked files, and on ``exp/train`` an experiment of so many iterations."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "Ada Lovelace")
    git(folder, "config", "user.email", "ada@example.org")
    hook = folder / ".git/hooks/post-run"
    hook.write_text("#!/bin/sh\necho device: cpu\necho val_bpb: 3\n")
    hook.chmod(0o755)
    stream = _Stream(files, git(folder, "hash-object", "--stdin", stdin=hook.read_bytes()), runs_in)
    _fast_import(folder, stream.commits(iterations))
    if git(folder, "rev-parse", BRANCH) != stream.tip:
        raise AssertionError("the history is not the one that was computed")
    git(folder, "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
    git(folder, "read-tree", "-mu", "HEAD")
    git(folder, "update-index", "--refresh", "-q")
    return folder


def _fast_import(folder: Path, commands: Iterable[bytes]) -> None:
    """Written as they are made: a million iterations are gigabytes."""
    with subprocess.Popen(["git", "fast-import", "--quiet", "--force"], cwd=folder, stdin=subprocess.PIPE) as importing:
        assert importing.stdin
        importing.stdin.writelines(commands)
        importing.stdin.close()
        if importing.wait():
            raise subprocess.CalledProcessError(importing.returncode, importing.args)


class _Stream:
    """Commands for fast-import, and the ids of what they make: an iteration's message names its parent and its tree."""

    def __init__(self, files: int, hook: str, runs_in: str) -> None:
        self.tip = ""
        self.incumbent = 0
        self._time = SINCE
        self._hook, self._runs_in = hook, runs_in
        self._others = {f"d{n // 100:03d}/f{n:05d}.py": f"# {n}\n".encode() for n in range(files - 1)}

    def commits(self, iterations: int) -> Iterator[bytes]:
        code = b"LR = 0\n" + b"# a line of code\n" * 100
        yield self._commit(b"start\n", code, self._others)
        best = 2.0
        for number in range(iterations):
            kept = number % KEPT_EVERY == 0
            score = best - 0.001 * (number > 0) if kept else best + 0.5 + number % 7 / 100
            new = b"LR = %d\n" % (number + 1) + code.partition(b"\n")[2]
            iteration = self._iteration(number, kept, score, score - best, new)
            yield self._commit(to_message(iteration), new)
            if kept:
                code, best = new, score
            else:
                yield self._commit(revert_message(iteration, self.tip), code)

    def _iteration(self, number: int, kept: bool, score: float, delta: float, code: bytes) -> Iteration:
        identity = f"exp{number:03d}"
        candidate = Candidate(
            identity,
            f"{number:032x}",
            self.tip,
            self._tree(code),
            f"LR {number} -> {number + 1}",
            changes=("constant LR",) if number else (),
            patch=_patch_id(self.incumbent, number) if number else "",
        )
        if not number:
            candidate = replace(candidate, contract=self._contract(), notes=Notes(goal="lowest val_bpb"))
        met = f"exp{self.incumbent:03d} ({score_text(score - delta)})"
        reason = f"{'better' if kept else 'worse'} than {met} by {score_text(abs(delta))}" if number else "the baseline"
        if kept:
            self.incumbent = number
        verdict = Verdict(Status.KEEP if kept else Status.DISCARD, reason, delta if number else None)
        return Iteration(candidate, verdict, self._measurement(identity, score))

    def _measurement(self, identity: str, score: float) -> Measurement:
        return Measurement(
            (Sample(identity, 0, 300.0, score),),
            score,
            (("num_steps", 953.0), ("tokens_per_second", 81234.0)),
            memory_mb=812.5,
            device="cpu",
        )

    def _contract(self) -> Contract:
        rule = str(parse("single"))
        fixed = ("val_bpb", Direction.MINIMIZE, 300.0, 660.0, "train.py", ("train.py",), (), rule, self._hook, 0)
        return Contract(*fixed, runs_in=self._runs_in)

    def _commit(self, message: bytes, code: bytes, others: dict[str, bytes] | None = None) -> bytes:
        self._time += 1
        when = f"{WHO} {self._time} +0000"
        parent = f"parent {self.tip}\n" if self.tip else ""
        head = f"tree {self._tree(code)}\n{parent}author {when}\ncommitter {when}\n\n".encode()
        out = [f"commit refs/heads/{BRANCH}\nauthor {when}\ncommitter {when}\n".encode(), _data(message)]
        for path, content in ({"train.py": code} | (others or {})).items():
            out += [f"M 100644 inline {path}\n".encode(), _data(content)]
        self.tip = _id("commit", head + message)
        return b"".join(out)

    def _tree(self, code: bytes) -> str:
        if not hasattr(self, "_folders"):
            below: dict[str, bytes] = {}
            for path, content in self._others.items():
                folder, name = path.split("/")
                below[folder] = below.get(folder, b"") + b"100644 " + name.encode() + b"\0" + _raw("blob", content)
            self._folders = b"".join(
                b"40000 " + folder.encode() + b"\0" + _raw("tree", entries) for folder, entries in sorted(below.items())
            )
        return _id("tree", self._folders + b"100644 train.py\0" + _raw("blob", code))


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _raw(kind: str, content: bytes) -> bytes:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).digest()


def _id(kind: str, content: bytes) -> str:
    return _raw(kind, content).hex()


def _patch_id(incumbent: int, number: int) -> str:
    """What ``git patch-id --stable`` gives an edit of the first line: the diff without white space, hashed."""
    lines = (
        "diff--gita/train.pyb/train.py",
        "---a/train.py",
        "+++b/train.py",
        f"-LR={incumbent + 1}",
        f"+LR={number + 1}",
    )
    return hashlib.sha1("".join((*lines, *["#alineofcode"] * 3)).encode(), usedforsecurity=False).hexdigest()
