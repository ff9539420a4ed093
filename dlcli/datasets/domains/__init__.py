"""Importers of images of two domains."""
