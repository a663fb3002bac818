"""What git is told by its configuration, and who it takes for the author of a commit."""

from __future__ import annotations

import os
import time

from git import Git

from gitexp.errors import GitexpError
from gitexp.git.driver import GitCommandError, run

_BOOLEANS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0", ""), False)
# Where none of these is set, author and committer are the same person.
_PERSON_KEYS = ("author.name", "author.email", "committer.name", "committer.email")
_PERSON_VARIABLES = {f"GIT_{role}_{fact}" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL", "DATE")}


class Config:
    """The configuration of a repository, the user's and the system's included, read once for as long as this lives."""

    def __init__(self, driver: Git) -> None:
        self._driver = driver
        self._values: dict[str, str] = {}
        self._local: dict[str, str] | None = None
        self._answers: dict[tuple[str, ...], str | None] = {}

    def get(self, key: str) -> str | None:
        """The last value of ``key`` as it is written; ``None`` where it is not set."""
        if not self._values:
            for record in os.fsdecode(run(self._driver, "config", "--list", "-z")).split("\0"):
                name, _, value = record.partition("\n")
                self._values[name] = value if "\n" in record else "true"
        return self._values.get(key.lower())

    def local(self) -> dict[str, str]:
        """The last value of each key that the repository itself sets, the user's and the system's left out."""
        if self._local is None:
            self._local = {}
            listing = run(self._driver, "config", "--local", "--includes", "--list", "-z")
            for record in os.fsdecode(listing).split("\0")[:-1]:
                name, _, value = record.partition("\n")
                self._local[name] = value if "\n" in record else "true"
        return self._local

    def get_bool(self, key: str, default: bool) -> bool:
        """The value of ``key`` as git reads a boolean. Raises where git refuses it."""
        value = self.get(key)
        if value is not None and value.lower() not in _BOOLEANS:  # a number perhaps
            value = self.ask("config", "--type=bool", "--get", key)
        return default if value is None else _BOOLEANS[value.lower()]

    def get_int(self, key: str) -> int | None:
        """The value of ``key`` as git reads a number (``1k`` is 1024). Raises where git refuses it."""
        value = self.ask("config", "--type=int", "--get", key)
        return None if value is None else int(value)

    def ask(self, *args: str, none: int = 1) -> str | None:
        """A line that git prints, remembered; ``None`` where its exit code is ``none``."""
        if args not in self._answers:
            try:
                self._answers[args] = os.fsdecode(run(self._driver, *args)).rstrip("\n")
            except GitCommandError as error:
                if error.code != none:
                    raise
                self._answers[args] = None
        return self._answers[args]

    def identity(self, role: str) -> str:
        """Name, address and date of the ``author`` or the ``committer``, as git would write them into a commit now.

        Raises where git knows no name.
        """
        differ = any(self.get(key) for key in _PERSON_KEYS) or _PERSON_VARIABLES & os.environ.keys()
        person = self.ask("var", f"GIT_{role.upper() if differ else 'AUTHOR'}_IDENT", none=128)
        if person is None:
            raise GitexpError("git does not know who you are.", "git config user.name NAME; git config user.email MAIL")
        if f"GIT_{role.upper()}_DATE" in os.environ:
            return person
        return f"{person.rsplit(' ', 2)[0]} {int(time.time())} {time.strftime('%z')}"
