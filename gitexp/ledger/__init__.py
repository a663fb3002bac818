"""An experiment as git holds it: commit messages with trailers, read back as a ledger of iterations.

:func:`gitexp.ledger.history.load` reads a branch into a :class:`~gitexp.ledger.ledger.Ledger`.
:mod:`gitexp.ledger.trailers` specifies the commit format. :class:`gitexp.ledger.experiment_files.ExperimentFiles` names
an experiment's private files.
"""
