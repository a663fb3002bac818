"""The only door to git: a repository, its objects, its refs, its index, and the work tree.

Commands go through :class:`gitexp.git.repository.repository.Repository`; nothing above this package starts a git process.
"""
