"""Images of two domains, paired or not."""
