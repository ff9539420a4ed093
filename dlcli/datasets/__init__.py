"""Importers: each module converts one original format to a prepared form."""
