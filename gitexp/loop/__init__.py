"""Steps in a row, overnight: an agent or a sweep proposes, a step judges, until a limit is reached.

:func:`gitexp.loop.loop.loop.loop` is the whole of it.
"""
