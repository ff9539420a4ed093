"""What importers share: preparing into a folder, downloads, archives, pickles, names."""
