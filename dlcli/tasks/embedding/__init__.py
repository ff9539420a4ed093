"""Word vectors, learned from texts without labels."""
