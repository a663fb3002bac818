"""A repository for the storm: its files, its hook, the edits that were made in it, and what a person keeps there."""

from __future__ import annotations

import os
import random
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HOOK = """#!/bin/sh
score=$(sed -n 's/^SCORE = //p' train.py)
sleep "$SOAK_SLEEP"
[ "$score" = crash ] && { echo "ValueError: crash"; exit 1; }
echo "val_bpb: $score.$RANDOM_SEED"
echo "peak_memory_mb: 12.5"
[ -z "$GITEXP_TEST" ] || echo "test_score: $score.7"
"""
# Edits as an agent does, and notes the mark of its edit when that is made.
PROPOSER = """#!/bin/sh
score=$(sed -n 's/^SCORE = //p' train.py)
case $(($$ % 7)) in
0) score=crash ;;
1 | 2 | 3) score=$((score - 1)) ;;
*) score=$((score + 1000)) ;;
esac
printf 'SCORE = %s\\nLR = 0.1\\n# edit:p%s.\\n' "$score" $$ > train.py
echo "edit:p$$." >> "$SOAK_MADE"
echo "proposal $$"
"""
MARK = re.compile(rb"edit:\w+\.")
STAYS = "a tracked file that is not gitexp's\n"


def git(folder: Path, *args: str, check: bool = True) -> str:
    """What git prints, without the line end; empty for a failure that is not checked."""
    done = subprocess.run(["git", *args], cwd=folder, check=False, capture_output=True)
    if done.returncode and check:
        raise AssertionError(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").rstrip("\n") if not done.returncode else ""


def marks(data: bytes) -> set[str]:
    return {mark.decode() for mark in MARK.findall(data)}


@dataclass
class Sandbox:
    """``folder`` holds all of it: the repository, a bare one beside it to push to, and a work tree of a person's."""

    folder: Path
    chance: random.Random
    rule: str = "single"
    has_folder: bool = False  # whether the folder model is editable too
    in_place: bool = False  # whether candidates run in the person's work tree
    home: str = "."  # where the script is, and the commands are typed
    experiments: int = 1
    number: int = 0  # of the last edit, file or commit that was made here
    edits: set[str] = field(default_factory=set)  # the marks of all edits that the storm made
    dropped: set[str] = field(default_factory=set)  # of those that a person gave up on purpose
    sealed: set[str] = field(default_factory=set)  # of those that a commit holds
    untracked: dict[str, str] = field(default_factory=dict)  # a person's files by path: their contents
    other: str = STAYS  # what other.txt holds
    stashes: list[str] = field(default_factory=list)  # commit ids, the newest first
    main: str = ""  # the commit that a person made last on main
    head: str = ""  # the branch that is checked out; empty where HEAD is detached
    last_experiment: str = ""  # the branch of the experiment that was checked out last
    tips: dict[str, str] = field(default_factory=dict)  # by ref: a commit that its history must hold for ever

    @classmethod
    def make(cls, folder: Path, chance: random.Random) -> Sandbox:
        rule, has_folder = chance.choice(["single", "single", "confirm"]), chance.random() < 0.4
        made = cls(
            folder, chance, rule, has_folder, in_place=chance.random() < 0.3, home=chance.choice([".", ".", "lab"])
        )
        for directory in (made.top, made.cwd / "model", made.temporary, folder / "home"):
            directory.mkdir(parents=True, exist_ok=True)
        git(made.top, "init", "-q")
        git(made.top, "symbolic-ref", "HEAD", "refs/heads/main")
        (made.cwd / "train.py").write_text("SCORE = 1000\nLR = 0.1\n")
        (made.cwd / "model" / "old.py").write_text("old\n")
        (made.top / "other.txt").write_text(STAYS)
        git(made.top, "add", "-A")
        git(made.top, "commit", "-qm", "start")
        git(made.top, "switch", "-q", "--detach")
        git(made.top, "worktree", "add", "-q", str(made.beside), "main")
        git(folder, "init", "-q", "--bare", "origin.git")
        git(made.top, "remote", "add", "origin", str(folder / "origin.git"))
        made.main = git(made.top, "rev-parse", "main")
        made._write_scripts()
        return made

    def _write_scripts(self) -> None:
        for file, text in ((self.top / ".git/hooks/post-run", HOOK), (self.proposer, PROPOSER)):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)

    @property
    def top(self) -> Path:
        return self.folder / "repository"

    @property
    def cwd(self) -> Path:
        return self.top / self.home

    @property
    def script(self) -> str:
        """The script's path in the repository."""
        return "train.py" if self.home == "." else f"{self.home}/train.py"

    @property
    def beside(self) -> Path:
        return self.folder / "beside"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def proposer(self) -> Path:
        return self.folder / "propose"

    @property
    def editable(self) -> list[str]:
        return ["train.py", "model"] if self.has_folder else ["train.py"]

    @property
    def experiment(self) -> str:
        """The experiment that is checked out; empty where none is."""
        return git(self.top, "symbolic-ref", "-q", "HEAD", check=False).partition("refs/heads/exp/")[2]

    def environment(self) -> dict[str, str]:
        sleep = self.chance.choice(["0", "0.01", "0.05", "0.05", "0.4"])
        made = str(self.folder / "made")
        return {"TMPDIR": str(self.temporary), "SOAK_SLEEP": sleep, "SOAK_MADE": made}

    def next_number(self) -> int:
        self.number += 1
        return self.number

    # -- edits -------------------------------------------------------------------------------------------------------

    def edit(self) -> None:
        """Make an edit that nobody made before. What was in the work tree is given up."""
        self.drop()
        score = re.search(r"SCORE = (\d+)", (self.cwd / "train.py").read_text())
        best = int(score[1]) if score else 1000
        text = self.chance.choice([str(best - 1), str(best - 1), str(best + 1000), str(best + 500), "crash"])
        mark = self._new_mark()
        (self.cwd / "train.py").write_text(f"SCORE = {text}\nLR = 0.1\n# {mark}\n")
        if self.has_folder:
            if self.chance.random() < 0.3:
                (self.cwd / "model" / "old.py").unlink(missing_ok=True)
            (self.cwd / "model" / f"part{self.number}.py").write_text(f"# {self._new_mark()}\n")

    def save_in_editable(self) -> None:
        """A person saves train.py while something runs: on top of what is there, which is given up."""
        file = self.cwd / "train.py"
        self.dropped |= marks(file.read_bytes()) - self.sealed
        mark = self._new_mark()
        part = file.with_name(".train.py.swp")
        part.write_text(f"SCORE = 2000\nLR = 0.1\n# {mark}\n")
        os.replace(part, file)

    def _new_mark(self) -> str:
        mark = f"edit:{self.next_number()}."
        self.edits.add(mark)
        return mark

    def drop(self) -> None:
        """Put the editable files back as in HEAD; the edits that only they held are given up."""
        self.dropped |= self.marks_in_files() - self.sealed
        git(self.top, "reset", "-q", "--", self.home)
        git(self.cwd, "restore", "--", *self.editable)
        git(self.cwd, "clean", "-fdq", "--", "model")

    def marks_in_files(self) -> set[str]:
        """The marks of the edits that the editable files hold."""
        files = [self.cwd / "train.py", *(self.cwd / "model").glob("*.py")]
        return {mark for file in files if file.is_file() for mark in marks(file.read_bytes())}

    def made(self) -> set[str]:
        """The marks of all edits that must be somewhere."""
        file = self.folder / "made"
        self.edits |= marks(file.read_bytes()) if file.exists() else set()
        return self.edits - self.dropped
