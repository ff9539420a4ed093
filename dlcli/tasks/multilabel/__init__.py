"""Multi-label classification: which of the classes an image shows, any number of them."""
