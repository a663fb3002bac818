"""Experiments of any length, made by ``git fast-import`` in seconds, as ``gitexp`` would have sealed them."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gitexp.decide import parse
from gitexp.model import Contract, Direction, Iteration, Measurement, Notes, Sample, Status
from gitexp.records import revert_message, to_message

WHO = "Ada Lovelace <ada@example.org>"
SINCE = 1_700_000_000  # seconds; a commit a second from there on
KEPT_EVERY = 5  # of five iterations one is kept, as in the published tables
BRANCH = "exp/train"


def git(folder: Path, *args: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["git", *args], cwd=folder, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def make(folder: Path, iterations: int, files: int = 10) -> Path:
    """A repository with ``files`` tracked files, and on ``exp/train`` an experiment of so many iterations."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "Ada Lovelace")
    git(folder, "config", "user.email", "ada@example.org")
    hook = folder / ".git/hooks/post-run"
    hook.write_text("#!/bin/sh\necho device: cpu\necho val_bpb: 3\n")
    hook.chmod(0o755)
    stream = _Stream(files, git(folder, "hash-object", "--stdin", stdin=hook.read_bytes()))
    git(folder, "fast-import", "--quiet", "--force", stdin=b"".join(stream.commits(iterations)))
    if git(folder, "rev-parse", BRANCH) != stream.tip:
        raise AssertionError("the history is not the one that was computed")
    git(folder, "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
    git(folder, "read-tree", "-mu", "HEAD")
    git(folder, "update-index", "--refresh", "-q")
    return folder


class _Stream:
    """Commands for fast-import, and the ids of what they make: an iteration's message names its parent and its tree."""

    def __init__(self, files: int, hook: str) -> None:
        self.tip = ""
        self._time = SINCE
        self._hook = hook
        self._others = {f"d{n // 100:03d}/f{n:05d}.py": f"# {n}\n".encode() for n in range(files - 1)}

    def commits(self, iterations: int) -> Iterator[bytes]:
        code = b"LR = 0\n" + b"# a line of code\n" * 100
        yield self._commit(b"start\n", code, self._others)
        best = 2.0
        for number in range(iterations):
            kept = number % KEPT_EVERY == 0
            best -= 0.001 if kept and number else 0.0
            new = code.replace(b"LR = ", b"LR = %d" % number, 1).partition(b"\n")[2]
            new = b"LR = %d\n" % (number + 1) + new
            score = best if kept else best + 0.5 + number % 7 / 100
            message = to_message(self._iteration(number, Status.KEEP if kept else Status.DISCARD, score, new))
            yield self._commit(message, new)
            if kept:
                code = new
            else:
                sealed = self._iteration(number, Status.DISCARD, score, new, self._parent)
                yield self._commit(revert_message(sealed, self.tip), code)

    def _iteration(self, number: int, status: Status, score: float, code: bytes, base: str = "") -> Iteration:
        identity = f"exp{number:03d}"
        measurement = Measurement(
            (Sample(identity, 0, 300.0, score),),
            score,
            (("num_steps", 953.0), ("tokens_per_second", 81234.0)),
            memory_mb=812.5,
            device="cpu",
        )
        iteration = Iteration(
            identity,
            f"{number:032x}",
            base or self.tip,
            self._tree(code),
            status,
            f"LR {number} -> {number + 1}",
            "worse than the incumbent by 0.5 (1 run against 1)" if status is Status.DISCARD else "better",
            measurement,
            changes=("constant LR",),
            patch=hashlib.sha1(code, usedforsecurity=False).hexdigest(),
            delta=None if number == 0 else 0.5,
        )
        return (
            iteration if number else replace(iteration, contract=self._contract(), notes=Notes(goal="lowest val_bpb"))
        )

    def _contract(self) -> Contract:
        rule = str(parse("single"))
        return Contract("val_bpb", Direction.MINIMIZE, 300.0, 660.0, "train.py", ("train.py",), (), rule, self._hook, 0)

    def _commit(self, message: bytes, code: bytes, others: dict[str, bytes] | None = None) -> bytes:
        self._time += 1
        when = f"{WHO} {self._time} +0000"
        parent = f"parent {self.tip}\n" if self.tip else ""
        head = f"tree {self._tree(code)}\n{parent}author {when}\ncommitter {when}\n\n".encode()
        out = [f"commit refs/heads/{BRANCH}\nauthor {when}\ncommitter {when}\n".encode(), _data(message)]
        for path, content in ({"train.py": code} | (others or {})).items():
            out += [f"M 100644 inline {path}\n".encode(), _data(content)]
        self._parent, self.tip = self.tip, _id("commit", head + message)
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
