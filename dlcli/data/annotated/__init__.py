"""Annotated images: objects with boxes and masks, labels of whole images, and label maps."""
