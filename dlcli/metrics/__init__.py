"""Metrics over all samples."""
