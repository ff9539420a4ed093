"""Tokenizers: jieba's exact tokens at a higher speed, characters, or whitespace-separated words."""
