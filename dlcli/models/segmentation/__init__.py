"""Networks and losses of semantic segmentation."""
