"""Texts: the prepared form, tokenizers and vocabularies, batches, the audit."""
