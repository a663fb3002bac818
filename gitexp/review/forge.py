"""Where a review goes: a remote, its web pages, and the command lines of GitHub (``gh``) and GitLab (``glab``)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from shlex import quote
from urllib.parse import urlsplit

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.text import from_bytes, printable, short

_PATH = r"([\w~+-][\w.~/+-]*)"  # no character that could end a link in Markdown
_HTTP = re.compile(rf"https?://([\w.-]+(?::\d+)?)/{_PATH}")
_SSH = re.compile(rf"(?:ssh|git)://([\w.-]+)(?::\d+)?/{_PATH}")  # its port is not that of the pages
_SCP = re.compile(rf"(?:[\w.-]+@)?([\w.-]+):/?{_PATH}")  # git@github.com:owner/name.git


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote, or a URL in the place of one. ``name`` and ``url`` may hold a password: they are for git alone."""

    name: str
    url: str
    web: str  # its page for people; empty when it has none

    @property
    def public_name(self) -> str:
        return _without_user(self.name)

    @property
    def public_url(self) -> str:
        return _without_user(self.url)

    @property
    def host(self) -> str:
        return urlsplit(self.web).netloc

    def link(self, commit: str) -> str:
        """A link to a commit; the bare id where there is no page: forges make a link of that themselves."""
        name = short(commit)
        page = "-/commit" if "gitlab" in self.host else "commits" if "bitbucket" in self.host else "commit"
        return f"[`{name}`]({self.web}/{page}/{commit})" if self.web else name


def remote(repo: Repository, name: str) -> Remote:
    """The remote ``name``, or a URL."""
    url = repo.line("ls-remote", "--get-url", "--", name)
    return Remote(name, url, _web(url))


def _without_user(url: str) -> str:
    """A URL without user and password."""
    return re.sub(r"(?<=://)[^/]*@", "", url)


def names(repo: Repository) -> list[str]:
    """The remotes' names, ``origin`` first."""
    return sorted(repo.line("remote").splitlines(), key=lambda name: name != "origin")


def _web(url: str) -> str:
    """The page of a repository, by the URL that git knows it by."""
    found = _HTTP.fullmatch(_without_user(url)) or _SSH.fullmatch(_without_user(url)) or _SCP.fullmatch(url)
    if found is None:
        return ""
    scheme = "http" if url.startswith("http:") else "https"
    return f"{scheme}://{found[1]}/{found[2].rstrip('/').removesuffix('.git')}"


def heads(repo: Repository, to: Remote, *branches: str) -> dict[str, str]:
    """Where a remote has branches."""
    lines = repo.line("ls-remote", "--", to.name, *(f"refs/heads/{branch}" for branch in branches)).splitlines()
    found = {ref.removeprefix("refs/heads/"): oid for oid, _, ref in (line.partition("\t") for line in lines)}
    return {branch: found[branch] for branch in branches if branch in found}


def push(repo: Repository, to: Remote, branch: str, there: str | None, is_ours: Callable[[str], bool]) -> None:
    """Push a branch that the remote has at ``there``. What is replaced is a review of gitexp's own, or nothing."""
    ref = f"refs/heads/{branch}"
    known = there and repo.resolve(there)
    forward = known and repo.lookup("merge-base", "--is-ancestor", known, ref) is not None
    if there and not forward and not (known and is_ours(there)):
        where = f"{quote(to.public_name)} {quote(branch)}"
        raise GitexpError(
            f"{branch} on {to.public_url} ends with a commit that is not of gitexp's making, or not known here: "
            f"{short(there)}.",
            f"git fetch {where}   # and look at it; then again",
        )
    lease = [f"--force-with-lease={ref}:{there}"] if there and not forward else []
    repo.run("push", "--quiet", *lease, "--", to.name, f"{ref}:{ref}")


def request_pull(repo: Repository, start: str, to: Remote | None, branch: str) -> str:
    """What git writes to ask somebody to pull: from a remote, or from this repository."""
    where = to.name if to else str(repo.directory)
    text = printable(from_bytes(repo.run("request-pull", start, where, f"refs/heads/{branch}")))
    return text.replace(to.url, to.public_url) if to else text


def branch_of(repo: Repository, base: str) -> str:
    """The name that a branch has at its remote."""
    if refs.read(repo, f"refs/heads/{base}"):
        return base
    owners = [name for name in names(repo) if base.startswith(f"{name}/")]
    if owners and refs.read(repo, f"refs/remotes/{base}"):
        return base.removeprefix(f"{owners[0]}/")
    raise GitexpError(f"{base} is no branch: a pull request is merged into one.", "gitexp pr --base BRANCH --create")


# -- the forges' own command lines -------------------------------------------------------------------------------------


def tool(to: Remote) -> str:
    """The command line that opens a request at this remote."""
    known = {"github": ("gh",), "gitlab": ("glab",)}
    # a host of somebody's own may be either
    fitting = next((tools for word, tools in known.items() if word in to.host), ("gh", "glab"))
    found = next((name for name in fitting if shutil.which(name)), None)
    if found is None:
        raise GitexpError(
            f"{' or '.join(fitting)} is not installed, or not on PATH: it opens the pull request.",
            f"gitexp pr --push {quote(to.public_name)} > body.md   # then open one in the browser",
        )
    return found


def open_request(repo: Repository, name: str, base: str, head: str, title: str, body: str) -> str:
    """Open the pull or merge request, or bring the open one up to date; what the tool said of it: its URL."""
    if name == "gh":
        text = ["--title", title, "--body-file", "-"]
        create, update = ["pr", "create", "--base", base, "--head", head, *text], ["pr", "edit", head, *text]
    else:
        text = ["--title", title, "--description", body]
        create = ["mr", "create", "--source-branch", head, "--target-branch", base, *text, "--yes"]
        update = ["mr", "update", head, *text]
    done = _run(repo, name, create, body)
    if done.returncode and "already exists" in done.stderr:
        done = _run(repo, name, update, body)
    if done.returncode:
        words = printable(done.stderr).strip() or f"exit {done.returncode}"
        raise GitexpError(f"{name} {create[0]} {create[1]} failed: {words}", f"{name} auth status")
    return printable(done.stdout).strip()


def _run(repo: Repository, name: str, args: list[str], body: str) -> subprocess.CompletedProcess[str]:
    folder = repo.directory
    stdin = body if name == "gh" else ""
    return subprocess.run(
        [name, *args], cwd=folder, input=stdin, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
