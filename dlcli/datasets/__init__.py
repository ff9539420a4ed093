"""Original formats: each module turns one into a prepared form."""
