"""The views' names, and what stands in them."""

from __future__ import annotations

from gitexp.model import Status

NOTEBOOK = "EXPERIMENT.md"
RECORDS = "experiments"  # where a review keeps both: at the top level they would be in the next experiment's way
SHOWN = 20  # rows of each list in EXPERIMENT.md, which stays readable at any length of history
NOTES_SHOWN = 50
LEARNED = {Status.KEEP: "Helped", Status.DISCARD: "Did not help", Status.CRASH: "Crashed"}
