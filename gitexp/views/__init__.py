"""What is computed from a ledger for people and machines: text, JSON, HTML and pictures.

Each view is a function of the ledger; only :mod:`gitexp.views.on_disk` writes into the work tree.
"""
