"""Text classification: by sentiment, or by any other label."""
