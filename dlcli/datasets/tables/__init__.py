"""Importers of tables."""
