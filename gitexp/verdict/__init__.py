"""The verdict and what follows from it: pure functions of a ledger and the samples of one step.

Its public face is :func:`gitexp.verdict.rules.decide`; the circuit breaker and the diagnosis of a crash
stand beside it.
"""
