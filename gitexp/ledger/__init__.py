"""An experiment as git holds it: commit messages with trailers, read back as a ledger of iterations.

The words, as all of gitexp's code uses them (the manual's chapter ``glossary`` has more, and what other tools say):

=============  =======================================================================================================
experiment     a branch ``exp/<name>`` with one fixed contract
contract       metric, direction, budget, editable and frozen paths, rule, hook: sealed in the baseline, never changed
candidate      the tree under test
replicate      one execution of the hook on one tree, with its seed; also called a run
sample         what a commit says of one replicate: iteration, seed, seconds, score
measurement    all that the replicates of one step brought
verdict        KEEP, DISCARD or CRASH, with the reason
iteration      one sealed commit: a candidate, the verdict on it, the measurement. ``exp000`` is the baseline
incumbent      the last KEEP: what a candidate is compared with
lead           how far a candidate is ahead of the incumbent, over all runs of both; more is better
delta          the lead as a difference of scores, in the direction of the score: this is sealed
noise          the standard deviation of a score, or of a lead, pooled from all replicates in the history
remark         a commit that changes no file, and says something of an iteration
seal           write the final commits and move the branch, all of it or nothing
ledger         the iterations read back from the branch
views          results.tsv, EXPERIMENT.md, report, pull request: all computed from the ledger
post-run hook  the command that trains and measures a candidate, and prints its score
proposer       whoever makes the edit: a person, an agent's command, a sweep
=============  =======================================================================================================

:func:`gitexp.ledger.history.load` reads a branch into a :class:`~gitexp.ledger.ledger.Ledger`.
:mod:`gitexp.ledger.trailers` specifies the commit format. :class:`gitexp.ledger.experiment_files.ExperimentFiles` names
an experiment's private files.
"""
