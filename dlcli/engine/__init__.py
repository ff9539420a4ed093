"""The training loop and what it needs; independent of any task."""
