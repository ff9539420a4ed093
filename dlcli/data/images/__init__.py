"""Images in folders by class: the prepared form, decoding, packing, augmentation, batches."""
