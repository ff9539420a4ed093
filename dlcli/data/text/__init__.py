"""Texts: the prepared form, words and vocabularies, batches, the audit."""
