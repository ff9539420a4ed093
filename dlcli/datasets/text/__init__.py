"""Importers of texts."""
