from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.errors import GitexpError
from gitexp.git.driver import GitCommandError
from gitexp.git.repository import Repository
from gitexp.ledger import summary
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX
from gitexp.review import forge
from gitexp.review.forge import Remote
from gitexp.review.pull_request import body
from gitexp.review.review_branch import Review, default_base, is_ours, refresh
from gitexp.shell import git_command
from gitexp.text import printable, short


@click.command()
@click.option("--base", metavar="BRANCH", help="The branch to merge into (default: origin's main branch, or main).")
@click.option("--push", "push_to", metavar="REMOTE", help="Push review/NAME to REMOTE, with plain git.")
@click.option("--create", is_flag=True, help="Push (to origin, unless --push says), and open the request: gh or glab.")
@experiment_option
def pr(base: str | None, push_to: str | None, create: bool, name: str | None) -> None:
    """Make the branch review/NAME and the text of a pull request.

    The branch starts at the merge base of BRANCH and the experiment. It has the KEEPs only, and one last commit with
    the record: results.tsv and EXPERIMENT.md in experiments/NAME, and a summary in its trailers. The text of the
    request and the output of `git request-pull` are printed. After more steps, run it again to update branch and
    request.

    \b
    Examples:
      gitexp pr
      gitexp pr --push origin
      gitexp pr --create
    """
    repo, ledger = open_ledger(name)
    base = base or default_base(repo)
    to = _remote(repo, push_to, create)
    client = forge.client(to) if create and to else ""
    target = forge.branch_of(repo, base) if create else ""
    review = refresh(repo, ledger, base)
    _say(_description(review, base))
    if to and (push_to or create):
        _push(repo, ledger, review, to)
    text = body(ledger, review, to.link if to else short, to.public_name if to else "")
    if client:
        click.echo(forge.open_request(repo, client, target, review.branch, summary.title(ledger), text))
        return
    click.echo(text)
    try:
        click.echo(forge.request_pull(repo, review.start, to if push_to else None, review.branch))
    except GitCommandError as error:  # git request-pull is a Perl script, which some installations of git lack
        _say(error.sentence)


def _remote(repo: Repository, push_to: str | None, create: bool) -> Remote | None:
    remotes = forge.names(repo)
    if create and not push_to and not remotes:
        raise GitexpError("A pull request needs a remote, and there is none.", "git remote add origin URL")
    return forge.remote(repo, push_to or remotes[0]) if push_to or remotes else None


def _push(repo: Repository, ledger: Ledger, review: Review, to: Remote) -> None:
    experiment = BRANCH_PREFIX + ledger.name
    tips = forge.heads(repo, to, review.branch, experiment)
    if tips.get(review.branch) != review.tip:
        forge.push(repo, to, review.branch, tips.get(review.branch), lambda commit: is_ours(repo, commit, ledger.name))
        _say(f"{review.branch} was pushed to {to.public_url}.")
    if tips.get(experiment) != ledger.tip:
        _say(
            f"{to.public_url} lacks commits of {experiment}, to which the text links: "
            f"{git_command('push', '--', to.public_name, experiment)}"
        )


def _description(review: Review, base: str) -> str:
    if review.old == review.tip:
        return f"{review.branch} is up to date."
    picked = sum(not pick.skipped for pick in review.picks)
    return (
        f"{review.branch} has {picked} commits of the experiment and its record, from {short(review.start)} of {base}."
    )


def _say(sentence: str) -> None:
    click.echo(printable(sentence), err=True)
