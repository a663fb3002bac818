"""What is written once, before or beside an experiment: an agent's skill, a CI workflow, a demo.

Its public faces are :mod:`gitexp.setup.agent`, :mod:`gitexp.setup.ci` and :mod:`gitexp.setup.demo`.
"""
