"""The only door to git: a repository, its objects, its refs, its index and its work tree.

Its public face is :class:`gitexp.git.repository.Repository`. Every git process is started
in :mod:`gitexp.git.driver`, and none outside this package.
"""
