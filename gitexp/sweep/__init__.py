"""A systematic search over constants of the editable files, driven by the loop.

:class:`gitexp.sweep.sweep.SweepProposer` proposes settings and :mod:`gitexp.sweep.strategies` orders them. One module
for each language finds and rewrites constants.
"""
