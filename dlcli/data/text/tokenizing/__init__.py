"""Text to tokens: jieba's own tokens fast, characters, or what stands between spaces."""
