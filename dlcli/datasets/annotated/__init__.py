"""Importers of annotated images."""
