"""The tasks: each is one folder, found through the registry."""
