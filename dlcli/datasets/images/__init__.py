"""Importers of images."""
