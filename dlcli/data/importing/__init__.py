"""Shared parts of importers: preparing into a folder, downloads, archives, pickles, names."""
