"""The only door to git: nothing outside this package starts a git process, or reads git's own files.

:class:`gitexp.git.repository.Repository` is a repository and its objects. The other modules hold functions that take
one: ``refs``, ``commits``, ``objects`` (blobs, trees, the index), ``diff``, ``status``, ``worktree`` (the candidate's
edits), ``linked_worktrees``. ``driver`` starts the processes.
"""
