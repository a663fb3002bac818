"""The transaction of an experiment: from an edit in the work tree to a sealed commit, all or nothing.

:func:`gitexp.iteration.step.step` takes one step, :func:`gitexp.iteration.baseline.begin` begins an experiment, and
:func:`gitexp.iteration.recovery.recover` finishes what a killed process left.
"""
