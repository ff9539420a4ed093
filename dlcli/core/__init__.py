"""Errors, configuration, registry, run directory and console: knows nothing of torch."""
