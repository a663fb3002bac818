"""What is computed from a ledger for people and machines: text, JSON, HTML and pictures.

A view is a function of the ledger. Only :mod:`gitexp.views.on_disk` writes any, into the work tree.
"""
