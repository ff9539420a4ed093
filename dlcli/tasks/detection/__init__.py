"""The task: find objects in images."""
