"""What is written once, before an experiment: an agent's skill, a CI workflow, a demo."""
