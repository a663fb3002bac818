"""A repository and its objects. Its refs, commits, trees, diffs and files have modules of their own beside this one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from git import Git

from gitexp.errors import GitexpError
from gitexp.files import read_file
from gitexp.git.config import Config
from gitexp.git.driver import Batch, GitCommandError, PackFolder, open_git, read_block, read_line, run
from gitexp.git.filters import Filters
from gitexp.text import from_bytes

MINIMUM = (2, 25)  # the oldest git that the tests were run with; the advice given here needs 2.23 (switch, restore)
# What git sets for its own hooks and aliases (git rev-parse --local-env-vars): a process started from one inherits it.
LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS GIT_DIR GIT_GRAFT_FILE "
    "GIT_IMPLICIT_WORK_TREE GIT_INDEX_FILE GIT_INTERNAL_SUPER_PREFIX GIT_LITERAL_PATHSPECS GIT_NO_REPLACE_OBJECTS "
    "GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_REPLACE_REF_BASE GIT_SHALLOW_FILE GIT_WORK_TREE"
).split()
REMEMBERED_TREES = 16  # the incumbent's trees are read again and again


@dataclass(frozen=True, slots=True)
class Object:
    """An object of git's: ``kind`` is commit, tree, blob or tag, ``data`` its bytes without git's header."""

    oid: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Repository:
    """One work tree of a repository, or a bare repository (then ``root`` is ``None``).

    ``git_dir`` belongs to this work tree alone (HEAD, index); all work trees share ``common_dir`` (objects, refs).
    """

    driver: Git = field(repr=False, compare=False)
    root: Path | None
    git_dir: Path
    common_dir: Path
    config: Config = field(init=False, repr=False, compare=False)
    filters: Filters = field(init=False, repr=False, compare=False)
    remembered: dict[str, object] = field(init=False, default_factory=dict, repr=False, compare=False)  # of histories
    unheld: dict[str, bytes] = field(init=False, default_factory=dict, repr=False, compare=False)  # see commits.py
    _packs: PackFolder = field(init=False, repr=False, compare=False)
    _trees: dict[tuple[int, str], Object] = field(init=False, default_factory=dict, repr=False, compare=False)
    _batches: dict[tuple[str, ...], Batch] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        packs = PackFolder(self.common_dir)
        object.__setattr__(self, "_packs", packs)
        object.__setattr__(self, "config", Config(self.driver))
        object.__setattr__(self, "filters", Filters(self.driver, packs, self.directory, self.common_dir))

    @classmethod
    def discover(cls, start_at: Path) -> Repository:
        """The repository that the folder ``start_at`` is in. Raises where there is none, or git is too old."""
        # GIT_DIR and GIT_WORK_TREE may be how a person names the repository; the rest would bend every command below.
        for name in ("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"):
            os.environ.pop(name, None)
        driver = open_git(start_at)
        git_dir, common_dir, *top = _locate(driver, start_at)
        root = Path(top[0]) if top else None
        common = Path(os.path.normpath(start_at / common_dir))
        if "GIT_DIR" in os.environ:  # it may be relative to where the caller stood
            os.environ["GIT_DIR"] = git_dir
            if root:
                os.environ["GIT_WORK_TREE"] = str(root)
        return cls(open_git(root or Path(git_dir)), root, Path(git_dir), common)

    @classmethod
    def create(cls, folder: Path, branch: str) -> Repository:
        """A new repository in an existing folder, ``branch`` checked out and without a commit."""
        driver = open_git(folder)
        run(driver, "init", "--quiet")
        run(driver, "symbolic-ref", "HEAD", f"refs/heads/{branch}")  # `init -b` is of git 2.28
        return cls.discover(folder)

    def for_audit(self) -> Repository:
        """The same repository for reading only: git runs no command that the configuration names, and shows no object
        in another's place.

        git fetches the missing objects of a partial clone, and a transport may be any command; it runs core.fsmonitor
        when it reads the index, as diff-tree does. (Filters, drivers and hooks are run by commands that an audit does
        not use.)
        """
        driver = open_git(self.directory)
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

    @property
    def directory(self) -> Path:
        """The folder in which git's commands run: the top of the work tree, or the bare repository."""
        return self.root or self.git_dir

    # -- gitexp's own files, beside git's ----------------------------------------------------------------------------

    @property
    def private_dir(self) -> Path:
        """The folder of the experiments' files, shared by all work trees; it may not exist yet."""
        return self.common_dir / "gitexp"

    @property
    def work_tree_lock(self) -> Path:
        """The lock of this work tree."""
        return self.git_dir / "gitexp.lock"

    def shared_lock(self, name: str) -> Path:
        """A lock that all work trees share."""
        return self.common_dir / f"gitexp-{name}.lock"

    # -- git commands ------------------------------------------------------------------------------------------------

    def run(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """The standard output of a git command. Raises :class:`GitCommandError` unless it exits with 0."""
        return run(self.driver, *args, stdin=stdin, env=env)

    def line(self, *args: str, stdin: bytes | None = None) -> str:
        """As :meth:`run`; the output as text, without the line ends at its end."""
        return os.fsdecode(self.run(*args, stdin=stdin)).rstrip("\n")

    def lookup(self, *args: str, none: int = 1) -> str | None:
        """As :meth:`line`; ``None`` where the command's exit code is ``none``, which means "there is none"."""
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

    # -- objects -----------------------------------------------------------------------------------------------------

    def object(self, name: str) -> Object | None:
        """The object that git finds under a revision or an object id."""
        return None if "\n" in name else self.ask("cat-file", "--batch").ask(os.fsencode(name + "\n"), read_object)

    def tree(self, name: str) -> Object | None:
        """The tree of a commit, or the tree of this id. Trees that are named by their id are remembered."""
        key = (self._packs.generation(), name)  # a remembered tree may be gone when the packs have changed
        if key in self._trees:
            return self._trees[key]
        tree = self.object(f"{name}^{{tree}}")
        if tree and tree.oid == name:
            if len(self._trees) >= REMEMBERED_TREES:
                self._trees.clear()
            self._trees[key] = tree
        return tree

    def tree_of(self, commit: str) -> str:
        """The id of a commit's tree. Raises where the commit or its tree is missing."""
        tree = self.tree(commit)
        if tree is None:
            raise missing_object(commit)
        return tree.oid

    def resolve(self, revision: str) -> str | None:
        """The id of the commit that ``revision`` names; ``None`` where there is no such commit."""
        commit = self.object(revision + "^{commit}")
        return commit.oid if commit else None

    # -- what is known of the whole ----------------------------------------------------------------------------------

    def is_shallow(self) -> bool:
        """Whether history ends here before its first commit (``git clone --depth``)."""
        return (self.common_dir / "shallow").exists()

    def shallow_commits(self) -> frozenset[str]:
        """The commits whose parents a shallow clone does not have; empty in a complete one."""
        return frozenset(read_file(self.common_dir / "shallow").decode("ascii").split() if self.is_shallow() else ())

    def is_partial(self) -> bool:
        """Whether a remote has promised objects that need not be here (``git clone --filter``)."""
        return self.lookup("config", "--get-regexp", r"^remote\..*\.promisor$") is not None

    def hook_path(self, name: str) -> Path:
        """The path where git looks for the hook ``name``; ``core.hooksPath`` is honoured."""
        if self.config.get("core.hooksPath") is None:
            return self.common_dir / "hooks" / name
        folder = self.config.ask("rev-parse", "--git-path", "hooks") or "hooks"
        return Path(os.path.join(self.directory, folder, name))


def _locate(driver: Git, start_at: Path) -> list[str]:
    """The git directory, the one that work trees share, and the top of the work tree, if there is one."""
    asked = ("--show-object-format", "--absolute-git-dir", "--git-common-dir")
    try:
        out = run(driver, "rev-parse", *asked, "--show-toplevel")
    except GitCommandError as error:
        _check_version(driver)
        if "not a git repository" in error.sentence:
            raise GitexpError(f"{start_at} is not inside a git repository.", "git init") from None
        if "work tree" not in error.sentence:
            raise
        out = run(driver, "rev-parse", *asked)
    form, *paths = os.fsdecode(out).rstrip("\n").split("\n")
    if form not in ("sha1", "sha256"):  # a git older than 2.25 does not know the option, and repeats it
        _check_version(driver)
    return paths


def _check_version(driver: Git) -> None:
    words = from_bytes(run(driver, "version"))
    numbers = re.search(r"(\d+)\.(\d+)", words)
    if not numbers or (int(numbers[1]), int(numbers[2])) < MINIMUM:
        needed = ".".join(map(str, MINIMUM))
        raise GitexpError(f"gitexp needs git {needed} or newer; this is {words.strip()}.", "git --version")


def read_object(answer: IO[bytes]) -> Object | None:
    """An object as ``git cat-file --batch`` prints it; ``None`` where it says that there is none."""
    words = read_line(answer).rsplit(" ", 2)
    if len(words) < 3 or not words[2].isdecimal():  # "NAME missing", "NAME ambiguous"
        return None
    oid, kind, size = words
    return Object(oid, kind, read_block(answer, int(size)))


def missing_object(oid: str) -> GitexpError:
    """The error for an object that the history names and the repository lacks."""
    return GitexpError(f"The object {oid} is missing.", "git fsck   # then fetch it from a clone")
