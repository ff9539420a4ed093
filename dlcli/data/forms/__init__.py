"""Readers of the prepared forms."""
