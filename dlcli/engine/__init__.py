"""The one training loop and what it needs; knows no task."""
