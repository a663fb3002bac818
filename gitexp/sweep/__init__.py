"""A systematic search over constants of the editable files, driven by the loop.

:mod:`gitexp.sweep.sweep.sweep` proposes settings, :mod:`gitexp.sweep.sweep.strategies` chooses them, and one module for each
language finds and rewrites constants.
"""
