"""Importers of table datasets."""
