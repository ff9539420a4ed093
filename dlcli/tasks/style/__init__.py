"""Translating images from one domain into another."""
