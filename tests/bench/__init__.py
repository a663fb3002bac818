"""Benchmarks, run by hand: python -m tests.bench.train. No test asserts on a time that they measure."""
