"""Metrics computed over all samples of a split."""
