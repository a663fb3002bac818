"""Steps one after another, overnight: a proposer edits, a step judges, until a limit is reached.

Its public face is :func:`gitexp.loop.loop.loop`, which takes any :class:`gitexp.loop.proposers.Proposer`.
"""
