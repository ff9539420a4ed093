"""Importers of sentence pairs."""
