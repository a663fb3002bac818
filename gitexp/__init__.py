"""gitexp: a git-native experiment tracker for time-budget training loops."""
