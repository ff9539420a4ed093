"""Prepared forms, packed copies, augmentation, loaders and codecs."""
