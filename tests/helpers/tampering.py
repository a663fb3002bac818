"""An experiment of nine iterations, and its branch rewritten the way somebody would who tampers with it.

Each commit is made anew, and what names commits is made to fit: fsck then finds the tampering itself, not its traces.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, make_repository, set_lr

SCORE = "def score(lr, seed):\n    return 2 + (lr - 0.3) ** 2 + 0.0004 * (seed % 3)\n"
TRAIN = """\
LR = 0.1
import os
from score import score
print(f"val_bpb: {score(LR, int(os.environ['RANDOM_SEED'])):.6f}")
print("peak_memory_mb:", 500 if LR == 0.3 else 12.5)
"""
STEPS = ("0.2", "0.9", "0.25", "[][1]", "0.6", "0.28", "0.3", "0.95")
KEEPS, KEEP, DISCARD, CRASH, GUARDED = ("exp001", "exp003", "exp006"), "exp003", "exp005", "exp004", "exp007"


def make(folder: Path, gitexp: Gitexp, rule: str) -> None:
    """exp000 KEEP, 001 KEEP, 002 DISCARD, 003 KEEP, 004 CRASH, 005 DISCARD, 006 KEEP, 007 DISCARD by its guard, and
    008 DISCARD."""
    make_repository(folder, {"train.py": TRAIN, "score.py": SCORE, "other.txt": "other\n"})
    os.chdir(folder)
    gitexp("init", "--budget", "5", "--rule", rule, "--freeze", "score.py", "--guard", "memory_mb<=100")
    for value in STEPS:
        set_lr(folder, value)
        gitexp("step", "-m", f"LR {value}")


def findings(gitexp: Gitexp, *args: str) -> dict[str, str]:
    """What ``gitexp fsck`` finds: by code, the sentence."""
    found = json.loads(gitexp("fsck", "--json", *args, code=None).stdout)
    assert all(finding["repair"] for finding in found)
    return {finding["code"]: finding["sentence"] for finding in found}


def commit(file: Path, text: str, subject: str) -> None:
    file.write_text(text)
    git("add", "-f", str(file))
    git("commit", "-q", "-m", subject)


@dataclass
class Entry:
    message: str
    tree: str
    oid: str = ""  # as it was; empty for one that is put in
    fits: bool = True  # whether its Exp-Base is made to name its parent
    merged: tuple[str, ...] = ()  # parents besides the first

    @property
    def head(self) -> str:
        """``exp002``, or ``Revert exp002``."""
        return " ".join(re.findall(r"Revert|exp\d+", self.message.partition("\n")[0])[:2])

    def change(self, old: str, new: str) -> None:
        assert old in self.message, f"{old!r} is not in {self.message}"
        self.message = self.message.replace(old, new)

    def value(self, key: str) -> str:
        found = re.search(rf"^{key}: (.*)$", self.message, re.MULTILINE)
        assert found, f"no {key} in {self.message}"
        return found[1]

    def put(self, key: str, value: str) -> None:
        self.change(f"{key}: {self.value(key)}\n", f"{key}: {value}\n")

    def drop(self, key: str) -> None:
        self.change(f"{key}: {self.value(key)}\n", "")


@dataclass
class Branch:
    """The commits of ``exp/train`` since its baseline, oldest first."""

    entries: list[Entry] = field(default_factory=list)
    below: str = ""

    @classmethod
    def read(cls) -> Branch:
        baseline = git("log", "--format=%H", "--grep", "^Exp-Id: exp000$", "exp/train").split()[-1]
        records = git("log", "-z", "--reverse", "--format=%H %T%n%B", f"{baseline}^..exp/train").split("\0")
        entries = []
        for record in filter(None, records):
            names, _, message = record.partition("\n")
            oid, tree = names.split()
            entries.append(Entry(message, tree, oid))
        return cls(entries, git("rev-parse", f"{baseline}^").strip())

    def __getitem__(self, head: str) -> Entry:
        return next(entry for entry in self.entries if entry.head == head)

    def at(self, head: str) -> int:
        return self.entries.index(self[head])

    def cut(self, *heads: str) -> list[Entry]:
        """Take commits out."""
        gone = [self[head] for head in heads]
        self.entries = [entry for entry in self.entries if entry not in gone]
        return gone

    def settle(self) -> None:
        """Let each revert restore what stood before the commit that it reverts."""
        for at, entry in enumerate(self.entries):
            if entry.head.startswith("Revert") and at > 1:
                entry.tree = self.entries[at - 2].tree

    def edit_from(self, head: str, edit: Callable[[str], str], sealed: bool = True) -> None:
        """Edit the tree of a commit and of all that follow, in their Exp-Tree too; ``sealed``: in its own too."""
        for entry in self.entries[self.at(head) :]:
            old, entry.tree = entry.tree, edit(entry.tree)
            if "Exp-Tree" in entry.message and (sealed or entry.head != head):
                entry.change(f"Exp-Tree: {old}", f"Exp-Tree: {entry.tree}")

    def renumber(self, head: str, by: int) -> None:
        """Give a commit and those that follow other ids, wherever they name them."""
        start = self.at(head)
        moved = {entry.head for entry in self.entries[start:]}
        for entry in self.entries[start:]:
            entry.message = re.sub(
                r"exp\d{3}",
                lambda found: f"exp{int(found[0][3:]) + by:03d}" if found[0] in moved else found[0],
                entry.message,
            )

    def write(self) -> None:
        """Make the commits, and move the branch; the work tree stays as it is."""
        parent, made = self.below, {}
        for entry in self.entries:
            if entry.fits:
                entry.message = re.sub(r"(?m)^Exp-Base: \w+$", f"Exp-Base: {parent}", entry.message)
            entry.message = re.sub(
                r"(?m)^(This reverts commit )(\w+)",
                lambda found: found[1] + made.get(found[2], found[2]),
                entry.message,
            )
            parents = [word for each in (parent, *entry.merged) for word in ("-p", each)]
            parent = git("commit-tree", entry.tree, *parents, "-F", "-", stdin=entry.message).strip()
            made[entry.oid] = entry.oid = parent
        git("update-ref", "refs/heads/exp/train", parent)
        git("read-tree", parent)


def with_file(path: str, content: str) -> Callable[[str], str]:
    """An edit of trees: ``path`` holds ``content``."""
    blob = git("hash-object", "-w", "--stdin", stdin=content).strip()

    def edit(tree: str) -> str:
        environment = os.environ | {"GIT_INDEX_FILE": str(Path(".git/tampering-index").absolute())}

        def git_there(*args: str) -> str:
            return subprocess.run(
                ["git", *args], env=environment, check=True, capture_output=True, text=True
            ).stdout.strip()

        git_there("read-tree", tree)
        git_there("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        return git_there("write-tree")

    return edit


def falsify_keep(branch: Branch) -> None:
    entry = branch[DISCARD]
    branch.cut(f"Revert {DISCARD}")
    entry.change("DISCARD", "KEEP")
    branch.settle()
