"""An experiment as git holds it: commit messages with trailers, read back as a ledger of iterations.

:func:`gitexp.ledger.history.load` reads a branch as a :class:`gitexp.ledger.ledger.Ledger`; :mod:`gitexp.ledger.trailers`
is the commit format's specification; :mod:`gitexp.ledger.experiment_files` names an experiment's private files.
"""
