"""Options that are found by trying."""
