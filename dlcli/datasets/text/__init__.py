"""Importers of text datasets."""
