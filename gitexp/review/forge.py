"""The forge that a review goes to: a remote, its web pages, and the clients ``gh`` (GitHub) and ``glab`` (GitLab)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.moved_refs import noted
from gitexp.git.repository import Repository
from gitexp.shell import command, git_command
from gitexp.text import from_bytes, printable, short, visible

_PATH = r"([\w~+-][\w.~/+-]*)"  # without characters that could end a link in Markdown
_HTTP = re.compile(rf"https?://([\w.-]+(?::\d+)?)/{_PATH}")
_SSH = re.compile(rf"(?:ssh|git)://([\w.-]+)(?::\d+)?/{_PATH}")  # the port of the web pages is another one
_SCP = re.compile(rf"(?:[\w.-]+@)?([\w.-]+):/?{_PATH}")  # git@github.com:owner/name.git


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote, or a URL in the place of one. ``name`` and ``url`` may hold a password: only git may see them."""

    name: str
    url: str
    web: str  # the address of its web page; empty where it has none

    @property
    def public_name(self) -> str:
        """The name without user and password: it may be a URL."""
        return _without_user(self.name)

    @property
    def public_url(self) -> str:
        """The URL without user and password."""
        return _without_user(self.url)

    @property
    def host(self) -> str:
        """The web page's host and port; empty where there is no page."""
        return urlsplit(self.web).netloc

    def link(self, commit: str) -> str:
        """A link to a commit, in Markdown; its short id, which forges link themselves, where there is no web page."""
        name = short(commit)
        page = "-/commit" if "gitlab" in self.host else "commits" if "bitbucket" in self.host else "commit"
        return f"[`{name}`]({self.web}/{page}/{commit})" if self.web else name


def remote(repo: Repository, name: str) -> Remote:
    """The remote ``name``, which may be a URL."""
    url = repo.line("ls-remote", "--get-url", "--", name)
    return Remote(name, url, _web(url))


def _without_user(url: str) -> str:
    """A URL without user and password."""
    return re.sub(r"(?<=://)[^/]*@", "", url)


def names(repo: Repository) -> list[str]:
    """The remotes' names, ``origin`` first."""
    return sorted(repo.line("remote").splitlines(), key=lambda name: name != "origin")


def _web(url: str) -> str:
    """The web page of a repository, guessed from its URL; empty for a path and the like."""
    parts = _HTTP.fullmatch(_without_user(url)) or _SSH.fullmatch(_without_user(url)) or _SCP.fullmatch(url)
    if parts is None:
        return ""
    scheme = "http" if url.startswith("http:") else "https"
    return f"{scheme}://{parts[1]}/{parts[2].rstrip('/').removesuffix('.git')}"


def heads(repo: Repository, to: Remote, *branches: str) -> dict[str, str]:
    """The tips of the branches that a remote has, by branch."""
    lines = repo.line("ls-remote", "--", to.name, *(f"refs/heads/{branch}" for branch in branches)).splitlines()
    tips = {ref.removeprefix("refs/heads/"): oid for oid, _, ref in (line.partition("\t") for line in lines)}
    return {branch: tips[branch] for branch in branches if branch in tips}


def push(repo: Repository, to: Remote, branch: str, there: str | None, is_ours: Callable[[str], bool]) -> None:
    """Push a branch, whose tip the remote has at ``there`` (``None``: not at all).

    Raises GitexpError rather than replace commits, unless ``is_ours`` is true of their tip.
    """
    ref = f"refs/heads/{branch}"
    local = there and repo.resolve(there)
    forward = local and repo.lookup("merge-base", "--is-ancestor", local, ref) is not None
    if there and not forward and not (local and is_ours(there)):
        raise GitexpError(
            f"{branch} on {to.public_url} ends with {short(there)}, which gitexp did not make, or which is not "
            "in this clone.",
            f"{git_command('fetch', '--', to.public_name, branch)}   # and look at that commit; then again",
        )
    lease = [f"--force-with-lease={ref}:{there}"] if there and not forward else []
    tracking = [f"refs/remotes/{to.name}/{branch}"] if to.name in names(repo) else []
    with noted(repo, *tracking):
        repo.run("push", "--quiet", *lease, "--", to.name, f"{ref}:{ref}")


def request_pull(repo: Repository, start: str, to: Remote | None, branch: str) -> str:
    """The text of ``git request-pull``, from a remote or, with ``None``, from this repository."""
    where = to.name if to else str(repo.directory)
    text = printable(from_bytes(repo.run("request-pull", "--", start, where, f"refs/heads/{branch}")))
    return text.replace(to.url, to.public_url) if to else text


def branch_of(repo: Repository, base: str) -> str:
    """The name that a branch has at its remote. Raises GitexpError for a revision that is not a branch."""
    if refs.read(repo, f"refs/heads/{base}"):
        return base
    owners = [name for name in names(repo) if base.startswith(f"{name}/")]
    if owners and refs.read(repo, f"refs/remotes/{base}"):
        return base.removeprefix(f"{owners[0]}/")
    raise GitexpError(
        f"{visible(base)} is not a branch, and a pull request is merged into one.", "gitexp pr --base BRANCH --create"
    )


# -- the forges' own clients -------------------------------------------------------------------------------------------


def client(to: Remote) -> str:
    """The client that opens a request at this remote: gh or glab. Raises GitexpError where it is not installed."""
    clients = {"github": ("gh",), "gitlab": ("glab",)}
    # a host of any other name may be either
    fitting = next((names for word, names in clients.items() if word in to.host), ("gh", "glab"))
    installed = next((name for name in fitting if shutil.which(name)), None)
    if installed is None:
        raise GitexpError(
            f"{' or '.join(fitting)} opens the pull request, and is not installed or not on PATH.",
            f"{command('gitexp', 'pr', '--push', to.public_name)} > body.md   # then open one in the browser",
        )
    return installed


def open_request(repo: Repository, client: str, base: str, head: str, title: str, body: str) -> str:
    """Open a request to merge ``head`` into ``base``, or update the open one; what the client printed: its URL.

    Raises GitexpError, with the client's own words, where it fails.
    """
    if client == "gh":
        text = ["--title", title, "--body-file", "-"]
        create, update = ["pr", "create", "--base", base, "--head", head, *text], ["pr", "edit", head, *text]
    else:
        text = ["--title", title, "--description", body]
        create = ["mr", "create", "--source-branch", head, "--target-branch", base, *text, "--yes"]
        update = ["mr", "update", head, *text]
    done = _run(repo, client, create, body)
    if done.returncode and "already exists" in done.stderr:
        done = _run(repo, client, update, body)
    if done.returncode:
        words = printable(done.stderr).strip() or f"exit {done.returncode}"
        raise GitexpError(f"{client} {create[0]} {create[1]} failed: {words}", f"{client} auth status")
    return printable(done.stdout).strip()


def _run(repo: Repository, client: str, args: list[str], body: str) -> subprocess.CompletedProcess[str]:
    folder = repo.directory
    stdin = body if client == "gh" else ""
    return subprocess.run(
        [client, *args], cwd=folder, input=stdin, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
