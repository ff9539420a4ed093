"""Exporting a run to model files, verified to equal the run, and running them."""
