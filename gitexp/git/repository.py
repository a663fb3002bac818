"""The one door to git: a repository, and what is asked of it. The processes are started in :mod:`gitexp.git.driver`."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from git import Git

from gitexp.errors import GitexpError
from gitexp.git.driver import Batch, GitCommandError, block, ended, line, open_git, run, start
from gitexp.git.filters import Filters
from gitexp.git.packs import Packs
from gitexp.text import from_bytes

MINIMUM = (2, 25)  # the oldest that the tests were run with; the advice given here needs 2.23 (switch, restore)
# What git sets for its own hooks and aliases (git rev-parse --local-env-vars): a process started from one inherits it.
LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS GIT_DIR GIT_GRAFT_FILE "
    "GIT_IMPLICIT_WORK_TREE GIT_INDEX_FILE GIT_INTERNAL_SUPER_PREFIX GIT_LITERAL_PATHSPECS GIT_NO_REPLACE_OBJECTS "
    "GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_REPLACE_REF_BASE GIT_SHALLOW_FILE GIT_WORK_TREE"
).split()
_BOOLEANS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0", ""), False)
_PEOPLE = ("author.name", "author.email", "committer.name", "committer.email")  # else author and committer are one
_DIFFERING = {f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL", "DATE")}
TREES = 16  # that are remembered: the incumbent's are looked at again and again
_OLD = ("update-ref", "unknown command: start")  # before git 2.27: a transaction is a process
_REFTABLE = "refs/heads/.invalid"  # what HEAD's file names where git keeps its refs in another form
_IN_PROGRESS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True, slots=True)
class Object:
    """An object of git's: ``kind`` is commit, tree, blob or tag."""

    oid: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """A tracked path that differs from HEAD."""

    path: str
    staged: bool
    unmerged: bool = False


def check_version(driver: Git) -> None:
    words = from_bytes(run(driver, "version"))
    found = re.search(r"(\d+)\.(\d+)", words)
    if not found or (int(found[1]), int(found[2])) < MINIMUM:
        needed = ".".join(map(str, MINIMUM))
        raise GitexpError(f"gitexp needs git {needed} or newer; this is {words.strip()}.", "git --version")


def _whereabouts(driver: Git, start_at: Path) -> list[str]:
    """The git directory, the one that work trees share, and the top of the work tree, if there is one."""
    asked = ("--show-object-format", "--absolute-git-dir", "--git-common-dir")
    try:
        out = run(driver, "rev-parse", *asked, "--show-toplevel")
    except GitCommandError as error:
        check_version(driver)
        if "not a git repository" in error.sentence:
            raise GitexpError(f"{start_at} is not inside a git repository.", "git init") from None
        if "work tree" not in error.sentence:
            raise
        out = run(driver, "rev-parse", *asked)
    form, *where = os.fsdecode(out).rstrip("\n").split("\n")
    if form not in ("sha1", "sha256"):  # a git older than 2.25 does not know the option, and repeats it
        check_version(driver)
    return where


@dataclass(frozen=True, slots=True)
class Repository:
    """One work tree of a repository, or a bare repository (then ``root`` is ``None``)."""

    driver: Git = field(repr=False, compare=False)
    root: Path | None
    git_dir: Path
    common_dir: Path
    filters: Filters = field(init=False, repr=False, compare=False)
    remembered: dict[str, object] = field(init=False, default_factory=dict, repr=False, compare=False)  # of histories
    _packs: Packs = field(init=False, repr=False, compare=False)
    _settings: dict[tuple[str, ...], str | None] = field(init=False, default_factory=dict, repr=False, compare=False)
    _configured: dict[str, str] = field(init=False, default_factory=dict, repr=False, compare=False)
    _trees: dict[tuple[int, str], Object] = field(init=False, default_factory=dict, repr=False, compare=False)
    _batches: dict[tuple[str, ...], Batch] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_packs", Packs(self.common_dir))
        object.__setattr__(
            self, "filters", Filters(self.driver, self._packs, self.root or self.git_dir, self.common_dir)
        )

    @classmethod
    def discover(cls, start_at: Path) -> Repository:
        # GIT_DIR and GIT_WORK_TREE may be how a person names the repository; the rest would bend every command below.
        for name in ("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"):
            os.environ.pop(name, None)
        driver = open_git(start_at)
        git_dir, common_dir, *top = _whereabouts(driver, start_at)
        root = Path(top[0]) if top else None
        common = Path(os.path.normpath(start_at / common_dir))
        if "GIT_DIR" in os.environ:  # it may be relative to where the caller stood
            os.environ["GIT_DIR"] = git_dir
            if root:
                os.environ["GIT_WORK_TREE"] = str(root)
        return cls(open_git(root or Path(git_dir)), root, Path(git_dir), common)

    def for_audit(self) -> Repository:
        """The same repository, for looking only: no command that its configuration names is run, and no object is shown
        in another's place.

        git fetches what a partial clone lacks, and a transport may be any command; it asks core.fsmonitor, another one,
        when it reads the index, as diff-tree does. (Filters, drivers and hooks are run by commands that an audit has no
        use for.)
        """
        driver = open_git(self.root or self.git_dir)
        config = f"{os.environ.get('GIT_CONFIG_PARAMETERS', '')} 'core.fsmonitor=false'".lstrip()
        driver.update_environment(
            GIT_NO_LAZY_FETCH="1", GIT_ALLOW_PROTOCOL="none", GIT_NO_REPLACE_OBJECTS="1", GIT_CONFIG_PARAMETERS=config
        )
        return replace(self, driver=driver)

    @property
    def top(self) -> Path:
        """The top of the work tree. Raises in a bare repository."""
        if self.root is None:
            raise GitexpError(
                f"There is no work tree here: {self.git_dir} is all there is.", "git worktree add ../work"
            )
        return self.root

    # -- asking ------------------------------------------------------------------------------------------------------

    def run(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        return run(self.driver, *args, stdin=stdin, env=env)

    def line(self, *args: str, stdin: bytes | None = None) -> str:
        return os.fsdecode(self.run(*args, stdin=stdin)).rstrip("\n")

    def lookup(self, *args: str, none: int = 1) -> str | None:
        """The output of a command whose exit code ``none`` means "there is none": any other failure is one."""
        try:
            return self.line(*args)
        except GitCommandError as error:
            if error.code == none:
                return None
            raise

    def ask(self, *args: str) -> Batch:
        """The git process of these arguments that answers questions; it is kept open."""
        if args not in self._batches:
            self._batches[args] = Batch(self.driver, self._packs, *args)
        return self._batches[args]

    def object(self, name: str) -> Object | None:
        """What git finds under a name: a revision, or an object id."""
        return None if "\n" in name else self.ask("cat-file", "--batch").ask(os.fsencode(name + "\n"), to_object)

    def tree(self, name: str) -> Object | None:
        """The tree that git finds under a name: of a commit, or its own. By its own id it is asked for once."""
        known = (self._packs.generation(), name)  # what is remembered may be gone when the packs have changed
        if known in self._trees:
            return self._trees[known]
        found = self.object(f"{name}^{{tree}}")
        if found and found.oid == name:
            if len(self._trees) >= TREES:
                self._trees.clear()
            self._trees[known] = found
        return found

    def resolve(self, revision: str) -> str | None:
        """The commit id of ``revision``, if there is such a commit."""
        found = self.object(revision + "^{commit}")
        return found.oid if found else None

    def ref(self, name: str) -> str | None:
        """The object id a ref stands for, whatever kind of object it is, and whether that is here or not."""
        if found := self.object(name):
            return found.oid
        return self.lookup("rev-parse", "--verify", "--quiet", name) if (self.common_dir / name).is_file() else None

    def unreadable(self, name: str) -> bool:
        """Whether a ref is there that git cannot read: after a power cut, say."""
        return (self.common_dir / name).is_file() and self.ref(name) is None

    def branch(self) -> str | None:
        """The checked-out branch; ``None`` when HEAD is detached."""
        # The file saves a process, and names also a branch that git cannot read; git knows where there is more to it.
        head: str | None = _named_in(self.git_dir / "HEAD")
        if not head or head == _REFTABLE or _named_in(self.common_dir / head):
            head = self.lookup("symbolic-ref", "--quiet", "HEAD")  # --short is ambiguous beside a tag of that name
        return head.removeprefix("refs/heads/") if head else None

    def operation(self) -> str | None:
        """The merge, rebase, … that is in progress, by name."""
        return next((name for file, name in _IN_PROGRESS.items() if (self.git_dir / file).exists()), None)

    def is_shallow(self) -> bool:
        return (self.common_dir / "shallow").exists()

    def setting(self, *args: str, none: int = 1) -> str | None:
        """As :meth:`lookup`, for what is asked once: what the user's configuration says."""
        if args not in self._settings:
            self._settings[args] = self.lookup(*args, none=none)
        return self._settings[args]

    def is_partial(self) -> bool:
        """Whether a remote has promised objects that need not be here (``git clone --filter``)."""
        return self.lookup("config", "--get-regexp", r"^remote\..*\.promisor$") is not None

    def config(self, key: str) -> str | None:
        """What the configuration says last; all of it is asked for once."""
        if not self._configured:
            for record in os.fsdecode(self.run("config", "--list", "-z")).split("\0"):
                name, _, value = record.partition("\n")
                self._configured[name] = value if "\n" in record else "true"
        return self._configured.get(key.lower())

    def config_bool(self, key: str, default: bool) -> bool:
        value = self.config(key)
        if value is not None and value.lower() not in _BOOLEANS:  # a number perhaps, or what git refuses
            value = self.setting("config", "--type=bool", "--get", key)
        return default if value is None else _BOOLEANS[value.lower()]

    def hook_path(self, name: str) -> Path:
        """Where git looks for the hook ``name``: ``core.hooksPath`` is honoured."""
        if self.config("core.hooksPath") is None:
            return self.common_dir / "hooks" / name
        folder = self.setting("rev-parse", "--git-path", "hooks") or "hooks"
        return Path(os.path.join(self.root or self.git_dir, folder, name))

    def changes(self) -> list[Change]:
        """Every tracked path that differs from HEAD, in the index or in the work tree."""
        out = self.run(
            "status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=untracked"
        )
        return [_change(record) for record in os.fsdecode(out).split("\0") if record[:2] in ("1 ", "2 ", "u ")]

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The contents of blobs, by object id. Raises for one that is not here."""
        contents: dict[str, bytes] = {}
        for oid in oids:
            found = self.object(oid)
            if found is None:
                raise GitexpError(f"The object {oid} is missing.", "git fsck   # then fetch it from a clone")
            contents[oid] = found.data
        return contents

    def make_tree(self, listing: bytes) -> str:
        """A tree of lines as ``git ls-tree -z`` prints them."""
        return self.ask("mktree", "-z", "--batch").ask(listing + b"\0", line)

    @contextmanager
    def patch_id(self, old: str, new: str, paths: Iterable[str]) -> Iterator[Callable[[], str]]:
        """The patch id of an edit of ``paths``, from one tree to another, while the caller does something else.

        It is the same for the same edit, wherever in the files it is made and on whatever commit.
        """
        process = start(self.driver, "patch-id", "--stable", stdin=subprocess.PIPE)
        assert process.stdin
        with ended(process):
            process.stdin.write(self.filters.diff(old, new, paths))
            process.stdin.close()
            yield lambda: _answer(process).partition(" ")[0]

    def patch_ids(self, commits: bytes, context: int = 3) -> dict[str, str]:
        """By commit id, the patch id of its change; ``commits`` are lines for ``git diff-tree --stdin``."""
        form = ("-p", f"-U{context}", "--full-index", "--binary", "--no-ext-diff", "--no-textconv")
        diff = self.run("diff-tree", "--stdin", "-r", "--root", "--no-renames", *form, stdin=commits)
        lines = self.line("patch-id", "--stable", stdin=diff).splitlines()
        return {oid: patch for patch, _, oid in (line.partition(" ") for line in lines)}

    def untracked(self, paths: Iterable[str]) -> list[str]:
        """Untracked files under ``paths`` that .gitignore does not name."""
        out = os.fsdecode(self.run("ls-files", "-z", "--others", "--exclude-standard", "--", *paths))
        return [path for path in out.split("\0") if path and not path.endswith("/")]

    # -- writing commits and refs --------------------------------------------------------------------------------------

    def commit_tree(self, tree: str, parent: str | None, message: bytes, date: str = "") -> str:
        """A new commit; ``date`` is its date where that is not now."""
        # commit-tree is plumbing: it signs only when told, whatever commit.gpgsign says.
        sign = ("-S",) if self.config_bool("commit.gpgsign", False) else ()
        parents = ("-p", parent) if parent else ()
        if not date and not sign:
            return self._commit_now(tree, parent, message)
        args = ("-c", "i18n.commitEncoding=UTF-8", "commit-tree", *sign, *parents, "-F", "-", tree)
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else None
        return os.fsdecode(self.run(*args, stdin=message, env=dates)).rstrip("\n")

    def _commit_now(self, tree: str, parent: str | None, message: bytes) -> str:
        """What commit-tree does, without a process of its own for each commit."""
        if self.tree(tree) is None:
            raise GitexpError(f"The tree {tree} is missing.", "git fsck   # then fetch it from a clone")
        lines = [f"tree {tree}", *([f"parent {parent}"] if parent else ())]
        lines += [f"{who} {self.ident(who)}" for who in ("author", "committer")]
        with tempfile.NamedTemporaryFile(prefix="gitexp-") as file:
            file.write(os.fsencode("\n".join(lines)) + b"\n\n" + message)
            file.flush()
            hashing = self.ask("hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths")
            return hashing.ask(os.fsencode(file.name) + b"\n", line)

    def ident(self, who: str) -> str:
        """Name, address and date of the ``author``, or the ``committer``, as git would have them now."""
        asked = who.upper() if any(self.config(key) for key in _PEOPLE) or _DIFFERING & os.environ.keys() else "AUTHOR"
        known = self.setting("var", f"GIT_{asked}_IDENT", none=128)
        if known is None:
            raise GitexpError("git does not know who you are.", "git config user.name NAME; git config user.email MAIL")
        if f"GIT_{who.upper()}_DATE" in os.environ:
            return known
        return f"{known.rsplit(' ', 2)[0]} {int(time.time())} {time.strftime('%z')}"

    def update_refs(self, reason: str, *commands: str) -> None:
        """One ref transaction; ``commands`` are those of ``git update-ref --stdin``, old values included.

        ``reason`` is for git's reflog. There is a process for each: let there be few.
        """
        words, lines = ("update-ref", "-m", reason, "--stdin"), "".join(f"{command}\n" for command in commands)
        if _OLD in self._settings:
            self.run(*words, stdin=os.fsencode(lines))
            return
        try:
            self.ask(*words).ask(os.fsencode(f"start\n{lines}commit\n"), _committed)
        except GitCommandError as error:
            if _OLD[1] not in error.sentence:
                raise
            self._settings[_OLD] = ""
            self.update_refs(reason, *commands)


def _answer(process: subprocess.Popen[bytes]) -> str:
    """What a process prints that has been told everything."""
    assert process.stdout
    out = os.fsdecode(process.stdout.read())
    if process.wait():
        raise GitCommandError(("patch-id",), process.returncode, b"")
    return out


def _committed(answer: IO[bytes]) -> None:
    while line(answer) != "commit: ok":
        pass


def to_object(answer: IO[bytes]) -> Object | None:
    words = line(answer).rsplit(" ", 2)
    if len(words) < 3 or not words[2].isdecimal():  # "NAME missing", "NAME ambiguous"
        return None
    oid, kind, size = words
    return Object(oid, kind, block(answer, int(size)))


def _named_in(file: Path) -> str:
    """The ref that a symbolic ref's file names; empty where it holds an object id, or is not there."""
    text = os.fsdecode(file.read_bytes()) if file.is_file() else ""
    return text.removeprefix("ref:").strip() if text.startswith("ref:") else ""


def _change(record: str) -> Change:
    """A line of ``git status --porcelain=v2``; its fields are in git-status(1)."""
    if record.startswith("u "):
        return Change(record.split(" ", 10)[10], staged=True, unmerged=True)
    fields = record.split(" ", 8)
    return Change(fields[8], staged=fields[1][0] != ".")
