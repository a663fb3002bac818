from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option
from gitexp.errors import GitexpError
from gitexp.fsck.finding import Finding
from gitexp.fsck.fsck import check, check_range
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.model import BRANCH_PREFIX
from gitexp.text import one_line, visible
from gitexp.views.json_schema import SCHEMA, FindingJson, dumps


@click.command()
@click.argument("commits", metavar="[RANGE]", required=False)
@experiment_option
@click.option("--json", "json_", is_flag=True, help="Print a JSON array of findings.")
@click.pass_context
def fsck(ctx: click.Context, commits: str | None, name: str | None, json_: bool) -> None:
    """Check that branch, trailers and files agree.

    Without RANGE, fsck checks the experiment that is checked out: each commit from its baseline to its tip, and the
    files in this clone. With RANGE, it checks the iterations among those commits, whether they are an experiment's or
    KEEPs that were picked for review; a single revision stands for its whole ancestry.

    It computes the verdicts again from the sealed rule and samples, and runs no code of the repository. Each finding
    has a code, a sentence, and the command that repairs it or looks closer. The exit code is 1 when there is a finding.

    \b
    Examples:
      gitexp fsck
      gitexp fsck origin/main..HEAD
    """
    if commits and name:
        raise click.UsageError("RANGE and --experiment exclude each other.")
    repo = Repository.discover(Path.cwd())
    if commits:
        audit, what = check_range(repo, commits), commits
    else:
        branch = BRANCH_PREFIX + name.removeprefix(BRANCH_PREFIX) if name else _checked_out(repo)
        audit, what = check(repo, branch.removeprefix(BRANCH_PREFIX)), branch
    if json_:
        click.echo(dumps(list(map(_json, audit.findings))))
    else:
        for finding in audit.findings:
            click.echo(f"{finding.code}: {visible(one_line(finding.sentence))}\n  try: {visible(finding.repair)}")
        if not audit.findings:
            click.echo(f"{one_line(what)} is in order{f': {audit.checked}' if commits else ''}.")
    for clause in audit.unchecked:
        click.echo(f"not checked: {clause}", err=True)
    ctx.exit(1 if audit.findings else 0)


def _json(finding: Finding) -> FindingJson:
    return {"schema": SCHEMA, "code": finding.code, "sentence": finding.sentence, "repair": finding.repair}


def _checked_out(repo: Repository) -> str:
    branch = refs.current_branch(repo) or "HEAD"
    if not branch.startswith(BRANCH_PREFIX):
        hint = "gitexp fsck main..HEAD   # checks the commits of this branch; or: gitexp fsck -e NAME"
        raise GitexpError(f"{branch} is not the branch of an experiment.", hint)
    return branch
