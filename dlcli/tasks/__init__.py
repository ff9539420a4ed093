"""The tasks, one folder each, found through the registry."""
