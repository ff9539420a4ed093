"""Sentiment, or any other label, of a text."""
