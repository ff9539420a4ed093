"""The version of the package, which runs, cards and files bear."""

__version__ = "0.1.0"
