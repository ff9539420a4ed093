"""One command line from raw data to a trained, measured, exported and drawn deep-learning model."""

__version__ = "0.1.0"
