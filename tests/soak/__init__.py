"""Every command of gitexp in a storm of kills, judged by plain git: ``python -m tests.soak --kills 1000``."""
