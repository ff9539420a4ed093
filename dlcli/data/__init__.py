"""Prepared forms, packed copies, transforms and loaders."""
