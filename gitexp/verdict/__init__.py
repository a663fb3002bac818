"""The verdict, and what follows from it: pure functions of a ledger and of the samples that a step measured.

:func:`gitexp.verdict.rules.decide` is the whole of it; the circuit breaker and a crash's diagnosis stand beside it.
"""
