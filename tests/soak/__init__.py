"""Many steps under random kills: ``python -m tests.soak --steps 1000``."""
