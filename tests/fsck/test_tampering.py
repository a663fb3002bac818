"""Each way to tamper with an experiment's branch is found for what it is, by a code of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git
from tests.helpers.tampering import (
    CRASH,
    DISCARD,
    GUARDED,
    KEEP,
    SCORE,
    TRAIN,
    Branch,
    Entry,
    falsify_keep,
    findings,
    with_file,
)

pytestmark = pytest.mark.slow  # by number: each takes a quarter of a second


def falsify_discard(branch: Branch) -> None:
    entry = branch["exp006"]
    entry.change("KEEP", "DISCARD")
    subject = entry.message.partition("\n")[0]
    branch.entries.insert(
        branch.at("exp006") + 1, Entry(f'Revert "{subject}"\n\nThis reverts commit {entry.oid}.\n', entry.tree)
    )
    branch.settle()


def falsify_crash(branch: Branch) -> None:
    entry = branch[DISCARD]
    branch[f"Revert {DISCARD}"].change("DISCARD 2.090000", "CRASH")
    entry.change("DISCARD 2.090000", "CRASH")
    entry.put("Exp-Status", "CRASH")
    entry.drop("Exp-Score")
    entry.drop("Exp-Delta")


def falsify_no_crash(branch: Branch) -> None:
    for head in (CRASH, f"Revert {CRASH}"):
        branch[head].change("exp004 CRASH", "exp004 DISCARD 2.500000")
    branch[CRASH].put("Exp-Status", "DISCARD\nExp-Score: 2.5\nExp-Delta: 0.4975")


def move_frozen_blob(branch: Branch) -> None:
    branch.edit_from(KEEP, with_file("score.py", SCORE.replace("2 +", "1 +")))


def falsify_frozen_blob(branch: Branch) -> None:
    blob = git("hash-object", "other.txt").strip()
    branch["exp000"].put("Exp-Freeze", f"{blob} score.py")


def miss_revert(branch: Branch) -> None:
    branch.cut("Revert exp002")


def revert_twice(branch: Branch) -> None:
    revert = branch["Revert exp002"]
    branch.entries.insert(branch.at("Revert exp002") + 1, Entry(revert.message, revert.tree))


def reapply(branch: Branch) -> None:
    last, revert = branch["exp008"], branch["Revert exp008"]
    message = f'Revert "{revert.message.splitlines()[0]}"\n\nThis reverts commit {revert.oid}.\n'
    branch.entries.append(Entry(message, last.tree))


def swap_trees(branch: Branch) -> None:
    one, other = branch["exp002"], branch[DISCARD]
    one.tree, other.tree = other.tree, one.tree


def edit_score(branch: Branch) -> None:
    entry = branch[KEEP]
    entry.change(f"KEEP {float(entry.value('Exp-Score')):.6f}", "KEEP 1.900000")
    entry.put("Exp-Score", "1.9")


def edit_sample(branch: Branch) -> None:
    entry = branch[KEEP]
    entry.put("Exp-Sample", re.sub(r"score=\S+", "score=1.9", entry.value("Exp-Sample")))


def edit_incumbents_sample(branch: Branch) -> None:
    """The incumbent's run looks worse than it was: its own score does not change, and the lead does."""
    branch[KEEP].change("score=2.0104", "score=2.01041")


def edit_seed(branch: Branch) -> None:
    branch[KEEP].change("exp001 seed=1", "exp001 seed=2")


def stop_early(branch: Branch) -> None:
    """A run that the rule asked for is left out."""
    branch[KEEP].message = re.sub(r"(?m)^Exp-Sample: exp001 .*\n", "", branch[KEEP].message)


def edit_delta(branch: Branch) -> None:
    branch[KEEP].put("Exp-Delta", "-0.5")


def cut_block(branch: Branch) -> None:
    branch[KEEP].message = branch[KEEP].message.partition("\n")[0] + "\n"


def bury_block(branch: Branch) -> None:
    branch[KEEP].message = branch[KEEP].message.rstrip() + "\n\nThanks to Bob\n"


def double_id(branch: Branch) -> None:
    branch.renumber("exp006", -1)


def gap(branch: Branch) -> None:
    branch.cut("exp002", "Revert exp002")


def double_run(branch: Branch) -> None:
    branch[DISCARD].put("Exp-Run", branch["exp002"].value("Exp-Run"))


def reorder(branch: Branch) -> None:
    pair = branch.cut(CRASH, f"Revert {CRASH}")
    at = branch.at(f"Revert {DISCARD}") + 1
    branch.entries[at:at] = pair


def amend(branch: Branch) -> None:
    branch.edit_from(KEEP, with_file("train.py", TRAIN.replace("0.1", "0.27", 1)), sealed=False)


def smuggle(branch: Branch) -> None:
    branch.edit_from("exp006", with_file("other.txt", "smuggled\n"))


def commit_results(branch: Branch) -> None:
    branch.edit_from("exp006", with_file("results.tsv", "id\tmetric\n"))


def second_contract(branch: Branch) -> None:
    """From exp006 on the budget is another."""
    terms = branch["exp000"].message.partition("Exp-Optimize")
    entry = branch["exp006"]
    entry.drop("Exp-Delta")
    entry.change("Exp-Id", f"Exp-Format: {branch['exp000'].value('Exp-Format')}\nExp-Id")
    entry.message = entry.message.rstrip() + "\n" + "".join(terms[1:])
    entry.put("Exp-Budget", "5000")


def second_beginning(branch: Branch) -> None:
    second_contract(branch)
    branch.renumber("exp006", -6)


def wrong_revert(branch: Branch) -> None:
    branch["Revert exp002"].tree = branch["exp002"].tree


def other_revert(branch: Branch) -> None:
    branch["Revert exp005"].change(branch["exp005"].oid, branch["exp002"].oid)


def undo_keep(branch: Branch) -> None:
    entry = branch["exp006"]
    message = f'Revert "{entry.message.splitlines()[0]}"\n\nThis reverts commit {entry.oid}.\n'
    branch.entries.append(Entry(message, branch["exp003"].tree))


def lie_in_subject(branch: Branch) -> None:
    branch[KEEP].change("exp003 KEEP 2.002500: LR 0.25", "exp003 KEEP 1.500000: LR 0.25")


def lie_in_a_reverts_subject(branch: Branch) -> None:
    branch["Revert exp002"].change('Revert "exp002 DISCARD', 'Revert "exp002 KEEP')


def keep_what_breaks_the_guard(branch: Branch) -> None:
    branch.cut(f"Revert {GUARDED}")
    entry = branch[GUARDED]
    entry.change("DISCARD", "KEEP")
    entry.change("Exp-Patch", "Exp-Delta: -0.0004\nExp-Patch")
    branch.settle()


def commit_by_hand(branch: Branch) -> None:
    branch.entries.insert(1, Entry("mine\n", branch["exp000"].tree))


def move(branch: Branch) -> None:
    """What ``git rebase`` does: what follows a rewritten commit is sealed on others than it stands on."""
    branch["exp006"].message += "\n"
    for head in ("exp006", "exp007", "exp008"):
        branch[head].fits = False
    branch["exp006"].put("Exp-Base", "0" * 40)


def two_statuses(branch: Branch) -> None:
    branch[DISCARD].put("Exp-Status", "DISCARD\nExp-Status: KEEP")


def fold_a_trailer(branch: Branch) -> None:
    branch[KEEP].put("Exp-Reason", branch[KEEP].value("Exp-Reason") + "\n  and more")


def unreadable_score(branch: Branch) -> None:
    branch[KEEP].put("Exp-Score", "low")


def add_a_term(branch: Branch) -> None:
    branch[DISCARD].message = branch[DISCARD].message.rstrip() + "\nExp-Rule: margin 9\n"


def add_an_unknown_key(branch: Branch) -> None:
    branch[KEEP].message = branch[KEEP].message.rstrip() + "\nExp-Verdict: certain\n"


def add_a_key_of_another_format(branch: Branch) -> None:
    """Format 1 has no Exp-Where."""
    branch["exp000"].put("Exp-Format", "1")


def add_a_twin(branch: Branch) -> None:
    """git takes a key in any case."""
    branch[KEEP].change("Exp-Score", "exp-score: 1.5\nExp-Score")


def falsify_simpler(branch: Branch) -> None:
    branch[KEEP].change("Exp-Patch", "Exp-Simpler: 5\nExp-Patch")


def remark_with_an_edit(branch: Branch) -> None:
    edited = with_file("train.py", "LR = 7\n")(branch.entries[-1].tree)
    base = "0" * 40
    branch.entries.append(
        Entry(f"Test exp006: 2\n\nExp-Remark: test exp006\nExp-Base: {base}\nExp-Test: 2.0\n", edited)
    )


def append_remark(branch: Branch, subject: str, *trailers: str) -> None:
    text = "".join(f"{trailer}\n" for trailer in trailers)
    branch.entries.append(Entry(f"{subject}\n\n{text}Exp-Base: {'0' * 40}\n", branch.entries[-1].tree))


def look_at_what_was_dropped(branch: Branch) -> None:
    append_remark(branch, f"Test {DISCARD}: 2.000000", f"Exp-Remark: test {DISCARD}", "Exp-Test: 2.0")


def look_at_what_does_not_exist(branch: Branch) -> None:
    append_remark(branch, "Test exp031: 2.000000", "Exp-Remark: test exp031", "Exp-Test: 2.0")


def look_without_a_score(branch: Branch) -> None:
    append_remark(branch, f"Test {KEEP}: ", f"Exp-Remark: test {KEEP}")


def reset_after_an_older_crash(branch: Branch) -> None:
    append_remark(branch, f"Reset the circuit breaker after {CRASH}: x", f"Exp-Remark: breaker {CRASH}", "Exp-Note: x")


def reset_after_no_crash(branch: Branch) -> None:
    append_remark(branch, "Reset the circuit breaker after exp008: x", "Exp-Remark: breaker exp008", "Exp-Note: x")


def reset_in_advance(branch: Branch) -> None:
    append_remark(branch, "Reset the circuit breaker after exp099: x", "Exp-Remark: breaker exp099", "Exp-Note: x")


def remark_of_no_kind(branch: Branch) -> None:
    append_remark(branch, "x", f"Exp-Remark: praise {KEEP}", "Exp-Note: x")


def lie_in_a_remarks_subject(branch: Branch) -> None:
    append_remark(branch, f"Test {KEEP}: 1.000000", f"Exp-Remark: test {KEEP}", "Exp-Test: 2.0")


def remark_with_a_status(branch: Branch) -> None:
    append_remark(branch, f"Test {KEEP}: 2.000000", f"Exp-Remark: test {KEEP}", "Exp-Test: 2.0", "Exp-Status: KEEP")


def falsify_reason(branch: Branch) -> None:
    branch[KEEP].put("Exp-Reason", "three independent runs confirm it (p < 0.001)")


def falsify_a_number_in_the_reason(branch: Branch) -> None:
    entry = branch[KEEP]
    entry.put("Exp-Reason", re.sub(r"by 0\.0", "by 0.1", entry.value("Exp-Reason")))


def falsify_the_baselines_reason(branch: Branch) -> None:
    branch["exp000"].put("Exp-Reason", "the baseline, tuned for a week")


def falsify_a_guards_reason(branch: Branch) -> None:
    branch[GUARDED].put("Exp-Reason", "breaks the guard memory_mb<=100: memory_mb is 100.1")


def drop_reason(branch: Branch) -> None:
    branch[KEEP].drop("Exp-Reason")


def falsify_change(branch: Branch) -> None:
    branch[KEEP].put("Exp-Change", "comments and formatting only")


def add_a_change(branch: Branch) -> None:
    branch[KEEP].put("Exp-Change", "constant LR\nExp-Change: function forward")


def drop_change(branch: Branch) -> None:
    branch[KEEP].drop("Exp-Change")


def falsify_patch(branch: Branch) -> None:
    branch[KEEP].put("Exp-Patch", branch["exp001"].value("Exp-Patch"))


def falsify_seconds(branch: Branch) -> None:
    branch[KEEP].put("Exp-Seconds", "3600.00")


def falsify_seed(branch: Branch) -> None:
    branch[KEEP].put("Exp-Seed", "42")


def delta_of_a_crash(branch: Branch) -> None:
    branch[CRASH].change("Exp-Patch", "Exp-Delta: -0.5\nExp-Patch")


def add_a_remark_to_an_iteration(branch: Branch) -> None:
    branch[KEEP].message += f"Exp-Remark: test {KEEP}\n"


def _hidden_work(branch: Branch) -> tuple[str, ...]:
    return (git("commit-tree", branch.entries[0].tree, "-p", branch.below, "-m", "hidden work").strip(),)


def merge_into_a_keep(branch: Branch) -> None:
    branch[KEEP].merged = _hidden_work(branch)


def merge_into_the_baseline(branch: Branch) -> None:
    branch["exp000"].merged = _hidden_work(branch)


def merge_into_a_revert(branch: Branch) -> None:
    branch[f"Revert {DISCARD}"].merged = _hidden_work(branch)


def merge_into_a_remark(branch: Branch) -> None:
    append_remark(branch, f"Test {KEEP}: 2.000000", f"Exp-Remark: test {KEEP}", "Exp-Test: 2.0")
    branch.entries[-1].merged = _hidden_work(branch)


TAMPERINGS: dict[Callable[[Branch], None], str] = {
    falsify_keep: "verdict",
    falsify_discard: "verdict",
    falsify_crash: "verdict",
    falsify_no_crash: "verdict",
    keep_what_breaks_the_guard: "guard",
    move_frozen_blob: "frozen",
    falsify_frozen_blob: "frozen",
    smuggle: "outside",
    commit_results: "generated",
    miss_revert: "unreverted",
    revert_twice: "reverted-twice",
    wrong_revert: "revert-tree",
    other_revert: "unnamed-revert",
    reapply: "reapplied",
    undo_keep: "reverted-keep",
    swap_trees: "amended",
    amend: "amended",
    edit_score: "score",
    edit_sample: "sample",
    edit_delta: "delta",
    falsify_simpler: "simpler",
    cut_block: "no-trailers",
    bury_block: "hidden-trailers",
    two_statuses: "trailers",
    fold_a_trailer: "trailers",
    unreadable_score: "trailers",
    double_id: "duplicate-id",
    gap: "gap",
    double_run: "duplicate-run",
    reorder: "order",
    move: "copied",
    second_contract: "contract",
    second_beginning: "contract",
    add_a_term: "contract",
    add_an_unknown_key: "unknown-key",
    add_a_key_of_another_format: "unknown-key",
    add_a_twin: "unknown-key",
    lie_in_subject: "subject",
    lie_in_a_reverts_subject: "subject",
    remark_with_an_edit: "remark",
    look_at_what_was_dropped: "remark",
    look_at_what_does_not_exist: "remark",
    look_without_a_score: "remark",
    reset_after_an_older_crash: "remark",
    reset_after_no_crash: "remark",
    reset_in_advance: "remark",
    remark_of_no_kind: "remark",
    remark_with_a_status: "trailers",
    lie_in_a_remarks_subject: "subject",
    falsify_reason: "reason",
    falsify_a_number_in_the_reason: "reason",
    falsify_the_baselines_reason: "reason",
    falsify_a_guards_reason: "reason",
    drop_reason: "reason",
    falsify_change: "change",
    add_a_change: "change",
    drop_change: "change",
    falsify_patch: "patch",
    falsify_seconds: "trailers",
    falsify_seed: "trailers",
    delta_of_a_crash: "delta",
    add_a_remark_to_an_iteration: "trailers",
    merge_into_a_keep: "parents",
    merge_into_the_baseline: "parents",
    merge_into_a_revert: "parents",
    merge_into_a_remark: "parents",
    commit_by_hand: "foreign",
}


@pytest.mark.parametrize(("tamper", "code"), TAMPERINGS.items(), ids=lambda value: getattr(value, "__name__", None))
def test_tampering_is_found_for_what_it_is(
    branch: Branch, gitexp: Gitexp, tamper: Callable[[Branch], None], code: str
) -> None:
    tamper(branch)
    branch.write()
    assert findings(gitexp).keys() == {code}
    assert findings(gitexp, "main..exp/train").keys() == {code}
    assert findings(gitexp, "exp/train").keys() == {code}


@pytest.mark.parametrize("branch", ["confirm"], indirect=True)
@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (falsify_keep, "verdict"),
        (falsify_discard, "verdict"),
        (stop_early, "verdict"),
        (edit_score, "score"),
        (edit_sample, "sample"),
        (edit_seed, "sample"),
        (edit_incumbents_sample, "delta"),
        (edit_delta, "delta"),
        (falsify_reason, "reason"),
        (falsify_change, "change"),
        (gap, "gap"),
        (cut_block, "no-trailers"),
    ],
)
def test_tampering_under_the_default_rule(
    branch: Branch, gitexp: Gitexp, tamper: Callable[[Branch], None], code: str
) -> None:
    assert len(re.findall("Exp-Sample", branch[KEEP].message)) == 2
    tamper(branch)
    branch.write()
    assert findings(gitexp).keys() == {code}


def test_each_finding_says_what_and_where(branch: Branch, gitexp: Gitexp) -> None:
    falsify_keep(branch)
    move_frozen_blob(branch)
    branch.write()
    result = gitexp("fsck", code=1)
    oid = git("log", "--format=%H", "--grep", "^Exp-Id: exp003$").strip()[:10]
    assert result.stdout == (
        "verdict: exp005 is sealed as KEEP, and by its rule is DISCARD: worse than exp003 (2.002500) by 0.087500.\n"
        "  try: gitexp why exp005\n"
        f"frozen: {oid} exp003 KEEP 2.002500: LR 0.25 changes score.py, which is frozen.\n"
        f"  try: git show {oid} -- :/score.py\n"
    )
    subprocess.run(f"git show {oid} -- :/score.py", shell=True, check=True, capture_output=True)


def test_what_could_not_be_judged_is_said(branch: Branch, gitexp: Gitexp) -> None:
    cut_block(branch)
    branch.write()
    assert "not checked: the verdicts of exp004, …, exp008" in gitexp("fsck", code=1).stderr
