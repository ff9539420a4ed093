"""Importers of image datasets."""
