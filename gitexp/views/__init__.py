"""What people and machines see of a ledger: text, JSON, HTML and pictures.

Each view is computed from the ledger alone; :mod:`gitexp.views.on_disk` writes two of them into the work tree.
"""
