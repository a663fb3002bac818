"""One run of a hook: started, watched, ended in time, and read as a measurement.

:func:`gitexp.run.measure.measure` makes one replicate. :mod:`gitexp.run.hooks` installs and finds the hooks.
"""
