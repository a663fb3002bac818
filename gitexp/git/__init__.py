"""The only door to git: a repository, its objects, its refs, its index and its work tree.

Its public face is :class:`gitexp.git.repository.Repository`. Nothing outside this package starts a git process.
"""
