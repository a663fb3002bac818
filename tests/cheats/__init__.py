"""Cheats an agent under pressure may try, each a real edit of a real train.py, and what catches each."""
