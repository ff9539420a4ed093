"""The form "parallel": pairs of a sentence and its translation, one direction of a pair of languages."""
